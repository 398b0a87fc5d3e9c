"""Who may not paint: a member in one server, or, by the bot's owner, a member or a whole server everywhere."""

from __future__ import annotations

import sqlite3
from datetime import datetime

import aiosqlite

from db import audit
from db.codec import to_optional_seconds, to_seconds
from db.database import Database, fetch_one
from db.quota_sql import BLOCK_HOLDS
from db.rows import from_row
from domain.audit import AuditAction
from domain.blocks import Block


async def add(
    connection: aiosqlite.Connection,
    guild_id: int,
    user_id: int,
    actor_id: int,
    now: datetime,
    *,
    reason: str,
    expires_at: datetime | None = None,
) -> None:
    """Block, or change the reason and end of a block. Writes the audit row."""
    end = to_optional_seconds(expires_at)
    await connection.execute(
        """INSERT INTO blocks (guild_id, user_id, reason, actor_id, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET reason = excluded.reason, actor_id = excluded.actor_id,
                                     created_at = excluded.created_at, expires_at = excluded.expires_at""",
        (guild_id, user_id, reason, actor_id, to_seconds(now), end),
    )
    details = {"reason": reason} if end is None else {"reason": reason, "expires_at": end}
    await audit.record(connection, guild_id, actor_id, AuditAction.BLOCK_ADD, _target(user_id), details, now)


async def lift(
    connection: aiosqlite.Connection, guild_id: int, user_id: int, actor_id: int, now: datetime, *, reason: str = ""
) -> bool:
    """Unblock; False if there was no block in force. Writes the audit row."""
    row = await fetch_one(
        connection,
        """DELETE FROM blocks WHERE guild_id = ? AND user_id = ? AND (expires_at IS NULL OR expires_at > ?)
           RETURNING user_id""",
        (guild_id, user_id, to_seconds(now)),
    )
    if row is None:
        return False
    await audit.record(
        connection, guild_id, actor_id, AuditAction.BLOCK_LIFT, _target(user_id), {"reason": reason}, now
    )
    return True


# The longest block if there are several.
FIND = f"SELECT * FROM blocks WHERE {BLOCK_HOLDS} ORDER BY coalesce(expires_at, 9e99) DESC LIMIT 1"


async def fetch_all(database: Database, guild_id: int, now: datetime) -> list[Block]:
    """A server's blocks in force (0: those that hold everywhere), newest first."""
    rows = await database.fetch_all(
        """SELECT * FROM blocks WHERE guild_id = ? AND (expires_at IS NULL OR expires_at > ?)
           ORDER BY created_at DESC""",
        (guild_id, to_seconds(now)),
    )
    return [decode(row) for row in rows]


def _target(user_id: int) -> str:
    return f"member:{user_id}" if user_id else "server"


def decode(row: sqlite3.Row) -> Block:
    return from_row(Block, row)
