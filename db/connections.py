"""A connection to one of the bot's SQLite files, the main one or a month's pictures, and a transaction on it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite

BUSY_MILLISECONDS = 5000


async def connect(path: Path, *, auto_vacuum: str) -> aiosqlite.Connection:
    """Open the file, or make it. `auto_vacuum` (FULL or INCREMENTAL) takes effect in a new one, before its first table.

    What is erased must make the file smaller, and must not lie in its free pages.
    """
    connection = await aiosqlite.connect(path, isolation_level=None)
    async with closed_on_failure(connection):
        # Fetched to the end: a statement that still has a row to give keeps a later commit from happening.
        await connection.execute_fetchall(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        await connection.execute_fetchall(f"PRAGMA auto_vacuum = {auto_vacuum}")
        # Readers, a backup among them, go on while somebody writes.
        await connection.execute_fetchall("PRAGMA journal_mode = WAL")
        # NORMAL may lose the last commits of a power cut; an accepted job, or a picture that a row names, must not be.
        await connection.execute_fetchall("PRAGMA synchronous = FULL")
        await connection.execute_fetchall("PRAGMA secure_delete = ON")
    return connection


@asynccontextmanager
async def closed_on_failure(connection: aiosqlite.Connection) -> AsyncGenerator[None]:
    """While a connection is prepared: what fails, or is cancelled, leaves no file open."""
    try:
        yield
    except BaseException:
        await connection.close()
        raise


@asynccontextmanager
async def transaction(connection: aiosqlite.Connection) -> AsyncGenerator[None]:
    """All or nothing: commits at the end of the block, rolls back if that or the block raises or is cancelled."""
    try:
        # Inside the try: a task that is cancelled while it begins must not leave a transaction open.
        await connection.execute("BEGIN IMMEDIATE")
        yield
        await connection.commit()
    except BaseException:
        await connection.rollback()
        raise
