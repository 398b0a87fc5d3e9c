"""Background tasks: what happens at a time or still has to be shown in Discord. They look at rows, again and again.

Ends of challenges, retention, cards and answers that a crash kept from being posted: each task is a coroutine that
reads what is due from the database and does it. Nothing sleeps until its own moment, so a restart forgets nothing. Each
runs every `INTERVAL_SECONDS`, and at once when the service announces one of its topics.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from service import Service, Topic
from service.health import Health

INTERVAL_SECONDS = 15.0

Work = Callable[[], Awaitable[None]]


class BackgroundTasks:
    """One loop that calls whatever is due, in the order in which it was added."""

    def __init__(self, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._interval = interval_seconds
        self._health: Health | None = None
        self._works: dict[Work, tuple[Topic, ...]] = {}
        self._due: set[Work] = set()
        self._wake = asyncio.Event()
        self._running = asyncio.Lock()

    def add(self, work: Work, *topics: Topic) -> None:
        """A coroutine function that does whatever is due and can be called at any time, any number of times."""
        self._works[work] = topics

    def listen(self, service: Service) -> None:
        """From now on news of a task's topics make it due, and the service hears of failures."""
        self._health = service.health
        for work, wanted in self._works.items():
            for topic in wanted:
                service.topics.subscribe(topic, lambda _, work=work: self._make_due(work))

    def _make_due(self, work: Work) -> None:
        self._due.add(work)
        self._wake.set()

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await self.run_all()
            # Not wait_for: on Python 3.11 it can swallow a cancellation that comes together with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._run_what_is_due()

    async def _run_what_is_due(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            due, self._due = self._due, set()
            await asyncio.shield(self._run([work for work in self._works if work in due]))

    async def run_all(self) -> None:
        """Every task once, whether it has news or not."""
        await self._run(list(self._works))

    async def _run(self, works: list[Work]) -> None:
        """The border at which a failed task waits for its next turn instead of stopping the others."""
        async with self._running:
            for work in works:
                await self._run_one(work)

    async def _run_one(self, work: Work) -> None:
        name = f"background task {getattr(work, '__qualname__', work)}"
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - the border
            if self._health is not None:
                self._health.note(name, error)
        else:
            if self._health is not None:
                self._health.solve(name)
