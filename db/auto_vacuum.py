"""Letting the file of an older bot give space back.

Files of before version 0.3 were made without `auto_vacuum`. Turning it on rewrites the whole file once, at a start.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from pathlib import Path

import aiosqlite

log = logging.getLogger(__name__)

INCREMENTAL = 2
# VACUUM writes a copy into the temporary folder, and the result through the write-ahead log.
ROOM = 1.2


async def enable(connection: aiosqlite.Connection, path: Path) -> bool:
    """Let an older file give space back from now on; False (and a line in the log) if the disk has no room for it.

    Must run while nobody else uses the file.
    """
    rows = list(await connection.execute_fetchall("PRAGMA auto_vacuum"))
    if int(rows[0][0]) == INCREMENTAL:
        return True
    size = await asyncio.to_thread(lambda: path.stat().st_size)
    for folder in (path.parent, Path(tempfile.gettempdir())):
        free = (await asyncio.to_thread(shutil.disk_usage, folder)).free
        if free < size * ROOM:
            log.warning(
                "the database file can't give erased space back yet: rewriting it once needs %d MB in %s, and %d MB "
                "are free. Free some and start the bot again.",
                size * ROOM // 1_000_000,
                folder,
                free // 1_000_000,
            )
            return False
    log.info("rewriting the database file once, so that it gives erased space back")
    await connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    await connection.execute("VACUUM")
    return True
