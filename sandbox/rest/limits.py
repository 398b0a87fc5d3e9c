"""Rate limits per route as Discord applies them, and faults that a test injects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RouteLimit:
    """`count` requests in `seconds`."""

    count: int
    seconds: float


# What Discord is known to allow for the routes a picture bot leans on; other routes get the wide one.
LIMITS = {
    ("POST", "/channels/{channel_id}/messages"): RouteLimit(5, 5),
    ("PATCH", "/channels/{channel_id}/messages/{message_id}"): RouteLimit(5, 5),
    ("DELETE", "/channels/{channel_id}/messages/{message_id}"): RouteLimit(5, 1),
    ("POST", "/webhooks/{application_id}/{token}"): RouteLimit(5, 5),
    ("PATCH", "/webhooks/{application_id}/{token}/messages/{message_id}"): RouteLimit(5, 5),
}
WIDE = RouteLimit(50, 1)

# The status of a fault that answers nothing and breaks the connection.
CUT = 0


@dataclass(frozen=True, slots=True)
class BucketState:
    """Where a bucket stands after one more request."""

    bucket: str
    limit: int
    remaining: int
    reset_after: float
    is_over: bool


@dataclass(slots=True)
class Window:
    ends_at: float
    count: int = 0


class RateLimits:
    """A window per (method, route, channel or token): its first request opens it, and when it ends the count is zero.

    That is what Discord's headers tell ("remaining", "reset after"). A client that obeys them is never told to slow
    down, however long a busy machine holds up its requests: it sees each window end later than we do. A client that
    goes by `now` and waits with `let_pass` waits as long as it should, but no real second.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ahead = 0.0
        self.limits = LIMITS
        self._windows: dict[str, Window] = {}

    def now(self) -> float:
        """The seconds that the windows go by."""
        return self._clock() + self._ahead

    async def let_pass(self, seconds: float) -> None:
        """Let so much time pass for the windows, and for nothing else."""
        self._ahead += seconds
        await asyncio.sleep(0)

    def count(self, method: str, route: str, major: str) -> BucketState:
        """Count one request against its bucket; one that is over the limit is not counted."""
        limit = self.limits.get((method, route), WIDE)
        bucket, now = f"{method}:{route}:{major}", self.now()
        window = self._windows.get(bucket)
        if window is None or now >= window.ends_at:
            window = self._windows[bucket] = Window(now + limit.seconds)
        is_over = window.count >= limit.count
        if not is_over:
            window.count += 1
        return BucketState(bucket, limit.count, limit.count - window.count, window.ends_at - now, is_over)


@dataclass(slots=True)
class Fault:
    """The next `times` requests whose method and route match are answered with `status` and Discord's error `code`."""

    method: str
    route: str
    status: int
    times: int = 1
    retry_after: float = 0.05
    code: int = 0
    after: bool = False  # answer wrongly only after the request was carried out

    def matches(self, method: str, route: str) -> bool:
        return self.times > 0 and self.method == method and self.route == route
