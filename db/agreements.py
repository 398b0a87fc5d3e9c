"""Who agreed to which terms and when, and the requests that wait for an agreement."""

from __future__ import annotations

from datetime import datetime, timedelta

import aiosqlite

from db.codec import decode_origin, decode_request, encode_origin, encode_request, to_seconds
from db.database import Database, fetch_one
from domain import Origin, Request

# How long a request waits for its member's agreement.
PENDING_KEPT = timedelta(days=1)


async def agree(connection: aiosqlite.Connection, user_id: int, terms_version: str, now: datetime) -> None:
    """Record a member's agreement; a repeated one keeps its first time."""
    await connection.execute(
        "INSERT INTO agreements (user_id, terms_version, agreed_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (user_id, terms_version, to_seconds(now)),
    )


async def has_agreed(database: Database, user_id: int, terms_version: str) -> bool:
    row = await database.fetch_one(
        "SELECT 1 FROM agreements WHERE user_id = ? AND terms_version = ?", (user_id, terms_version)
    )
    return row is not None


async def agree_for_guild(
    connection: aiosqlite.Connection, guild_id: int, user_id: int, terms_version: str, now: datetime
) -> None:
    """Record that somebody who runs the server agreed for it."""
    await connection.execute(
        """INSERT INTO guild_agreements (guild_id, terms_version, user_id, agreed_at) VALUES (?, ?, ?, ?)
           ON CONFLICT DO NOTHING""",
        (guild_id, terms_version, user_id, to_seconds(now)),
    )


async def keep_request(connection: aiosqlite.Connection, request: Request, origin: Origin, now: datetime) -> int:
    """Keep a request until its member has agreed; also forgets those that nobody came back for within a day."""
    await connection.execute("DELETE FROM pending_requests WHERE created_at < ?", (to_seconds(now - PENDING_KEPT),))
    row = await fetch_one(
        connection,
        """INSERT INTO pending_requests (user_id, request, origin, init_image, mask_image, created_at)
           VALUES (?, ?, ?, ?, ?, ?) RETURNING id""",
        (
            origin.user_id,
            encode_request(request),
            encode_origin(origin),
            request.init_image,
            request.mask_image,
            to_seconds(now),
        ),
    )
    assert row is not None
    return int(row["id"])


async def take_request(
    connection: aiosqlite.Connection, pending_id: int, user_id: int
) -> tuple[Request, Origin] | None:
    """Hand a kept request out, once and to its own member only."""
    row = await fetch_one(
        connection, "DELETE FROM pending_requests WHERE id = ? AND user_id = ? RETURNING *", (pending_id, user_id)
    )
    if row is None:
        return None
    request = decode_request(row["request"], row["init_image"], row["mask_image"])
    return request, decode_origin(row["origin"])


async def fetch_owner(database: Database, pending_id: int) -> int | None:
    """Whose kept request this is; None if it is gone."""
    row = await database.fetch_one("SELECT user_id FROM pending_requests WHERE id = ?", (pending_id,))
    return int(row["user_id"]) if row else None
