"""Rounds of interleaved runs, and the numbers that come out of them."""

from __future__ import annotations

import argparse
import math
import resource
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from engine.sampling.acceleration import accelerate
from engine.sampling.model import LoadedModel
from scripts.benchmark.arrivals import poisson_latencies
from scripts.benchmark.baselines import Picture
from scripts.benchmark.looplag import loop_lag
from scripts.benchmark.utilisation import ceiling_flops, flops_per_row
from scripts.benchmark.variants import Bench, Run
from scripts.benchmark.workloads import Order, Scale, make_orders

CANCEL_EVERY = 5
Runs = dict[str, list[Run]]
Found = tuple[Runs, dict[str, Any]]


@dataclass(slots=True, kw_only=True)
class Measures:
    """What a benchmark found; `runs` are the rounds of every variant in the order they were made."""

    options: argparse.Namespace
    model: LoadedModel
    baseline_dtype: str
    orders: list[Order]
    runs: Runs
    parity: tuple[float, float]
    max_rows: int
    row_flops: int
    ceiling_flops: float
    extra: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def is_wall(self) -> bool:
        return self.model.device != "cpu"

    def seconds(self, run: Run) -> float:
        return run.wall_seconds if self.is_wall else run.cpu_seconds

    def speedup(self, baseline: str) -> float | None:
        """Median over the rounds of the baseline's seconds by the engine's."""
        if baseline not in self.runs:
            return None
        pairs = zip(self.runs[baseline], self.runs["E"], strict=True)
        return round(statistics.median(self.seconds(slow) / self.seconds(fast) for slow, fast in pairs), 3)

    def utilisation(self, run: Run) -> float:
        """What the wanted rows' arithmetic is of what matrix multiplications could do in the UNet's time."""
        return run.rows * self.row_flops / max(run.predict_seconds * self.ceiling_flops, 1e-9)

    def as_json(self) -> dict[str, Any]:
        engine = self.runs["E"]
        latencies = [second for run in engine for second in run.latencies.values()]
        maximum, psnr = self.parity
        return {
            "workload": self.options.workload,
            "model": self.options.model,
            "device": device_name(self.model.device),
            "dtype": self.model.profile.identity.dtype,
            "baseline_dtype": self.baseline_dtype,
            "clock": "wall" if self.is_wall else "cpu",
            "threads": self.options.threads,
            "requests": len(self.orders),
            "rounds": len(engine),
            "speedup_vs_b0": self.speedup("B0"),
            "speedup_vs_b1": self.speedup("B1"),
            "speedup_vs_b0c": self.speedup("B0c"),
            "speedup_vs_b1c": self.speedup("B1c"),
            "pictures_per_second": round(len(engine[0].latencies) / statistics.median(map(self.seconds, engine)), 3),
            "parity_max_abs": maximum,
            "parity_psnr": psnr,
            "mean_seconds": round(statistics.fmean(latencies), 4),
            "p50_seconds": round(percentile(latencies, 50), 4),
            "p95_seconds": round(percentile(latencies, 95), 4),
            "p99_seconds": round(percentile(latencies, 99), 4),
            "jain_index": round(statistics.median(jain_index(run.latencies, self.orders) for run in engine), 4),
            "max_rows": self.max_rows,
            "rows_per_call": round(statistics.fmean(run.rows_per_call for run in engine), 2),
            "padding_waste": round(statistics.fmean(run.padding_waste for run in engine), 4),
            "utilisation": round(statistics.median(map(self.utilisation, engine)), 3),
            "row_gflop": round(self.row_flops / 1e9, 3),
            "ceiling_gflops": round(self.ceiling_flops / 1e9, 1),
            "overhead": round(statistics.median(run.overhead for run in engine), 4),
            "peak_memory_mib": peak_memory_mib(self.model.device),
            **self.extra,
        }

    def table(self) -> str:
        lines = [f"{'variant':<8} {'CPU s':>8} {'wall s':>8} {'pictures/s':>11} {'E is faster by':>15}"]
        for name, runs in self.runs.items():
            cpu = statistics.median(run.cpu_seconds for run in runs)
            wall = statistics.median(run.wall_seconds for run in runs)
            rate = len(runs[0].latencies) / statistics.median(map(self.seconds, runs))
            ratio = "" if name == "E" else f"{self.speedup(name):.2f}×"
            lines.append(f"{name:<8} {cpu:>8.2f} {wall:>8.2f} {rate:>11.2f} {ratio:>15}")
        numbers = self.as_json()
        shown = (
            "parity_max_abs", "parity_psnr", "p50_seconds", "p95_seconds", "p99_seconds", "jain_index", "max_rows",
            "rows_per_call", "padding_waste", "utilisation", "peak_memory_mib", *self.extra,
        )  # fmt: skip
        lines += [f"{name}: {numbers[name]}" for name in shown]
        return "\n".join(lines)


