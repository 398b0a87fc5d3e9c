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
    measuring = asyncio.create_task(measure_lags(lags.append))
    await asyncio.to_thread(work)
    measuring.cancel()
    await asyncio.gather(measuring, return_exceptions=True)
    return lags


async def measure_lags(note: Callable[[float], object]) -> None:
    """Note by how many seconds 5 ms timers fire late, until it is cancelled."""
    while True:
        due = time.perf_counter() + TICK_SECONDS
        await asyncio.sleep(TICK_SECONDS)
        note(time.perf_counter() - due)


def _milliseconds(lags: list[float], share: float) -> float:
    return round(float(np.percentile(lags, share)) * 1000, 2)
