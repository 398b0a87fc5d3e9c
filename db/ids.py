"""Ids are never given out twice, not even after a backup was brought back or the end of the file was lost.

Messages in Discord keep buttons with the ids of rows. If a restored file counted on from its own last id, the button
under one member's old picture would open another member's new one. So an orderly end writes the last ids to a file
beside the database, and a start that does not find exactly these (a crash, a restored or copied file) lifts all
sequences to a number that grows with the time faster than ids are given out: every id of before is smaller.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import aiosqlite

from db.files import sync_folder

SUFFIX = ".ids"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
# More than are given out in a second by far; ids stay short (ten digits) for decades.
IDS_PER_SECOND = 20
# Bots before this schema wrote no last ids.
FIRST_SCHEMA = 6


async def lift(connection: aiosqlite.Connection, now: datetime) -> None:
    """Let the next row of every table with an id have one that no earlier start has given out."""
    floor = {"floor": int((now - EPOCH).total_seconds() * IDS_PER_SECOND)}
    await connection.execute("UPDATE sqlite_sequence SET seq = :floor WHERE seq < :floor", floor)
    await connection.execute(
        """INSERT INTO sqlite_sequence (name, seq) SELECT name, :floor FROM sqlite_master
           WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%' AND :floor > 0
             AND name NOT IN (SELECT name FROM sqlite_sequence)""",
        floor,
    )


async def last_ids(connection: aiosqlite.Connection) -> dict[str, int]:
    """Table → the last id that was given out."""
    rows = await connection.execute_fetchall("SELECT name, seq FROM sqlite_sequence ORDER BY name")
    return {str(row["name"]): int(row["seq"]) for row in rows}


def take_note(database: Path) -> dict[str, int] | None:
    """The last ids as an orderly end wrote them, once: from now on only another orderly end says them."""
    note = _note_of(database)
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        found = None
    note.unlink(missing_ok=True)
    sync_folder(note.parent)
    return found


def write_note(database: Path, ids: dict[str, int]) -> None:
    """An orderly end: these were the last ids."""
    _note_of(database).write_text(json.dumps(ids), encoding="utf-8")


def _note_of(database: Path) -> Path:
    real = database.resolve()
    return real.with_name(real.name + SUFFIX)
