"""Pictures in SQLite files of their own, one a month, beside the main file.

The order makes it safe to stop anywhere: a blob is committed before the row that names it, and deleted after the
commit in which its row let go of it. What a stop leaves over is a blob without a row, and db/picture_sweep.py deletes
it. Keys are random and never used twice, so that a row can't name another picture's blob, whichever files are restored.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiosqlite

from db.connections import closed_on_failure, connect, transaction
from db.copies import copy
from db.files import sync_folder
from db.picture_folder import find_months, older_in_words
from db.problems import DatabaseError, explain

log = logging.getLogger(__name__)

# Each open file has a thread; what is painted and shown is nearly always of one month or two.
MAX_OPEN = 3


# `newest` says up to which job the database must know its pictures (db/picture_folder.py).
_SCHEMA = """
CREATE TABLE IF NOT EXISTS blobs (key INTEGER PRIMARY KEY, png BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS newest (id INTEGER PRIMARY KEY CHECK (id = 1), job_id INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO newest (id, job_id) VALUES (1, 0);
"""


@dataclass(frozen=True, slots=True)
class BlobPlace:
    """Where a picture's bytes are: the month's file and the key in it."""

    month: str
    key: int


def month_of(moment: datetime) -> str:
    """The month (UTC) in whose file a picture of this moment is written: '2026-11'."""
    return f"{moment.astimezone(UTC):%Y-%m}"


class PictureFiles:
    """The month files of one database. A file is opened when it is needed, and few are open at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Why nothing is taken for left over; None in a folder whose database knows everything in it.
        self.kept_because = older_in_words(folder)
        # Months whose file may hold blobs that no row names: a stop of the process or a failed write left them.
        self.unswept = set(find_months(folder))
        self._open: dict[str, aiosqlite.Connection] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        # Blobs that are written and whose row is not: no sweep may take them for left over.
        self._held: set[BlobPlace] = set()
        self._deleting = asyncio.Lock()
        # Whether a backup is being made: what is erased now is deleted after it.
        self.is_being_copied = False

    def path_of(self, month: str) -> Path:
        return self.folder / f"{month}.sqlite3"

    async def close(self) -> None:
        """Close what is open; safe to call twice."""
        for month in list(self._open):
            async with self._locks[month]:
                await self._close_one(month)

    # ---- writing and reading ---------------------------------------------------------------------------------------

    async def write(self, month: str, pngs: Sequence[bytes], job_id: int = 0) -> list[BlobPlace]:
        """Store a job's pictures, all or none; they are held until `release`. Raises DatabaseError."""
        places = [BlobPlace(month, secrets.randbits(63)) for _ in pngs]
        self._held.update(places)
        try:
            async with self._using(month, create=True) as connection:
                assert connection is not None
                async with transaction(connection):
                    rows = [(place.key, png) for place, png in zip(places, pngs, strict=True)]
                    await connection.executemany("INSERT INTO blobs (key, png) VALUES (?, ?)", rows)
                    await connection.execute("UPDATE newest SET job_id = ? WHERE job_id < ?", (job_id, job_id))
        except BaseException:
            # Whether a commit that failed is in the file after all, only a sweep can say.
            self.unswept.add(month)
            self.release(places)
            raise
        return places

    def release(self, places: Iterable[BlobPlace]) -> None:
        """From now on the rows say whether these are needed."""
        self._held.difference_update(places)

    def is_held(self, place: BlobPlace) -> bool:
        """Whether the blob waits for its row."""
        return place in self._held

    async def read(self, places: Iterable[BlobPlace]) -> dict[BlobPlace, bytes]:
        """The pictures that are there. Raises DatabaseError if a file can't be read."""
        keys: defaultdict[str, list[int]] = defaultdict(list)
        for place in places:
            keys[place.month].append(place.key)
        found: dict[BlobPlace, bytes] = {}
        for month, wanted in keys.items():
            async with self._using(month) as connection:
                if connection is None:
                    continue
                for key in wanted:
                    rows = await connection.execute_fetchall("SELECT png FROM blobs WHERE key = ?", (key,))
                    found.update({BlobPlace(month, key): row[0] for row in rows})
        return found

    async def list_keys(self, month: str, after: int, limit: int) -> list[int]:
        """The next keys in the month's file that are larger than `after`."""
        async with self._using(month) as connection:
            if connection is None:
                return []
            rows = await connection.execute_fetchall(
                "SELECT key FROM blobs WHERE key > ? ORDER BY key LIMIT ?", (after, limit)
            )
            return [int(row[0]) for row in rows]

    # ---- deleting --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def undisturbed(self) -> AsyncGenerator[None]:
        """Nothing is deleted within the block: a backup copies the rows first and then what they name."""
        async with self._deleting:
            self.is_being_copied = True
            try:
                yield
            finally:
                self.is_being_copied = False

    async def delete(self, month: str, keys: Sequence[int]) -> None:
        """Delete blobs that no row names so that no byte of them is in the files. Raises DatabaseError."""
        async with self._deleting, self._using(month) as connection:
            if connection is None:
                return
            async with transaction(connection):
                await connection.executemany("DELETE FROM blobs WHERE key = ?", [(key,) for key in keys])
            # The log still holds the pages as they were.
            rows = list(await connection.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)"))
            if rows[0][0]:
                raise DatabaseError(f"{self.path_of(month)} is being read by another program. Close it.")

    async def drop(self, month: str, is_unnamed: Callable[[], Awaitable[bool]]) -> bool:
        """Remove the month's file as a whole if `is_unnamed()` says that no row names it; whether it is gone."""
        async with self._deleting, self._locks[month]:
            if any(place.month == month for place in self._held) or not await is_unnamed():
                return False
            await self._close_one(month)
            path = self.path_of(month)
            try:
                await asyncio.to_thread(_remove, path)
            except OSError as error:
                raise DatabaseError(f"The pictures {path} can't be removed ({error}).") from error
        return True

    # ---- open files ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _using(self, month: str, *, create: bool = False) -> AsyncGenerator[aiosqlite.Connection | None]:
        """The month's file, for this task alone; None if there is none. SQLite's errors become DatabaseErrors."""
        async with self._locks[month]:
            try:
                yield await self._connection(month, create=create)
            except (OSError, sqlite3.Error) as error:
                # The next attempt starts with a new connection: a deleted or exchanged file is noticed.
                await self._close_one(month)
                raise DatabaseError(explain(self.path_of(month), error)) from error

    async def _connection(self, month: str, *, create: bool) -> aiosqlite.Connection | None:
        connection = self._open.pop(month, None)
        if connection is None:
            path = self.path_of(month)
            if not create and not await asyncio.to_thread(path.exists):
                return None
            await self._make_room()
            await asyncio.to_thread(_prepare, path)
            connection = await _connect(path)
        self._open[month] = connection  # the one that was used last is last
        return connection

    async def _make_room(self) -> None:
        """Close what was not used for longest; a file that is in use may be one too many for a moment."""
        idle = [month for month in self._open if not self._locks[month].locked()]
        for month in idle[: max(len(self._open) - MAX_OPEN + 1, 0)]:
            if not self._locks[month].locked():  # waiting for one file while holding another could have no end
                async with self._locks[month]:
                    await self._close_one(month)

    async def _close_one(self, month: str) -> None:
        connection = self._open.pop(month, None)
        if connection is not None:
            await connection.close()


async def _connect(path: Path) -> aiosqlite.Connection:
    connection = await connect(path, auto_vacuum="FULL")
    async with closed_on_failure(connection):
        await connection.executescript(_SCHEMA)
    return connection


def _prepare(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_nlink > 1:
        # A backup that is opened where it lies shares this file with other backups, and must not change theirs.
        alone = path.with_name(path.name + ".alone")
        copy(path, alone)
        alone.replace(path)


def _remove(path: Path) -> None:
    """The log first: one that is left over would be played into the month's next file."""
    for suffix in ("-wal", "-shm", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    sync_folder(path.parent)
