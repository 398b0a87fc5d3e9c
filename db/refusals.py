"""A member's refusals as they read them again: the decision, its appeal, its strike, and whether the request is kept.

One statement, however many there are.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import fields
from datetime import datetime

from db import guild_settings
from db.appeals import decode_grounds
from db.codec import to_datetime, to_seconds
from db.database import Database
from db.rows import from_values
from domain.cases import Case
from domain.refusals import StoredRefusal

_CASE = ", ".join(f"'{field.name}', {field.name}" for field in fields(Case))

# The times of the live strikes up to and with the one that the refusal became.
_STRUCK_AT = """
SELECT json_group_array(created_at) FROM (
    SELECT earlier.created_at FROM strikes AS own JOIN strikes AS earlier
      ON earlier.guild_id = own.guild_id AND earlier.user_id = own.user_id
     AND (earlier.created_at, earlier.id) <= (own.created_at, own.id)
    WHERE own.decision_id = decisions.id AND own.lifted_at IS NULL AND own.expires_at > :now
      AND earlier.lifted_at IS NULL AND earlier.expires_at > :now
    ORDER BY earlier.created_at, earlier.id)
"""

_SELECT = f"""
SELECT decisions.*,
    EXISTS (SELECT 1 FROM refused_requests WHERE decision_id = decisions.id) AS is_kept,
    (SELECT json_object({_CASE}) FROM cases WHERE decision_id = decisions.id AND kind = 'appeal') AS appeal,
    ({_STRUCK_AT}) AS struck_at,
    (SELECT json_group_object(name, json(value)) FROM place_settings
     WHERE place_settings.guild_id = decisions.guild_id AND place_settings.channel_id = 0) AS settings
FROM decisions
"""


async def fetch(database: Database, decision_id: int, now: datetime) -> StoredRefusal | None:
    """A refusal of anybody; None if it is not stored (any more)."""
    return await database.find_one(
        _refusal,
        f"{_SELECT} WHERE decisions.id = :decision_id",
        {"decision_id": decision_id, "now": to_seconds(now)},
    )


async def fetch_recent(
    database: Database, user_id: int, guild_id: int | None, since: datetime, limit: int, now: datetime
) -> list[StoredRefusal]:
    """What the policy refused or withheld of a member in a server (None: in direct messages), newest first."""
    rows = await database.fetch_all(
        f"""{_SELECT}
            WHERE user_id = :user_id AND guild_id IS :guild_id AND decided_at >= :since
              AND action IN ('refuse', 'withhold')
            ORDER BY decided_at DESC, id DESC LIMIT :limit""",
        {
            "user_id": user_id,
            "guild_id": guild_id,
            "since": to_seconds(since),
            "limit": limit,
            "now": to_seconds(now),
        },
    )
    return [_refusal(row) for row in rows]


def _refusal(row: sqlite3.Row) -> StoredRefusal:
    return StoredRefusal(
        grounds=decode_grounds(row),
        case=from_values(Case, json.loads(row["appeal"])) if row["appeal"] else None,
        is_kept=bool(row["is_kept"]),
        struck_at=tuple(to_datetime(moment) for moment in json.loads(row["struck_at"])),
        settings=guild_settings.decode(row["settings"]),
    )
