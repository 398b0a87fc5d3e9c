"""Which pictures are to be announced to their members, each once: the job's own column says how far that is."""

from __future__ import annotations

import aiosqlite

from db.database import Database
from db.pictures import IS_STORED
from db.rows import from_row
from domain.notices import Notice


async def fetch_open(database: Database) -> list[Notice]:
    """What is not settled, of jobs whose end was shown, oldest first."""
    rows = await database.fetch_all(
        f"""SELECT id AS job_id, user_id, guild_id, channel_id, message_id, finished_at, notice = 'begun' AS was_begun,
                   status = 'delivered' AND EXISTS (SELECT 1 FROM pictures WHERE job_id = jobs.id AND {IS_STORED})
                     AS is_shown
            FROM jobs WHERE notice IS NOT NULL AND delivered_at IS NOT NULL ORDER BY id"""
    )
    return [from_row(Notice, row) for row in rows]


async def begin(connection: aiosqlite.Connection, job_id: int) -> None:
    """From now on Discord may have the notice, whatever becomes of this process."""
    await connection.execute("UPDATE jobs SET notice = 'begun' WHERE id = ? AND notice IS NOT NULL", (job_id,))


async def settle(connection: aiosqlite.Connection, job_id: int) -> None:
    """The notice was posted, or never will be."""
    await connection.execute("UPDATE jobs SET notice = NULL WHERE id = ?", (job_id,))