def measure(model: LoadedModel, baseline: LoadedModel, scale: Scale, options: argparse.Namespace) -> Measures:
    """Run the workload in all variants, interleaved, after one round to warm up that also measures the parity.

    Every round has prompts of its own, so that no text is known from the one before.
    """
    if options.requests:
        scale = replace(scale, requests=options.requests)
    rounds = [make_orders(options.workload, model.profile, scale, seed) for seed in range(options.rounds + 1)]
    orders = rounds[0]
    bench = Bench(
        model, baseline, orders, max_rows=options.max_rows, reproducible=options.reproducible, preset=options.preset
    )  # fmt: skip
    sample = orders[: min(len(orders), 8)]
    expected = bench.one_by_one(sample).pictures
    parity = compare(bench.paint_exactly(sample), expected)
    try:
        runs, extra = (_measure_flood if options.workload == "flood" else _measure_backlog)(bench, rounds, options)
        if options.compile and model.device != "cpu":
            runs |= _measure_compiled(model, bench, rounds)
    finally:
        bench.close()
    return Measures(
        options=options, model=model, baseline_dtype=baseline.profile.identity.dtype, orders=orders, runs=runs,
        parity=parity, max_rows=bench.max_rows, extra=extra,
        row_flops=flops_per_row(bench.pipeline, bench.pipeline.latent_shape(orders[0].request)[1:]),
        ceiling_flops=ceiling_flops(bench.pipeline),
    )  # fmt: skip


def _measure_backlog(bench: Bench, rounds: Sequence[list[Order]], options: argparse.Namespace) -> Found:
    """Everything at once, in every variant; then the event loop's lag, and with Poisson arrivals the latencies."""
    cancel_every = CANCEL_EVERY if options.workload == "cancels" else 0
    runs: Runs = {"B0": [], "B1": [], "E": []}
    bench.engine(rounds[0])
    for orders in rounds[1:]:
        painted = [order for number, order in enumerate(orders) if not cancel_every or number % cancel_every]
        runs["B0"].append(bench.one_by_one(painted))
        runs["B1"].append(bench.naive(painted))
        runs["E"].append(bench.engine(orders, cancel_every))
    extra: dict[str, Any] = loop_lag(lambda: bench.engine(rounds[0]))
    if cancel_every:
        extra["steps_after_cancel"] = max(run.steps_after_cancel for run in runs["E"])
    if options.arrivals == "poisson":
        extra["poisson"] = poisson_latencies(bench, rounds[0], runs["B1"], options.load)
    return runs, extra


def _measure_flood(bench: Bench, rounds: Sequence[list[Order]], _options: argparse.Namespace) -> Found:
    """How long light users wait beside a flood, against having the worker for themselves."""
    alone: list[float] = []
    flooded: list[float] = []
    runs: Runs = {"E": []}
    bench.engine(rounds[0])
    for orders in rounds[1:]:
        alone += bench.engine_alone([order for order in orders if order.user_id != 0]).latencies.values()
        run = bench.engine_flooded(orders)
        # The Jain index is over the equal askers.
        run.latencies = {number: second for number, second in run.latencies.items() if orders[number].user_id != 0}
        flooded += run.latencies.values()
        runs["E"].append(run)
    before, beside = percentile(alone, 95), percentile(flooded, 95)
    extra = {"light_p95_alone": before, "light_p95_flooded": beside, "light_p95_ratio": round(beside / before, 3)}
    return runs, extra


def _measure_compiled(model: LoadedModel, bench: Bench, rounds: Sequence[list[Order]]) -> Runs:
    """The rounds once more with layout and compile switches, for the baselines and for the engine."""
    accelerate(model, compile_blocks=True)
    variants = {"B0c": bench.one_by_one, "B1c": bench.naive, "E": bench.engine}
    for variant in variants.values():  # warm up
        variant(rounds[0])
    runs: Runs = {name: [] for name in variants}
    for orders in rounds[1:]:
        for name, variant in variants.items():
            runs[name].append(variant(orders))
    return runs


def compare(ours: dict[int, Picture], theirs: dict[int, Picture]) -> tuple[float, float]:
    """The largest difference of any pixel (of 0…1), and the smallest peak signal-to-noise ratio in dB."""
    differences = [np.abs(ours[number] - picture) for number, picture in theirs.items()]
    worst = max(float(np.square(difference).mean()) for difference in differences)
    psnr = 99.0 if worst == 0 else min(-10 * math.log10(worst), 999.0)
    return max(float(difference.max()) for difference in differences), round(psnr, 1)


def jain_index(latencies: dict[int, float], orders: Sequence[Order]) -> float:
    """(Σx)² / (n Σx²) over users, x being a user's mean latency: 1 if all are treated alike."""
    by_user: dict[int, list[float]] = {}
    for number, seconds in latencies.items():
        by_user.setdefault(orders[number].user_id, []).append(seconds)
    means = [statistics.fmean(seconds) for seconds in by_user.values()]
    return sum(means) ** 2 / (len(means) * sum(mean * mean for mean in means))


def percentile(values: Iterable[float], share: float) -> float:
    return float(np.percentile(list(values), share))


def peak_memory_mib(device: str) -> int:
    if device == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return torch.cuda.max_memory_allocated() // 2**20


def device_name(device: str) -> str:
    return device if device == "cpu" else torch.cuda.get_device_name()
