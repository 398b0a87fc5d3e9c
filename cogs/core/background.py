"""One loop for everything that happens at a time or still has to be shown: it looks at rows, again and again.

Ends of challenges, retention, cards and answers that a crash kept from being posted: each is a coroutine that reads
what is due from the database and does it. Nothing sleeps until its own moment, so a restart forgets nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from discord.ext import commands

if TYPE_CHECKING:
    from cogs.core.bot import Bot

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 15.0

Chore = Callable[[], Awaitable[None]]


class Rounds(commands.Cog):
    """Calls every chore in turn, each `INTERVAL_SECONDS` and whenever somebody says there is something to do."""

    def __init__(self, bot: Bot, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self.bot = bot
        self._interval = interval_seconds
        self._chores: list[Chore] = []
        self._wake = asyncio.Event()
        self._going = asyncio.Lock()
        self._loop_task: asyncio.Task[None] | None = None

    def add(self, chore: Chore) -> None:
        """A coroutine function that does whatever is due and can be called at any time, any number of times."""
        self._chores.append(chore)

    def wake(self) -> None:
        """Go round now."""
        self._wake.set()

    async def cog_load(self) -> None:
        self._loop_task = asyncio.create_task(self._run(), name="rounds")

    async def cog_unload(self) -> None:
        if self._loop_task is not None:
            self._loop_task.cancel()
            await asyncio.gather(self._loop_task, return_exceptions=True)

    async def _run(self) -> None:
        await self.bot.wait_until_ready()
        while True:
            self._wake.clear()
            await self.go()
            # Not wait_for: on Python 3.11 it can swallow a cancellation that comes together with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._wake.wait()

    async def go(self) -> None:
        """One round. The border at which a failed chore waits for the next one instead of stopping the others."""
        async with self._going:
            for chore in self._chores:
                try:
                    await chore()
                except Exception:
                    log.warning("a chore failed and will be tried again", exc_info=True)
