"""One SQLite file: opening it, migrating it, and the only way to write to it.

Why two connections: tasks on one connection share its transaction, so a reader would see (and a failing writer would
undo) somebody else's half-done work. Writers take the lock and `BEGIN IMMEDIATE`; readers see committed rows only.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiosqlite

SCHEMA = Path(__file__).parent / "schema"

Parameters = Mapping[str, Any] | Iterable[Any]


class DatabaseError(Exception):
    """The database file can't be used; the text says why and what to do."""


class Database:
    """The open file. Use as `async with Database(path) as database`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = asyncio.Lock()
        self._writer: aiosqlite.Connection | None = None
        self._reader: aiosqlite.Connection | None = None

    async def __aenter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = await _connect(self.path)
            await migrate(self._writer)
            self._reader = await _connect(self.path)
        except (OSError, sqlite3.Error) as error:
            await self.close()
            raise DatabaseError(
                f"The database {self.path} can't be opened ({error}). "
                "Check that DATABASE names a readable and writable SQLite file in a writable folder."
            ) from error
        except DatabaseError:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close both connections; safe to call twice."""
        for connection in (self._reader, self._writer):
            if connection is not None:
                await connection.close()
        self._reader = self._writer = None

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[aiosqlite.Connection]:
        """All or nothing: commits at the end of the block, rolls back if it raises or is cancelled."""
        if self._writer is None:
            raise DatabaseError("The database is closed.")
        async with self._lock:
            writer = self._writer
            try:
                # Inside the try: a task that is cancelled while it begins must not leave a transaction open.
                await writer.execute("BEGIN IMMEDIATE")
                yield writer
            except BaseException:
                await writer.rollback()
                raise
            await writer.commit()

    async def scrub(self) -> None:
        """Empty the write-ahead log, which still holds what was erased since the last checkpoint."""
        if self._writer is None:
            raise DatabaseError("The database is closed.")
        async with self._lock:
            await self._writer.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")

    async def fetch_schema_version(self) -> int:
        """The number of the newest migration that the file has."""
        row = await self.fetch_one("PRAGMA user_version")
        return int(row[0]) if row else 0

    async def fetch_all(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """Rows of a read-only query, as they were last committed."""
        if self._reader is None:
            raise DatabaseError("The database is closed.")
        return list(await self._reader.execute_fetchall(sql, parameters))  # pyright: ignore[reportArgumentType]

    async def fetch_one(self, sql: str, parameters: Parameters = ()) -> sqlite3.Row | None:
        rows = await self.fetch_all(sql, parameters)
        return rows[0] if rows else None


async def fetch_one(connection: aiosqlite.Connection, sql: str, parameters: Parameters = ()) -> sqlite3.Row | None:
    """The first row of a statement inside a transaction, run to its end (so that RETURNING writes everything)."""
    rows = list(await connection.execute_fetchall(sql, parameters))  # pyright: ignore[reportArgumentType]
    return rows[0] if rows else None


async def _connect(path: Path) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path, isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        await connection.execute("PRAGMA busy_timeout = 5000")
        await connection.execute("PRAGMA journal_mode = WAL")
        # NORMAL may lose the last commits of a power cut; an accepted job must not be lost.
        await connection.execute("PRAGMA synchronous = FULL")
        await connection.execute("PRAGMA foreign_keys = ON")
        # What members erase must not lie in the file's free pages.
        await connection.execute("PRAGMA secure_delete = ON")
    except BaseException:
        await connection.close()
        raise
    return connection


async def migrate(connection: aiosqlite.Connection, schema: Path = SCHEMA) -> int:
    """Bring the file to the newest schema and return its version.

    Each `NNNN_name.sql` runs in one script together with its version number, so a failing one leaves no trace
    (a separate `executescript` would commit what is open).
    """
    row = await fetch_one(connection, "PRAGMA user_version")
    version = int(row[0]) if row else 0
    scripts = await asyncio.to_thread(_read_scripts, schema)
    if version > len(scripts):
        raise DatabaseError(
            f"The database was written by a newer version of the bot "
            f"(schema {version}, this one knows {len(scripts)}). "
            "Update the bot, or name another file in DATABASE."
        )
    for number, sql in enumerate(scripts[version:], start=version + 1):
        await _apply(connection, number, sql)
    return len(scripts)


def _read_scripts(schema: Path) -> list[str]:
    return [script.read_text(encoding="utf-8") for script in sorted(schema.glob("*.sql"))]


async def _apply(connection: aiosqlite.Connection, number: int, sql: str) -> None:
    try:
        await connection.executescript(f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;")
    except BaseException:
        await connection.rollback()
        raise
