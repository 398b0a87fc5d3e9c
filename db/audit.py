"""The audit log: who did what to whom and why. Rows are only ever added (a trigger sees to it)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import aiosqlite

from db.codec import to_optional_seconds, to_seconds
from db.database import Database, fetch_one
from db.rows import from_row
from domain.audit import AuditAction, AuditRow
from domain.places import EVERYWHERE


async def record(
    connection: aiosqlite.Connection,
    guild_id: int | None,
    actor_id: int | None,
    action: AuditAction,
    target: str,
    details: Mapping[str, Any],
    now: datetime,
) -> int:
    """Write one row, inside the transaction of the change it tells of, and return its id.

    `details` are JSON values without prompts or other people's words beyond the moderator's own reason. A
    `guild_id` of None is written as 0 (direct messages, everywhere).
    """
    row = await fetch_one(
        connection,
        """INSERT INTO audit (guild_id, actor_id, action, target, details, created_at)
           VALUES (?, ?, ?, ?, ?, ?) RETURNING id""",
        (
            guild_id or EVERYWHERE,
            actor_id,
            action,
            target,
            json.dumps(dict(details), ensure_ascii=False),
            to_seconds(now),
        ),
    )
    assert row is not None
    return int(row["id"])


async def record_about_job(
    connection: aiosqlite.Connection, job_id: int, actor_id: int, action: AuditAction, now: datetime
) -> None:
    """A moderator acted on a member's job."""
    row = await fetch_one(connection, "SELECT guild_id, user_id FROM jobs WHERE id = ?", (job_id,))
    if row is not None:
        await record(connection, row["guild_id"], actor_id, action, f"job:{job_id}", {"member": row["user_id"]}, now)


_FILTERS = {
    "actor_id": "actor_id = :actor_id",
    "target": "(target = :target OR json_extract(details, '$.member') = :member_id)",
    "action": "(action = :action OR substr(action, 1, length(:action) + 1) = :action || '.')",
    "since": "created_at >= :since",
}


async def search(
    database: Database,
    guild_id: int,
    *,
    actor_id: int | None = None,
    target: str | None = None,
    action: str | None = None,
    since: datetime | None = None,
    limit: int = 10_000,
) -> list[AuditRow]:
    """A server's rows, newest first. `action` matches a whole name or the part before its dot.

    `target` "member:1" also finds what was done to that member's pictures.
    """
    wanted = {"actor_id": actor_id, "target": target, "action": action, "since": to_optional_seconds(since)}
    filters = "".join(f" AND {_FILTERS[name]}" for name, value in wanted.items() if value is not None)
    rows = await database.fetch_all(
        # Only the conditions that are asked for: an index serves none that may be NULL.
        f"SELECT * FROM audit WHERE guild_id = :guild_id{filters} ORDER BY id DESC LIMIT :limit",
        {**wanted, "member_id": _member_of(target), "guild_id": guild_id, "limit": limit},
    )
    return [_row(row) for row in rows]


async def unposted(database: Database, limit: int) -> list[tuple[int, AuditRow]]:
    """Rows that their server's audit channel does not show yet, each with that channel, oldest first.

    At most `limit` of each server, so that one broken channel keeps nobody waiting, and only of servers that have one.
    CROSS JOIN: these servers first, and of each only the new rows.
    """
    rows = await database.fetch_all(
        """SELECT * FROM (
               SELECT audit.*, json_extract(chosen.value, '$') AS posted_in,
                      row_number() OVER (PARTITION BY audit.guild_id ORDER BY audit.id) AS place
               FROM place_settings AS chosen LEFT JOIN audit_posts ON audit_posts.guild_id = chosen.guild_id
               CROSS JOIN audit ON audit.guild_id = chosen.guild_id AND audit.id > coalesce(audit_posts.last_id, 0)
               WHERE chosen.channel_id = 0 AND chosen.name = 'audit_channel_id' AND chosen.value <> 'null'
           ) WHERE place <= ? ORDER BY id""",
        (limit,),
    )
    return [(int(row["posted_in"]), _row(row)) for row in rows]


async def fetch_action(database: Database, action: AuditAction, after_id: int, since: datetime) -> list[AuditRow]:
    """Rows of one action in all servers, newer than both, oldest first."""
    rows = await database.fetch_all(
        "SELECT * FROM audit WHERE action = ? AND id > ? AND created_at > ? ORDER BY id",
        (action, after_id, to_seconds(since)),
    )
    return [_row(row) for row in rows]


async def mark_posted(connection: aiosqlite.Connection, guild_id: int, last_id: int) -> None:
    """The server's audit channel shows everything up to `last_id`."""
    await connection.execute(
        """INSERT INTO audit_posts (guild_id, last_id) VALUES (?, ?)
           ON CONFLICT (guild_id) DO UPDATE SET last_id = max(last_id, excluded.last_id)""",
        (guild_id, last_id),
    )


async def skip_to_now(connection: aiosqlite.Connection, guild_id: int) -> None:
    """A newly chosen audit channel starts with what happens from here on, not with the whole past."""
    await connection.execute(
        """INSERT INTO audit_posts (guild_id, last_id) SELECT ?, coalesce(max(id), 0) FROM audit WHERE guild_id = ?
           ON CONFLICT (guild_id) DO UPDATE SET last_id = max(last_id, excluded.last_id)""",
        (guild_id, guild_id),
    )


def _member_of(target: str | None) -> int | None:
    kind, _, number = (target or "").partition(":")
    return int(number) if kind == "member" else None


def _row(row: sqlite3.Row) -> AuditRow:
    return from_row(AuditRow, row, details=json.loads(row["details"]))
