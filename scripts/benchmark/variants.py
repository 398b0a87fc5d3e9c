"""The ways to paint a workload that are timed against each other. Every one ends with checked PNG files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from PIL import Image

from domain import JobCancelled, Place, Progress, Request, SafetyLevel, Task
from engine.images.metadata import write_png
from engine.policy import approve
from engine.request.presets import PRESETS
from engine.safety import FixedScores
from engine.sampling.batcher import Batcher
from engine.sampling.model import LoadedModel
from engine.sampling.pipeline import Pipeline
from engine.sampling.profiling import IdleWork, RowProfile, Size
from engine.sampling.row_selection import choose_max_rows
from engine.worker.local_backend import LocalBackend
from engine.worker.running_job import RunningJob
from scripts.benchmark.baselines import Picture, Stock, groups_of_equals
from scripts.benchmark.workloads import Order

PLACE = Place(guild_id=1, channel_id=1)
Clock = Callable[[], float]


@dataclass(slots=True, kw_only=True)
class Run:
    """One timed run: CPU and wall seconds, each finished order's latency, and what the engine counted."""

    cpu_seconds: float
    wall_seconds: float
    latencies: dict[int, float] = field(default_factory=dict[int, float])
    pictures: dict[int, Picture] = field(default_factory=dict[int, Picture])
    rows_per_call: float = 0.0
    padding_waste: float = 0.0
    rows: int = 0
    predict_seconds: float = 0.0
    overhead: float = 0.0
    steps_after_cancel: int = 0


class TimedPipeline(Pipeline):
    """Knows how long its model calls took, so that the rest of a step can be told from them."""

    def __init__(self, model: LoadedModel, clock: Clock, *, reproducible: bool = False) -> None:
        super().__init__(model, reproducible=reproducible)
        self._clock = clock
        self.predict_seconds = 0.0

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
        started = self._clock()
        output = super().predict(latents, timesteps, embeds)
        if output.is_cuda:
            torch.cuda.synchronize()
        self.predict_seconds += self._clock() - started
        return output


def asked_sizes(pipeline: Pipeline, orders: Sequence[Order]) -> list[Size]:
    return sorted({pipeline.latent_shape(order.request)[1:] for order in orders})


def idled_profile(
    pipeline: Pipeline, orders: Sequence[Order], *, max_rows: int, reproducible: bool, clock: Clock
) -> RowProfile:
    """The profile after what the bot does in idle moments: rows are measured, the pipeline's calls captured."""
    profile = RowProfile(max_rows=choose_max_rows(max_rows, reproducible=reproducible), fixed=reproducible)
    idle_work = IdleWork(pipeline, profile, clock, asked_sizes(pipeline, orders))
    while idle_work.is_due:
        idle_work.do_some()
    return profile


