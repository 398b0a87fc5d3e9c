"""How often we may write into a channel with the bot's token, so that Discord never has to tell us to slow down.

Discord allows about five writes in five seconds to one channel and route; all our messages of a channel share that.
Deliveries wait for their turn, progress is dropped when there is none.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

WRITES = 4
PERIOD_SECONDS = 5.5
# Beyond so many channels those in which nothing happens are forgotten.
MAX_CHANNELS = 1000


@dataclass(slots=True)
class _Channel:
    """When we wrote, who has the turn to wait for a write, and how many want it."""

    taken: deque[float] = field(default_factory=deque[float])
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


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
        self._channels: dict[int, _Channel] = {}

    def __len__(self) -> int:
        """How many channels are remembered."""
        return len(self._channels)

    def try_take(self, channel_id: int) -> bool:
        """Take a write if one is free now and nobody is waiting for it."""
        channel = self._find(channel_id)
        if channel.waiting or self._wait_for(channel) > 0:
            return False
        channel.taken.append(self._clock())
        return True

    async def take(self, channel_id: int) -> None:
        """Wait, in order, for a free write and take it."""
        channel = self._find(channel_id)
        channel.waiting += 1  # before the first await: from here on it can't be forgotten
        try:
            async with channel.turn:
                while (seconds := self._wait_for(channel)) > 0:
                    await self._sleep(seconds)
                channel.taken.append(self._clock())
        finally:
            channel.waiting -= 1

    def _find(self, channel_id: int) -> _Channel:
        if channel_id not in self._channels and len(self._channels) >= MAX_CHANNELS:
            self._forget_idle()
        return self._channels.setdefault(channel_id, _Channel())

    def _forget_idle(self) -> None:
        """Where nobody waits and nothing was written within the period, a new entry says the same."""
        for channel in self._channels.values():
            self._drop_old(channel)
        self._channels = {id_: one for id_, one in self._channels.items() if one.taken or one.waiting}

    def _wait_for(self, channel: _Channel) -> float:
        self._drop_old(channel)
        is_full = len(channel.taken) >= self._writes
        return channel.taken[0] + self._period - self._clock() if is_full else 0.0

    def _drop_old(self, channel: _Channel) -> None:
        now = self._clock()
        while channel.taken and now - channel.taken[0] >= self._period:
            channel.taken.popleft()
