"""Pictures that members keep for themselves. The schema takes a mark away together with its picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import aiosqlite

from db.codec import to_seconds
from db.database import fetch_one
from db.pictures import IS_STORED

_OF_MEMBER = "user_id = ? AND job_id = ? AND position IN (SELECT value FROM json_each(?))"


async def keep(
    connection: aiosqlite.Connection, user_id: int, job_id: int, positions: Sequence[int], now: datetime
) -> int:
    """Keep those of a job's pictures that are stored and may be shown; how many were not kept before."""
    async with connection.execute(
        f"""INSERT INTO kept_pictures (user_id, job_id, position, kept_at)
            SELECT ?, job_id, position, ? FROM pictures
            WHERE job_id = ? AND position IN (SELECT value FROM json_each(?)) AND {IS_STORED}
              AND EXISTS (SELECT 1 FROM jobs WHERE id = job_id AND status IN ('done', 'delivered'))
            ORDER BY position DESC
            ON CONFLICT DO NOTHING""",
        (user_id, to_seconds(now), job_id, json.dumps(positions)),
    ) as cursor:
        return max(cursor.rowcount, 0)


async def give_back(connection: aiosqlite.Connection, user_id: int, job_id: int, positions: Sequence[int]) -> None:
    """The member keeps these pictures no longer."""
    await connection.execute(f"DELETE FROM kept_pictures WHERE {_OF_MEMBER}", (user_id, job_id, json.dumps(positions)))


async def count(connection: aiosqlite.Connection, user_id: int, job_id: int, positions: Sequence[int]) -> int:
    """How many of these pictures the member keeps."""
    row = await fetch_one(
        connection,
        f"SELECT count(*) FROM kept_pictures WHERE {_OF_MEMBER}",
        (user_id, job_id, json.dumps(positions)),
    )
    return int(row[0]) if row else 0