class Bench:
    """Runs a workload in one of the variants on one model. The engine lives through all runs, as the bot's does."""

    def __init__(
        self,
        model: LoadedModel,
        baseline: LoadedModel,
        orders: Sequence[Order],
        *,
        max_rows: int,
        reproducible: bool,
        preset: str | None,
    ) -> None:
        self._model, self._stock = model, Stock(baseline)
        self._checker = FixedScores()
        self._preset = preset
        # On a CPU that others use too, only the process's own seconds mean anything.
        self.clock: Clock = time.process_time if model.device == "cpu" else time.perf_counter
        self.pipeline = TimedPipeline(model, self.clock, reproducible=reproducible)
        profile = idled_profile(self.pipeline, orders, max_rows=max_rows, reproducible=reproducible, clock=self.clock)
        self.max_rows = max(profile.best(size) or 0 for size in asked_sizes(self.pipeline, orders))
        self.backend = LocalBackend(
            model, self._checker, max_rows=self.max_rows, pipeline=self.pipeline, row_profile=profile,
            preview_every=10**6, clock=self.clock if model.device == "cpu" else time.monotonic,
        )  # fmt: skip

    def close(self) -> None:
        """Stop the engine."""
        self.backend.close()

    # ---- baselines -------------------------------------------------------------------------------------------------

    def one_by_one(self, orders: Sequence[Order]) -> Run:
        """B0: the stock pipeline, one request after the other."""
        return self._timed(orders, [[number] for number in range(len(orders))])

    def naive(self, orders: Sequence[Order]) -> Run:
        """B1: the stock pipeline, equal requests together."""
        by_identity = {id(order.request): number for number, order in enumerate(orders)}
        groups = groups_of_equals(order.request for order in orders)
        return self._timed(orders, [[by_identity[id(request)] for request in group] for group in groups])

    def _timed(self, orders: Sequence[Order], groups: Sequence[Sequence[int]]) -> Run:
        cpu, wall, started = time.process_time(), time.perf_counter(), self.clock()
        run = Run(cpu_seconds=0.0, wall_seconds=0.0)
        for group in groups:
            pictures = self._stock.paint([orders[number].request for number in group])
            for number, picture in zip(group, pictures, strict=True):
                self._finish(orders[number].request, picture)
                run.pictures[number] = picture
                run.latencies[number] = self.clock() - started
        run.cpu_seconds, run.wall_seconds = time.process_time() - cpu, time.perf_counter() - wall
        return run

    def _finish(self, request: Request, picture: Picture) -> None:
        image = Image.fromarray((picture * 255).round().astype(np.uint8))
        self._checker.check([image], SafetyLevel.STANDARD)
        write_png(image, request, request.seed, self._model.profile.identity)

    # ---- the engine ------------------------------------------------------------------------------------------------

    def engine(self, orders: Sequence[Order], cancel_every: int = 0) -> Run:
        """E: all requests at once through the backend; with `cancel_every` n, each nth is taken back halfway."""
        session = _Session(self, orders)
        for number, order in enumerate(orders):
            is_cancelled = bool(cancel_every) and number % cancel_every == 0
            session.submit(number, cancel_at=order.request.num_inference_steps // 2 if is_cancelled else None)
        session.wait()
        return session.run()

    def engine_alone(self, orders: Sequence[Order]) -> Run:
        """Each request has the worker for itself."""
        session = _Session(self, orders)
        for number in range(len(orders)):
            session.submit(number)
            session.wait()
        return session.run()

    def engine_flooded(self, orders: Sequence[Order]) -> Run:
        """User 0's requests at once; then the light ones, each as soon as the one before is finished."""
        flood = [number for number, order in enumerate(orders) if order.user_id == 0]
        light = [number for number, order in enumerate(orders) if order.user_id != 0]
        session = _Session(self, orders)
        for number in flood:
            session.submit(number)
        session.submit(light[0], then=light[1:])
        session.wait()
        return session.run()

    def paint_exactly(self, orders: Sequence[Order]) -> dict[int, Picture]:
        """The engine's pictures as floats, all requests together: for comparing, not for timing."""
        batcher, profile = Batcher(self.pipeline, self.max_rows), self._model.profile
        jobs = [RunningJob.of(_task(n, order.user_id, order.request), profile) for n, order in enumerate(orders)]
        samples = [own[0] for own in batcher.admit(jobs)]
        while any(not sample.is_finished for sample in samples):
            batcher.step()
        return {
            n: (self.pipeline.decode(sample.latents[None])[0] / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).numpy()
            for n, sample in enumerate(samples)
        }

    def make_task(self, number: int, order: Order) -> Task:
        """The policy has its say before the clock starts: it would stand before any engine.

        With a preset the engine's requests take its guidance interval, but keep their steps and solver.
        """
        request = order.request
        if self._preset is not None:
            request = replace(request, guidance_interval=PRESETS[self._preset].guidance_interval)
        return _task(number, order.user_id, request)


def _task(number: int, user_id: int, request: Request) -> Task:
    return Task(job_id=number, user_id=user_id, approved=approve(request, PLACE))


class _Session:
    """One run of the backend: what was submitted, and when each was finished."""

    def __init__(self, bench: Bench, orders: Sequence[Order]) -> None:
        self._bench = bench
        self._tasks = [bench.make_task(number, order) for number, order in enumerate(orders)]
        self._backend = bench.backend
        self._before = replace(bench.backend.counters)
        self._predict_before = bench.pipeline.predict_seconds
        self._latencies: dict[int, float] = {}
        self._after_cancel: dict[int, int] = {}
        self._open = threading.Condition()
        self._left = 0
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def submit(self, number: int, *, cancel_at: int | None = None, then: Sequence[int] = ()) -> None:
        """Submit an order; cancel it at a step, or submit others one after the other when it is finished."""
        started = self._bench.clock()
        with self._open:
            self._left += 1

        def progress(seen: Progress) -> None:
            if number in self._after_cancel:
                self._after_cancel[number] += 1
            elif cancel_at is not None and seen.step >= cancel_at:
                self._after_cancel[number] = 0
                self._backend.cancel(number)

        future = self._backend.submit(self._tasks[number], progress)

        def done(_future: object) -> None:
            error = future.exception()
            if error is None:
                self._latencies[number] = self._bench.clock() - started
            elif not isinstance(error, JobCancelled):
                raise error
            if then:
                self.submit(then[0], then=then[1:])
            with self._open:
                self._left -= 1
                self._open.notify_all()

        future.add_done_callback(done)

    def wait(self) -> None:
        with self._open:
            while self._left:
                self._open.wait()

    def run(self) -> Run:
        now, before = self._backend.counters, self._before
        calls, rows, padding = now.calls - before.calls, now.rows - before.rows, now.padding - before.padding
        predicted = self._bench.pipeline.predict_seconds - self._predict_before
        return Run(
            cpu_seconds=time.process_time() - self._cpu,
            wall_seconds=time.perf_counter() - self._wall,
            latencies=self._latencies,
            rows_per_call=rows / max(calls, 1),
            padding_waste=padding / max(rows + padding, 1),
            rows=rows,
            predict_seconds=predicted,
            overhead=1 - predicted / max(now.seconds - before.seconds, 1e-9),
            steps_after_cancel=max(self._after_cancel.values(), default=0),
        )
