"""What moderators allowed after an appeal: one member's request once, or a phrase in their server from now on.

Whether a decision may be lifted at all is the policy's to say (`engine.policy`); these are only the rows.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime

import aiosqlite

from db.codec import to_seconds
from db.database import Database, fetch_one
from db.rows import from_row
from domain.allowances import AllowedPhrase


async def allow(
    connection: aiosqlite.Connection,
    guild_id: int,
    value: str,
    granted_by: int,
    now: datetime,
    *,
    user_id: int | None = None,
    case_id: int | None = None,
) -> None:
    """Allow a member the request whose `prompt_hash` is `value`, once; or without a member, a phrase to everyone."""
    await connection.execute(
        """INSERT INTO allowances (guild_id, kind, value, user_id, case_id, granted_by, granted_at)
           VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (guild_id, "phrase" if user_id is None else "once", value, user_id, case_id, granted_by, to_seconds(now)),
    )


async def revoke(connection: aiosqlite.Connection, guild_id: int, phrase: str, now: datetime) -> bool:
    """The phrase counts again; False if it was not allowed."""
    row = await fetch_one(
        connection,
        """UPDATE allowances SET revoked_at = ?
           WHERE guild_id = ? AND kind = 'phrase' AND value = ? AND revoked_at IS NULL RETURNING id""",
        (to_seconds(now), guild_id, phrase),
    )
    return row is not None


async def fetch_phrases(database: Database, guild_id: int) -> list[AllowedPhrase]:
    rows = await database.fetch_all(
        "SELECT * FROM allowances WHERE guild_id = ? AND kind = 'phrase' AND revoked_at IS NULL ORDER BY value, id",
        (guild_id,),
    )
    return [_phrase(row) for row in rows]


async def fetch_once(database: Database, guild_id: int, user_id: int, job_id: int | None = None) -> frozenset[str]:
    """The member's unused "allow once" hashes, or the ones that `job_id` has used."""
    rows = await database.fetch_all(
        """SELECT value FROM allowances
           WHERE guild_id = :guild_id AND user_id = :user_id AND kind = 'once' AND revoked_at IS NULL
             AND CASE WHEN :job_id IS NULL THEN used_at IS NULL ELSE job_id = :job_id END""",
        {"guild_id": guild_id, "user_id": user_id, "job_id": job_id},
    )
    return frozenset(str(row["value"]) for row in rows)


async def take_once(
    connection: aiosqlite.Connection, guild_id: int, user_id: int, prompt_hash: str, job_id: int, now: datetime
) -> bool:
    """Use one permission for `job_id`; False if another job was faster."""
    row = await fetch_one(
        connection,
        """UPDATE allowances SET used_at = :now, job_id = :job_id
           WHERE id = (SELECT id FROM allowances
                       WHERE guild_id = :guild_id AND user_id = :user_id AND kind = 'once' AND value = :value
                         AND used_at IS NULL AND revoked_at IS NULL ORDER BY id LIMIT 1)
           RETURNING id""",
        {"now": to_seconds(now), "job_id": job_id, "guild_id": guild_id, "user_id": user_id, "value": prompt_hash},
    )
    return row is not None


def _phrase(row: sqlite3.Row) -> AllowedPhrase:
    return from_row(AllowedPhrase, row, phrase=row["value"])
