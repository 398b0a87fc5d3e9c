"""What is done to a bot in another process: its clock is moved, its database has no room.

The one who does it writes a file beside the database and sends SIGUSR1; a bot that starts later reads it, too.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from cogs.core.bot import Bot

SIGNAL = signal.SIGUSR1
# SQLite's own most; with 1 a file keeps the pages that it has and gets no more.
ENDLESS_PAGES = 2**32 - 2


@dataclass(frozen=True, slots=True)
class Whims:
    """How wrong the bot's clock is, and whether its database may grow."""

    clock_seconds: float = 0.0
    is_full: bool = False

    def write(self, database: Path) -> None:
        _file(database).write_text(json.dumps(asdict(self)), encoding="utf-8")


def obey(bot: Bot, database: Path) -> Callable[[], None]:
    """Do what the file says, now and whenever the signal comes. Keep what is returned: it holds the tasks."""
    clock = bot.service.clock
    tasks: set[asyncio.Task[None]] = set()

    def look() -> None:
        file = _file(database)
        whims = Whims(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else Whims()
        bot.service.clock = lambda: clock() + timedelta(seconds=whims.clock_seconds)
        task = asyncio.create_task(_limit(bot, 1 if whims.is_full else ENDLESS_PAGES))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    look()
    asyncio.get_running_loop().add_signal_handler(SIGNAL, look)
    return look


async def _limit(bot: Bot, pages: int) -> None:
    """A limit of this one connection; nothing of it is stored."""
    writer = bot.service._context.database._writer  # pyright: ignore[reportPrivateUsage]
    if writer is not None:
        await writer.execute(f"PRAGMA max_page_count = {pages}")


def _file(database: Path) -> Path:
    return database.with_name("whims.json")
