"""Requests that come one by one at random: how long each waits for its picture."""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Sequence

import numpy as np

from scripts.benchmark.baselines import groups_of_equals
from scripts.benchmark.variants import Bench, Run
from scripts.benchmark.workloads import Order

# Naive batching waits this long for company before it starts.
WINDOW_SECONDS = 0.05


def poisson_latencies(bench: Bench, orders: Sequence[Order], naive: Sequence[Run], load: float) -> dict[str, object]:
    """Wall-clock latencies of B1 and of the engine at `load` times B1's capacity, with the same arrivals."""
    capacity = len(orders) / statistics.median(run.wall_seconds for run in naive)
    chance = random.Random(0)
    times, now = list[float](), 0.0
    for _ in orders:
        now += chance.expovariate(load * capacity)
        times.append(now)
    return {
        "load": load,
        "requests_per_second": round(load * capacity, 3),
        "B1": _summary(_naive(bench, orders, times)),
        "E": _summary(_engine(bench, orders, times)),
    }


def _engine(bench: Bench, orders: Sequence[Order], times: Sequence[float]) -> list[float]:
    latencies: list[float] = []
    finished = threading.Semaphore(0)
    start = time.perf_counter()
    for number, (order, due) in enumerate(zip(orders, times, strict=True)):
        time.sleep(max(start + due - time.perf_counter(), 0.0))

        def done(_future: object, due: float = due) -> None:
            latencies.append(time.perf_counter() - start - due)
            finished.release()

        bench.backend.submit(bench.make_task(number, order), lambda _progress: None).add_done_callback(done)
    for _ in orders:
        finished.acquire()
    return latencies


def _naive(bench: Bench, orders: Sequence[Order], times: Sequence[float]) -> list[float]:
    """One server: whatever has come by now, the oldest request's equals with it."""
    latencies: list[float] = []
    waiting: list[int] = []
    coming = list(range(len(orders)))
    start = time.perf_counter()
    while waiting or coming:
        if not waiting:
            time.sleep(max(start + times[coming[0]] + WINDOW_SECONDS - time.perf_counter(), 0.0))
        now = time.perf_counter() - start
        waiting += [number for number in coming if times[number] <= now]
        coming = [number for number in coming if times[number] > now]
        if not waiting:
            continue
        by_identity = {id(orders[number].request): number for number in waiting}
        group = [by_identity[id(request)] for request in groups_of_equals(orders[n].request for n in waiting)[0]]
        bench.naive([orders[number] for number in group])
        ended = time.perf_counter() - start
        latencies += [ended - times[number] for number in group]
        waiting = [number for number in waiting if number not in group]
    return latencies


def _summary(latencies: Sequence[float]) -> dict[str, float]:
    return {
        "mean": round(statistics.fmean(latencies), 3),
        **{f"p{share}": round(float(np.percentile(latencies, share)), 3) for share in (50, 95, 99)},
    }
