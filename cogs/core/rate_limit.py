"""How often we may write into a channel with the bot's token, so that Discord never has to tell us to slow down.

Discord allows about five writes in five seconds to one channel and route; all our messages of a channel share that.
Deliveries wait for their turn, progress is dropped when there is none.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable

WRITES = 4
PERIOD_SECONDS = 5.5


class RateLimit:
    """A sliding window per channel. `clock` gives seconds, `sleep` waits that many."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        writes: int = WRITES,
        period_seconds: float = PERIOD_SECONDS,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._writes = writes
        self._period = period_seconds
        self._taken: defaultdict[int, deque[float]] = defaultdict(deque)
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    def try_take(self, channel_id: int) -> bool:
        """Take a write if one is free now and nobody is waiting for it."""
        if self._turns[channel_id].locked() or self._wait_for(channel_id) > 0:
            return False
        self._taken[channel_id].append(self._clock())
        return True

    async def take(self, channel_id: int) -> None:
        """Wait, in order, for a free write and take it."""
        async with self._turns[channel_id]:
            while (seconds := self._wait_for(channel_id)) > 0:
                await self._sleep(seconds)
            self._taken[channel_id].append(self._clock())

    def _wait_for(self, channel_id: int) -> float:
        taken, now = self._taken[channel_id], self._clock()
        while taken and now - taken[0] >= self._period:
            taken.popleft()
        return taken[0] + self._period - now if len(taken) >= self._writes else 0.0
