"""The main SQLite file: opening it, migrating it, and the only way to write to it. Pictures lie in files beside it.

Why several connections: tasks on one connection share its transaction, so a reader would see (and a failing writer
would undo) somebody else's half-done work. Writers take the lock and `BEGIN IMMEDIATE`; readers see committed rows
only, and there are several of them, so that a slow read keeps nobody waiting.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosqlite

from db import auto_vacuum, picture_folder
from db.connections import BUSY_MILLISECONDS, closed_on_failure, connect, transaction
from db.picture_files import PictureFiles
from db.problems import DatabaseError, explain

SCHEMA = Path(__file__).parent / "schema"

# How many slow reads may run beside a quick one.
READERS = 4
SCRUB_TRIES, SCRUB_PAUSE_SECONDS = 100, 0.05

Kind = TypeVar("Kind")
Parameters = Mapping[str, Any] | Iterable[Any]


class Database:
    """The open file. Use as `async with Database(path) as database`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # The schema that the file had when it was opened; 0: a new file.
        self.opened_schema = 0
        # Where the pictures are; the folder is known once the file is open.
        self.pictures = PictureFiles(picture_folder.shared_folder(path))
        self._lock = asyncio.Lock()
        self._writer: aiosqlite.Connection | None = None
        self._readers: list[aiosqlite.Connection] = []
        # Last in, first out: the reader that was used last has the warmest cache.
        self._idle: asyncio.LifoQueue[aiosqlite.Connection] = asyncio.LifoQueue()

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except (OSError, sqlite3.Error) as error:
            await self.close()
            raise DatabaseError(explain(self.path, error)) from error
        except BaseException:
            await self.close()
            raise
        return self

    async def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        picture_folder.require_no_restore(self.path)
        self._writer = await _connect(self.path)
        row = await fetch_one(self._writer, "PRAGMA user_version")
        self.opened_schema = int(row[0]) if row else 0
        await migrate(self._writer)
        await prove_writable(self._writer)
        await auto_vacuum.enable(self._writer, self.path)
        owner = await fetch_one(self._writer, picture_folder.SELECT_OWNER)
        assert owner is not None
        folder = await asyncio.to_thread(picture_folder.claim, self.path, str(owner["owner"]))
        last = await fetch_one(self._writer, "SELECT seq FROM sqlite_sequence WHERE name = 'jobs'")
        await asyncio.to_thread(picture_folder.note_if_older, folder, int(last["seq"]) if last else 0)
        self.pictures = PictureFiles(folder)
        for _ in range(READERS):
            reader = await _connect(self.path)
            self._readers.append(reader)
            self._idle.put_nowait(reader)

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; safe to call twice."""
        connections = [*self._readers, *([self._writer] if self._writer else [])]
        self._readers, self._writer, self._idle = [], None, asyncio.LifoQueue()
        for connection in connections:
            await connection.close()
        await self.pictures.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[aiosqlite.Connection]:
        """All or nothing: commits at the end of the block, rolls back if it raises or is cancelled."""
        if self._writer is None:
            raise DatabaseError("The database is closed.")
        async with self._lock, transaction(self._writer):
            yield self._writer

    async def scrub(self) -> bool:
        """Empty the write-ahead log, which still holds what was erased since the last checkpoint.

        Readers may be in its way; it is tried again between other people's writes. False if it was not emptied.
        """
        if self._writer is None:
            raise DatabaseError("The database is closed.")
        # Most of the work beside the writers; what is left for the lock is short.
        await self.fetch_all("PRAGMA wal_checkpoint(PASSIVE)")
        for _ in range(SCRUB_TRIES):
            async with self._lock:
                if await _truncate_log(self._writer):
                    return True
            await asyncio.sleep(SCRUB_PAUSE_SECONDS)
        return False

    async def fetch_schema_version(self) -> int:
        """The number of the newest migration that the file has."""
        row = await self.fetch_one("PRAGMA user_version")
        return int(row[0]) if row else 0

    async def fetch_all(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """Rows of a read-only query, as they were last committed."""
        if not self._readers:
            raise DatabaseError("The database is closed.")
        idle = self._idle
        reader = await idle.get()
        try:
            return list(await reader.execute_fetchall(sql, parameters))  # pyright: ignore[reportArgumentType]
        finally:
            idle.put_nowait(reader)

    async def fetch_one(self, sql: str, parameters: Parameters = ()) -> sqlite3.Row | None:
        rows = await self.fetch_all(sql, parameters)
        return rows[0] if rows else None

    async def find_one(self, decode: Callable[[sqlite3.Row], Kind], sql: str, parameters: Parameters) -> Kind | None:
        """The first row, decoded; None if there is none."""
        row = await self.fetch_one(sql, parameters)
        return None if row is None else decode(row)


async def fetch_one(connection: aiosqlite.Connection, sql: str, parameters: Parameters = ()) -> sqlite3.Row | None:
    """The first row of a statement inside a transaction, run to its end (so that RETURNING writes everything)."""
    rows = list(await connection.execute_fetchall(sql, parameters))  # pyright: ignore[reportArgumentType]
    return rows[0] if rows else None


async def _truncate_log(writer: aiosqlite.Connection) -> bool:
    """Try once, without waiting for readers under the lock."""
    await writer.execute("PRAGMA busy_timeout = 0")
    try:
        row = await fetch_one(writer, "PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        await writer.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    return row is not None and row[0] == 0


async def _connect(path: Path) -> aiosqlite.Connection:
    connection = await connect(path, auto_vacuum="INCREMENTAL")
    async with closed_on_failure(connection):
        connection.row_factory = sqlite3.Row
        await connection.execute("PRAGMA foreign_keys = ON")
        # Without it INSERT OR REPLACE deletes rows that a trigger protects.
        await connection.execute("PRAGMA recursive_triggers = ON")
    return connection


async def prove_writable(connection: aiosqlite.Connection) -> None:
    """Write the first page as it is: a full disk or a read-only file shows now, not with a member's job."""
    row = await fetch_one(connection, "PRAGMA user_version")
    version = int(row[0]) if row else 0
    async with transaction(connection):
        await connection.execute(f"PRAGMA user_version = {version}")


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
