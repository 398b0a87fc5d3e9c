"""What members chose for themselves. One row for each value that was changed."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import aiosqlite

from db.database import Database
from domain.settings import MemberSettings


async def load(database: Database, user_id: int) -> MemberSettings:
    """The member's settings, as last committed."""
    rows = await database.fetch_all("SELECT name, value FROM member_settings WHERE user_id = ?", (user_id,))
    known = {field.name for field in fields(MemberSettings)}
    return MemberSettings(**{row["name"]: json.loads(row["value"]) for row in rows if row["name"] in known})


async def change(connection: aiosqlite.Connection, user_id: int, **values: Any) -> None:
    """Set some of the member's values."""
    await connection.executemany(
        """INSERT INTO member_settings (user_id, name, value) VALUES (?, ?, ?)
           ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value""",
        [(user_id, name, json.dumps(value)) for name, value in values.items()],
    )
