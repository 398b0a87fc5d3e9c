"""Stars on pictures, and the pictures that earned a place on their server's starboard, each once."""

from __future__ import annotations

import sqlite3
from datetime import datetime

import aiosqlite

from db.codec import to_seconds
from db.database import Database, fetch_one
from db.rows import from_row
from domain.starboard import Starboard, Starred


async def save(
    connection: aiosqlite.Connection, guild_id: int, channel_id: int, threshold: int, actor_id: int, now: datetime
) -> None:
    await connection.execute(
        """INSERT INTO starboards (guild_id, channel_id, threshold, set_by, set_at) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (guild_id) DO UPDATE SET channel_id = excluded.channel_id, threshold = excluded.threshold,
                                                set_by = excluded.set_by, set_at = excluded.set_at""",
        (guild_id, channel_id, threshold, actor_id, to_seconds(now)),
    )


async def remove(connection: aiosqlite.Connection, guild_id: int) -> bool:
    row = await fetch_one(connection, "DELETE FROM starboards WHERE guild_id = ? RETURNING 1", (guild_id,))
    return row is not None


async def fetch(database: Database, guild_id: int) -> Starboard | None:
    row = await database.fetch_one("SELECT * FROM starboards WHERE guild_id = ?", (guild_id,))
    return from_row(Starboard, row) if row else None


async def add_star(connection: aiosqlite.Connection, job_id: int, user_id: int, now: datetime) -> bool:
    """Count a star (a member's own picture gets none from them); True if the picture now goes to the starboard.

    Counting and claiming happen in the caller's transaction, so two last stars at once post one picture.
    """
    await connection.execute(
        """INSERT INTO stars (job_id, user_id) SELECT id, :user_id FROM jobs WHERE id = :job_id AND user_id != :user_id
           ON CONFLICT DO NOTHING""",
        {"job_id": job_id, "user_id": user_id},
    )
    row = await fetch_one(
        connection,
        """INSERT INTO starred (job_id, guild_id, channel_id, reached_at)
           SELECT jobs.id, starboards.guild_id, starboards.channel_id, :now
           FROM jobs JOIN starboards ON starboards.guild_id = jobs.guild_id
           WHERE jobs.id = :job_id AND jobs.status = 'delivered'
             AND (SELECT count(*) FROM stars WHERE job_id = :job_id) >= starboards.threshold
           ON CONFLICT DO NOTHING RETURNING job_id""",
        {"job_id": job_id, "now": to_seconds(now)},
    )
    return row is not None


async def take_star(connection: aiosqlite.Connection, job_id: int, user_id: int) -> None:
    """The member took the star back; what is on the starboard stays there."""
    await connection.execute("DELETE FROM stars WHERE job_id = ? AND user_id = ?", (job_id, user_id))


async def count(database: Database, job_id: int) -> int:
    row = await database.fetch_one("SELECT count(*) FROM stars WHERE job_id = ?", (job_id,))
    return int(row[0]) if row else 0


async def fetch_copies(database: Database, job_id: int) -> set[tuple[int, int]]:
    """(channel, message) of the job on the starboard."""
    rows = await database.fetch_all(
        "SELECT channel_id, message_id FROM starred WHERE job_id = ? AND message_id IS NOT NULL", (job_id,)
    )
    return {(row["channel_id"], row["message_id"]) for row in rows}


async def fetch_unposted(database: Database) -> list[Starred]:
    rows = await database.fetch_all("SELECT * FROM starred WHERE NOT is_closed ORDER BY reached_at, job_id")
    return [_starred(row) for row in rows]


async def close(connection: aiosqlite.Connection, job_id: int, message_id: int | None) -> None:
    """The picture was posted, or (None) never will be."""
    await connection.execute("UPDATE starred SET is_closed = 1, message_id = ? WHERE job_id = ?", (message_id, job_id))


def _starred(row: sqlite3.Row) -> Starred:
    return from_row(Starred, row)
