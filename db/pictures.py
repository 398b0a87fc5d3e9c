"""Single things about stored pictures. A file is megabytes: only what shows one reads it."""

from __future__ import annotations

import json
import sqlite3

from db.database import Database
from domain import SafetyReport, SafetyVerdict


async def fetch_picture(database: Database, job_id: int, position: int) -> bytes | None:
    """One picture's file; None if it was withheld or erased."""
    row = await database.fetch_one("SELECT png FROM pictures WHERE job_id = ? AND position = ?", (job_id, position))
    return row["png"] if row else None


async def fetch_first(database: Database, job_id: int) -> bytes | None:
    """The file of a job's first picture that is stored."""
    row = await database.fetch_one(
        "SELECT png FROM pictures WHERE job_id = ? AND png IS NOT NULL ORDER BY position LIMIT 1", (job_id,)
    )
    return row["png"] if row else None


async def is_stored(database: Database, job_id: int) -> bool:
    """Whether a file of the job is stored."""
    row = await database.fetch_one("SELECT 1 FROM pictures WHERE job_id = ? AND png IS NOT NULL LIMIT 1", (job_id,))
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
