"""The rows of pictures, and their bytes: in the file of the row's month, or still in a row of an older bot.

A file is megabytes: only what shows one reads it.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Mapping, Sequence

import aiosqlite

from db.database import Database, fetch_one
from db.picture_files import BlobPlace
from db.rows import from_row
from domain import Picture, PictureFacts, Result, SafetyReport, SafetyVerdict

log = logging.getLogger(__name__)

# Conditions and changes for the statements of other files.
IS_STORED = "(png IS NOT NULL OR month IS NOT NULL)"
_PLACES = "SELECT position, png, month, blob_key FROM pictures WHERE job_id = ?"
FORGET = "png = NULL, month = NULL, blob_key = NULL, bytes = NULL"


async def insert(connection: aiosqlite.Connection, result: Result, places: Mapping[int, BlobPlace]) -> None:
    """The rows of a result's pictures; `places` says by position which bytes are in a month's file already."""
    await connection.executemany(
        """INSERT INTO pictures (job_id, position, seed, width, height, png, month, blob_key, bytes, verdict, scores)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        [
            _values(result.job_id, position, picture, places.get(position))
            for position, picture in enumerate(result.pictures)
        ],
    )


async def fetch(database: Database, job_id: int) -> list[Picture]:
    """A job's pictures in their order; one that was withheld or erased has no bytes."""
    rows = await database.fetch_all("SELECT * FROM pictures WHERE job_id = ? ORDER BY position", (job_id,))
    pngs = await _read(database, rows)
    return [_picture(row, pngs.get(row["position"])) for row in rows]


async def fetch_facts(database: Database, job_id: int) -> list[PictureFacts]:
    """What is known of a job's pictures, in their order; no file is read."""
    rows = await database.fetch_all(
        f"""SELECT seed, width, height, verdict, scores, {IS_STORED} AS is_stored
            FROM pictures WHERE job_id = ? ORDER BY position""",
        (job_id,),
    )
    return [from_row(PictureFacts, row, safety=decode_check(row)) for row in rows]


async def fetch_at(database: Database, job_id: int, position: int) -> Picture | None:
    """One of a job's pictures, as `fetch` gives all; None if the job has no such position."""
    rows = await database.fetch_all("SELECT * FROM pictures WHERE job_id = ? AND position = ?", (job_id, position))
    pngs = await _read(database, rows)
    return _picture(rows[0], pngs.get(position)) if rows else None


async def fetch_picture(database: Database, job_id: int, position: int) -> bytes | None:
    """One picture's file; None if it was withheld or erased."""
    rows = await database.fetch_all(f"{_PLACES} AND position = ?", (job_id, position))
    return (await _read(database, rows)).get(position)


async def count_stored(database: Database, job_id: int) -> int:
    """How many files of the job are stored."""
    row = await database.fetch_one(f"SELECT count(*) FROM pictures WHERE job_id = ? AND {IS_STORED}", (job_id,))
    return int(row[0]) if row else 0


async def is_stored(database: Database, job_id: int) -> bool:
    """Whether a file of the job is stored."""
    row = await database.fetch_one(f"SELECT 1 FROM pictures WHERE job_id = ? AND {IS_STORED} LIMIT 1", (job_id,))
    return row is not None


async def has_seed(database: Database, job_id: int, seed: int) -> bool:
    """Whether one of the job's pictures was painted with the seed."""
    row = await database.fetch_one("SELECT 1 FROM pictures WHERE job_id = ? AND seed = ? LIMIT 1", (job_id, seed))
    return row is not None


async def fetch_checks(database: Database, job_id: int) -> list[SafetyReport]:
    """What the picture check found in each of the job's pictures."""
    rows = await database.fetch_all(
        "SELECT verdict, scores FROM pictures WHERE job_id = ? ORDER BY position", (job_id,)
    )
    return [decode_check(row) for row in rows]


def decode_check(row: sqlite3.Row) -> SafetyReport:
    return SafetyReport(verdict=SafetyVerdict(row["verdict"]), scores=json.loads(row["scores"]))


async def erase(connection: aiosqlite.Connection, job_id: int) -> None:
    """Let go of a job's pictures; `db.picture_sweep.collect` then deletes the bytes."""
    await connection.execute(f"UPDATE pictures SET {FORGET} WHERE job_id = ? AND {IS_STORED}", (job_id,))


async def erase_one(connection: aiosqlite.Connection, job_id: int, position: int) -> bool:
    """Let go of one of a job's pictures, as `erase` does; whether others are stored."""
    await connection.execute(
        f"UPDATE pictures SET {FORGET} WHERE job_id = ? AND position = ? AND {IS_STORED}", (job_id, position)
    )
    row = await fetch_one(connection, f"SELECT 1 FROM pictures WHERE job_id = ? AND {IS_STORED} LIMIT 1", (job_id,))
    return row is not None


async def _read(database: Database, rows: Sequence[sqlite3.Row]) -> dict[int, bytes]:
    """The bytes by position. A blob that is gone belongs to a picture that was erased since its row was read."""
    pngs: dict[int, bytes] = {row["position"]: row["png"] for row in rows if row["png"] is not None}
    places = {row["position"]: BlobPlace(row["month"], row["blob_key"]) for row in rows if _is_in_file(row)}
    found = await database.pictures.read(places.values())
    for position, place in places.items():
        if place in found:
            pngs[position] = found[place]
        elif await _is_named(database, place):
            log.error("a picture is missing in %s: a row names it", database.pictures.path_of(place.month))
    return pngs


def _is_in_file(row: sqlite3.Row) -> bool:
    return row["png"] is None and row["month"] is not None


async def _is_named(database: Database, place: BlobPlace) -> bool:
    row = await database.fetch_one("SELECT 1 FROM pictures WHERE month = ? AND blob_key = ?", (place.month, place.key))
    return row is not None


def _values(job_id: int, position: int, picture: Picture, place: BlobPlace | None) -> tuple[object, ...]:
    return (
        job_id,
        position,
        picture.seed,
        picture.width,
        picture.height,
        None if place else picture.png,
        place.month if place else None,
        place.key if place else None,
        None if picture.png is None else len(picture.png),
        picture.safety.verdict,
        json.dumps(dict(picture.safety.scores)),
    )


def _picture(row: sqlite3.Row, png: bytes | None) -> Picture:
    return from_row(Picture, row, safety=decode_check(row), png=png)
