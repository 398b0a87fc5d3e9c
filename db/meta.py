"""Single values to remember across restarts."""

from __future__ import annotations

import aiosqlite

from db.database import Database

QUEUE_STATE = "queue state"


async def recall(database: Database, key: str) -> str | None:
    row = await database.fetch_one("SELECT value FROM meta WHERE key = ?", (key,))
    return str(row["value"]) if row else None


async def remember(connection: aiosqlite.Connection, key: str, value: str) -> None:
    await connection.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )
