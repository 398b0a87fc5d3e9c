"""How late an event loop runs while the engine paints in its threads: what a Discord heartbeat would feel."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import numpy as np

TICK_SECONDS = 0.005
IDLE_SECONDS = 0.5


def loop_lag(paint: Callable[[], object]) -> dict[str, float]:
    """Milliseconds by which 5 ms timers fire late, idle and while `paint` runs in another thread."""
    idle = asyncio.run(_lags(lambda: time.sleep(IDLE_SECONDS)))
    busy = asyncio.run(_lags(paint))
    return {
        "loop_lag_idle_p99_ms": _milliseconds(idle, 99),
        "loop_lag_p50_ms": _milliseconds(busy, 50),
        "loop_lag_p99_ms": _milliseconds(busy, 99),
    }


async def _lags(work: Callable[[], object]) -> list[float]:
    lags: list[float] = []
    working = asyncio.create_task(asyncio.to_thread(work))
    while not working.done():
        due = time.perf_counter() + TICK_SECONDS
        await asyncio.sleep(TICK_SECONDS)
        lags.append(time.perf_counter() - due)
    await working
    return lags


def _milliseconds(lags: list[float], share: float) -> float:
    return round(float(np.percentile(lags, share)) * 1000, 2)
