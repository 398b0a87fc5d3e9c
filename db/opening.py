"""Opening the bot's own database: locked against a second bot, and with ids that no earlier start gave out."""

from __future__ import annotations

import asyncio
import contextlib
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
    with DatabaseLock(path) as lock:
        async with Database(path) as database:
            try:
                await _continue_ids(database, now, is_first_start=lock.is_new)
            except (OSError, sqlite3.Error) as error:
                raise DatabaseError(explain(path, error)) from error
            try:
                yield database
            finally:
                await _note_ids(database)


async def _continue_ids(database: Database, now: datetime, *, is_first_start: bool) -> None:
    noted = await asyncio.to_thread(ids.take_note, database.path)
    if is_first_start and database.opened_schema < ids.FIRST_SCHEMA:
        return  # a new file, or an update of a bot that wrote no last ids
    async with database.transaction() as connection:
        if await ids.last_ids(connection) != noted:
            await ids.lift(connection, now)


async def _note_ids(database: Database) -> None:
    """Without a note the next start lifts the ids, so one that can't be written does no harm."""
    with contextlib.suppress(OSError, sqlite3.Error):
        async with database.transaction() as connection:
            last = await ids.last_ids(connection)
        await asyncio.to_thread(ids.write_note, database.path, last)
