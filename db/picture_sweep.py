"""Keeping rows and picture files in step: erased bytes, blobs without a row, and pictures that older bots left in rows.

Everything goes in small steps of which each may be the last before a stop of the process; the next start goes on.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager

from db.codec import to_datetime
from db.database import Database
from db.picture_files import BlobPlace, month_of
from db.problems import DatabaseError

log = logging.getLogger(__name__)

# Blobs that are overwritten, keys that are compared, and rows that change hands in one step.
DELETED_AT_ONCE, COMPARED_AT_ONCE, MOVED_AT_ONCE = 16, 256, 8


async def collect(database: Database) -> int:
    """Delete the bytes of every picture whose row let go of it; how many there were.

    A month that no row names any more goes as a whole file. What can't be deleted now stays noted: the first
    DatabaseError is raised when all other months are through.
    """
    deleted, failure = 0, None
    if database.pictures.is_being_copied:
        return 0  # nobody waits for a backup, at whose end it is done
    for month in [row["month"] for row in await database.fetch_all("SELECT DISTINCT month FROM erased_blobs")]:
        try:
            deleted += await _collect_month(database, str(month))
        except DatabaseError as error:
            failure = failure or error
    if failure is not None:
        raise failure
    return deleted


async def _collect_month(database: Database, month: str) -> int:
    rows = await database.fetch_all("SELECT blob_key FROM erased_blobs WHERE month = ?", (month,))
    keys = [int(row["blob_key"]) for row in rows]
    if await _drop_if_empty(database, month):
        for some in _batches(keys, COMPARED_AT_ONCE):
            await _forget(database, month, some)
        return len(keys)
    for some in _batches(keys, DELETED_AT_ONCE):
        await database.pictures.delete(month, some)
        await _forget(database, month, some)
    return len(keys)


async def _drop_if_empty(database: Database, month: str) -> bool:
    if database.pictures.kept_because:
        return False

    async def is_unnamed() -> bool:
        return await database.fetch_one("SELECT 1 FROM pictures WHERE month = ? LIMIT 1", (month,)) is None

    return await database.pictures.drop(month, is_unnamed)


async def _forget(database: Database, month: str, keys: Sequence[int]) -> None:
    """They are deleted: nothing more to do about them."""
    async with database.transaction() as connection:
        await connection.executemany(
            "DELETE FROM erased_blobs WHERE month = ? AND blob_key = ?", [(month, key) for key in keys]
        )


@asynccontextmanager
async def written(
    database: Database, month: str, pngs: Sequence[bytes], job_id: int = 0
) -> AsyncGenerator[list[BlobPlace]]:
    """A job's pictures in the month's file while the block writes rows that name them; what none names then goes again.

    Raises DatabaseError if the file can't be written.
    """
    places = await database.pictures.write(month, pngs, job_id)
    try:
        yield places
    finally:
        database.pictures.release(places)
        await _delete_unnamed(database, month, [place.key for place in places])


async def _delete_unnamed(database: Database, month: str, keys: Sequence[int]) -> None:
    """Rows decide, not how the block ended: a commit may have failed late and be there all the same."""
    if database.pictures.is_being_copied:
        database.pictures.unswept.add(month)
        return
    try:
        if unnamed := sorted(set(keys) - await _named(database, month, keys)):
            await database.pictures.delete(month, unnamed)
    except BaseException as error:
        database.pictures.unswept.add(month)
        if not isinstance(error, (DatabaseError, sqlite3.Error)):
            raise
        log.warning("pictures that no row names stay in %s for now: %s", database.pictures.path_of(month), error)


# ---- what a stop left over -------------------------------------------------------------------------------------------


async def sweep(database: Database) -> int:
    """Delete blobs without a row, in the files of which a stop or a failed write may have left some; how many."""
    files, deleted = database.pictures, 0
    if files.is_being_copied or files.kept_because:
        return 0
    for month in sorted(files.unswept):
        files.unswept.discard(month)
        try:
            deleted += await _sweep_month(database, month)
        except BaseException:
            files.unswept.add(month)
            raise
    return deleted


async def _sweep_month(database: Database, month: str) -> int:
    if await _drop_if_empty(database, month):
        return 0
    deleted, last = 0, -1
    while keys := await database.pictures.list_keys(month, last, COMPARED_AT_ONCE):
        last = keys[-1]
        # Held before named: a blob's hold ends when its row is committed, so it can't be missed in between.
        free = [key for key in keys if not database.pictures.is_held(BlobPlace(month, key))]
        orphans = sorted(set(free) - await _named(database, month, free))
        for some in _batches(orphans, DELETED_AT_ONCE):
            await database.pictures.delete(month, some)
        deleted += len(orphans)
    return deleted


async def _named(database: Database, month: str, keys: Sequence[int]) -> set[int]:
    rows = await database.fetch_all(
        "SELECT blob_key FROM pictures WHERE month = ? AND blob_key IN (SELECT value FROM json_each(?))",
        (month, json.dumps(keys)),
    )
    return {int(row["blob_key"]) for row in rows}


# ---- pictures in rows ------------------------------------------------------------------------------------------------


async def move_some(database: Database) -> int:
    """Move the next few pictures of an older bot out of their rows; how many, 0 if there are none left.

    Until a row changes its picture is read from it, from then on from the file: readers need not wait.
    """
    rows = await database.fetch_all(
        f"""SELECT job_id, position, png, coalesce(finished_at, created_at) AS painted_at
            FROM pictures INDEXED BY pictures_in_rows JOIN jobs ON jobs.id = job_id
            WHERE png IS NOT NULL ORDER BY job_id, position LIMIT {MOVED_AT_ONCE}"""
    )
    for row in rows:
        month = month_of(to_datetime(row["painted_at"]))
        async with (
            written(database, month, [row["png"]], row["job_id"]) as (place,),
            database.transaction() as connection,
        ):
            # No row if the picture was erased meanwhile.
            await connection.execute(
                """UPDATE pictures SET png = NULL, month = ?, blob_key = ?, bytes = ?
                   WHERE job_id = ? AND position = ? AND png IS NOT NULL""",
                (place.month, place.key, len(row["png"]), row["job_id"], row["position"]),
            )
    return len(rows)


def _batches(keys: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))
