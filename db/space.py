"""Giving disk space back: what was erased leaves the files, a few pages or pictures at a time."""

from __future__ import annotations

from time import perf_counter

from db import picture_sweep
from db.batches import TARGET_SECONDS
from db.database import Database

FIRST_PAGES, MAX_PAGES = 32, 4096


async def give_back(database: Database) -> int:
    """Move free pages out of the main file in small transactions, then empty the log; how many bytes the file lost.

    Erased pictures leave the month files last, so that one which can't be written (DatabaseError) keeps nothing else.
    """
    before, pages = await _free_pages(database), FIRST_PAGES
    left = before
    while left > 0:
        async with database.transaction() as connection:
            began = perf_counter()
            # A cursor must be read to its end: each step moves one page.
            await connection.execute_fetchall(f"PRAGMA incremental_vacuum({pages})")
        seconds = perf_counter() - began
        pages = max(pages // 2, 1) if seconds > TARGET_SECONDS else min(pages * 2, MAX_PAGES)
        now_left = await _free_pages(database)
        if now_left >= left:  # a file without auto_vacuum
            break
        left = now_left
    await database.scrub()
    await picture_sweep.collect(database)
    row = await database.fetch_one("PRAGMA page_size")
    return (before - left) * (int(row[0]) if row else 0)


async def _free_pages(database: Database) -> int:
    row = await database.fetch_one("PRAGMA freelist_count")
    return int(row[0]) if row else 0
