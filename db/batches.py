"""Changing very many rows in small transactions, between which everybody else writes.

A step is a statement that takes its next rows by itself (`LIMIT :batch`) and that does not find the rows again that it
has changed, so nothing has to be remembered between two transactions, and after a crash the steps simply run again.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import aiosqlite

from db.database import Database, fetch_one

Values = Mapping[str, Any]
# Asked inside each transaction; False ends the whole sweep.
Guard = Callable[[aiosqlite.Connection], Awaitable[bool]]

# Others wait for the lock this long or twice as long, never for the whole sweep.
TARGET_SECONDS = 0.01
FIRST_ROWS, MAX_ROWS = 8, 512
# Erased picture files are overwritten page by page, so their bytes decide how long a batch takes.
MAX_BYTES, MAX_JOBS = 500_000, 64


class Interrupted(Exception):
    """The guard said no: what the sweep was for does not hold any more."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Steps over one database with the values that they name; `guard` is asked in every transaction."""

    database: Database
    values: Values
    guard: Guard | None = None

    async def run(self, statements: Sequence[str]) -> int:
        """Each statement until it finds no more rows; how many rows changed. Raises Interrupted."""
        return sum([await self._exhaust(sql) for sql in statements])

    async def _exhaust(self, sql: str) -> int:
        changed, rows = 0, FIRST_ROWS
        while True:
            async with self.database.transaction() as connection:
                await self._check(connection)
                began = perf_counter()
                found = await self._execute(connection, sql, {"batch": rows})
            changed += found
            if ":batch" not in sql or found < rows:
                return changed
            rows = _next_size(rows, perf_counter() - began)

    async def run_over_jobs(self, condition: str, statements: Sequence[str]) -> int:
        """Take the jobs that fit the condition, `MAX_BYTES` of pictures at a time; `:ids` is the JSON list of ids.

        The last statement must make the condition false for them. Returns how many jobs there were.
        """
        changed = 0
        while True:
            async with self.database.transaction() as connection:
                await self._check(connection)
                ids = await self._next_jobs(connection, condition)
                if ids:
                    for sql in statements:
                        await self._execute(connection, sql, {"ids": json.dumps(ids)})
            if ids == []:
                return changed
            changed += len(ids or ())

    async def _next_jobs(self, connection: aiosqlite.Connection, condition: str) -> list[int] | None:
        """The next jobs, together small enough; None if the first one alone was too large and lost one file."""
        rows = await connection.execute_fetchall(
            f"SELECT id, {_BYTES} AS bytes FROM jobs WHERE {condition} LIMIT {MAX_JOBS}",
            self.values,
        )
        ids: list[int] = []
        total = 0
        for row in rows:
            total += int(row["bytes"])
            if ids and total > MAX_BYTES:
                break
            if total > MAX_BYTES and await _drop_one_file(connection, int(row["id"])):
                return None
            ids.append(int(row["id"]))
        return ids

    async def _check(self, connection: aiosqlite.Connection) -> None:
        if self.guard is not None and not await self.guard(connection):
            raise Interrupted

    async def _execute(self, connection: aiosqlite.Connection, sql: str, more: Values) -> int:
        async with connection.execute(sql, {**self.values, **more}) as cursor:
            return max(cursor.rowcount, 0)


# length() of a blob reads its row's header, not the blob.
_BYTES = """coalesce((SELECT sum(length(png)) FROM pictures WHERE job_id = jobs.id), 0)
    + coalesce((SELECT length(init_image) + coalesce(length(mask_image), 0) FROM job_inputs
                WHERE job_id = jobs.id), 0)"""


async def _drop_one_file(connection: aiosqlite.Connection, job_id: int) -> bool:
    """Erase one of several picture files of a large job; False if it has one only."""
    row = await fetch_one(
        connection,
        """UPDATE pictures SET png = NULL
           WHERE job_id = :job_id AND position = (
               SELECT max(position) FROM pictures WHERE job_id = :job_id AND png IS NOT NULL)
             AND (SELECT count(*) FROM pictures WHERE job_id = :job_id AND png IS NOT NULL) > 1
           RETURNING position""",
        {"job_id": job_id},
    )
    return row is not None


def _next_size(rows: int, seconds: float) -> int:
    if seconds > TARGET_SECONDS:
        return max(rows // 2, 1)
    return min(rows * 2, MAX_ROWS) if seconds < TARGET_SECONDS / 2 else rows


def delete(table: str, condition: str) -> str:
    """A step that deletes the rows which fit the condition."""
    return f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {condition} LIMIT :batch)"


def update(table: str, changes: str, condition: str) -> str:
    """A step that changes the rows which fit the condition; the changes must make it false."""
    return f"UPDATE {table} SET {changes} WHERE rowid IN (SELECT rowid FROM {table} WHERE {condition} LIMIT :batch)"
