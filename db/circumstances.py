"""What decides about a request, in one statement: a request is judged by one state of the database, read once."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime

from db import blocks, guild_settings
from db.codec import to_datetime, to_seconds
from db.database import Database
from db.meta import QUEUE_STATE
from domain.circumstances import Circumstances
from domain.queue import QueueState
from domain.quotas import Asker

_SELECT = f"""
SELECT
    (SELECT json_group_object(name, json(value)) FROM place_settings
     WHERE guild_id = :guild_id AND channel_id = 0) AS settings,
    (SELECT json_group_object(name, json(value)) FROM place_settings
     WHERE guild_id = :guild_id AND guild_id <> 0 AND channel_id = :channel_id) AS channel,
    EXISTS (SELECT 1 FROM agreements WHERE user_id = :user_id AND terms_version = :terms_version) AS has_agreed,
    (SELECT value FROM meta WHERE key = :queue_state) AS queue_state,
    (SELECT json_group_array(created_at) FROM (
        SELECT created_at FROM strikes
        WHERE guild_id = :guild_id AND user_id = :user_id AND lifted_at IS NULL AND expires_at > :now
        ORDER BY created_at, id)) AS struck_at,
    (SELECT json_group_array(value) FROM allowances
     WHERE guild_id = :guild_id AND guild_id <> 0 AND kind = 'phrase' AND revoked_at IS NULL) AS phrases,
    (SELECT json_group_array(value) FROM allowances
     WHERE guild_id = :guild_id AND guild_id <> 0 AND user_id = :user_id AND kind = 'once' AND revoked_at IS NULL
       AND used_at IS NULL) AS once,
    block.*
FROM (SELECT 1) LEFT JOIN ({blocks.FIND}) AS block
"""


async def fetch(database: Database, asker: Asker, terms_version: str, now: datetime) -> Circumstances:
    """What holds for this member in this channel now."""
    row = await database.fetch_one(
        _SELECT,
        {
            "user_id": asker.user_id,
            "guild_id": asker.guild_id,
            "channel_id": asker.channel_id,
            "terms_version": terms_version,
            "queue_state": QUEUE_STATE,
            "now": to_seconds(now),
        },
    )
    if row is None:
        raise LookupError("a SELECT without FROM returned no row")
    return _circumstances(row)


def _circumstances(row: sqlite3.Row) -> Circumstances:
    return Circumstances(
        settings=guild_settings.decode(row["settings"]),
        channel=guild_settings.decode_channel(row["channel"]),
        has_agreed=bool(row["has_agreed"]),
        queue_state=QueueState(row["queue_state"] or QueueState.OPEN),
        block=blocks.decode(row) if row["reason"] is not None else None,
        struck_at=tuple(to_datetime(moment) for moment in json.loads(row["struck_at"])),
        phrases=frozenset(json.loads(row["phrases"])),
        once=frozenset(json.loads(row["once"])),
    )
