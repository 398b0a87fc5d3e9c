"""Requests that were not accepted, kept for a day so that their members can change them and send them again."""

from __future__ import annotations

from datetime import datetime, timedelta

import aiosqlite

from db.codec import decode_origin, decode_request, encode_origin, encode_request, to_seconds
from db.database import Database, fetch_one
from domain import Origin, Request

DRAFTS_KEPT = timedelta(days=1)
# Each may hold a start picture and a mask, so somebody who tries again and again must not fill the disk.
MAX_DRAFTS = 3


async def keep(connection: aiosqlite.Connection, request: Request, settings: str, origin: Origin, now: datetime) -> int:
    """Keep a request with its line of settings; the member's oldest ones make room. Its id."""
    row = await fetch_one(
        connection,
        """INSERT INTO drafts (user_id, request, settings, origin, init_image, mask_image, created_at)
           VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id""",
        (
            origin.user_id,
            encode_request(request),
            settings,
            encode_origin(origin),
            request.init_image,
            request.mask_image,
            to_seconds(now),
        ),
    )
    assert row is not None
    await connection.execute(
        """DELETE FROM drafts WHERE user_id = :user_id AND id NOT IN
             (SELECT id FROM drafts WHERE user_id = :user_id ORDER BY id DESC LIMIT :most)""",
        {"user_id": origin.user_id, "most": MAX_DRAFTS},
    )
    return int(row["id"])


async def fetch(database: Database, draft_id: int) -> tuple[Request, str, Origin] | None:
    """The request, its line of settings, and who asked where."""
    row = await database.fetch_one("SELECT * FROM drafts WHERE id = ?", (draft_id,))
    if row is None:
        return None
    request = decode_request(row["request"], row["init_image"], row["mask_image"])
    return request, row["settings"], decode_origin(row["origin"])
