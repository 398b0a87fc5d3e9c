"""Opening the bot's own database: locked against a second bot, and with ids that no earlier start gave out."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from db import ids
from db.database import Database, DatabaseError
from db.lock import DatabaseLock
from db.problems import explain


@asynccontextmanager
async def opened_alone(path: Path, now: datetime) -> AsyncGenerator[Database]:
    """The database, for this process alone until the block ends. Raises DatabaseError."""
    with DatabaseLock(path):
        async with Database(path) as database:
            try:
                async with database.transaction() as connection:
                    await ids.lift(connection, now)
            except sqlite3.Error as error:
                raise DatabaseError(explain(path, error)) from error
            yield database
