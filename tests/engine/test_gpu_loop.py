"""The GPU thread's loop, turn by turn in the test's own thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch

from domain import JobCancelled, PaintingFailed, PictureRefused, Progress, Request
from engine.safety import FixedScores
from engine.sampling.model import LoadedModel
from engine.sampling.pipeline import Pipeline
from engine.worker.gpu_loop import GpuLoop
from engine.worker.open_jobs import OpenJobs
from engine.worker.postprocess import Postprocessor
from engine.worker.postprocess_thread import PostprocessThread, start_postprocess_thread
from engine.worker.previews import Previews
from engine.worker.running_job import RunningJob
from engine.worker.throughput import ThroughputEstimate
from tests.support.engine import SMALL, make_task, png_of
from tests.support.requests import PROFILE

pytestmark = [pytest.mark.pipeline, pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")]

SECONDS = 120


class Tally(ThroughputEstimate):
    """Remembers all that was ever painted."""

    def __init__(self) -> None:
        super().__init__()
        self.painted: list[float] = []

    def count_painted(self, cost: float) -> None:
        self.painted.append(cost)
        super().count_painted(cost)


class Worker:
    """A loop whose turns the test makes, with the real postprocess thread."""

    def __init__(self, model: LoadedModel, executor: ThreadPoolExecutor, checker: FixedScores, **options: Any) -> None:
        self.pipeline: Pipeline = options.pop("pipeline", None) or Pipeline(model)
        self._executor = executor
        self.jobs, self.throughput = OpenJobs(), Tally()
        postprocessor = Postprocessor(self.pipeline, checker, model.profile.identity)
        thread = PostprocessThread(executor, postprocessor, self.jobs, self.throughput)
        previews = Previews(executor, postprocessor, every=10**6, seconds=0.0, clock=lambda: 0.0)
        self.loop = GpuLoop(self.pipeline, self.jobs, thread, previews, self.throughput, **options)
        self.seen: list[Progress] = []

    def add(self, job_id: int, request: Request = SMALL, user_id: int = 1) -> RunningJob:
        job = RunningJob.of(make_task(job_id, request, user_id), PROFILE, self.seen.append)
        self.jobs.add(job)
        return job

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            self.loop.turn()

    def settle(self) -> None:
        """Wait until the postprocess thread has done what it was given."""
        self._executor.submit(lambda: None).result(SECONDS)

    def steps_of(self, job_id: int) -> list[int]:
        return [progress.step for progress in self.seen if progress.job_id == job_id]


@contextmanager
def make_worker(model: LoadedModel, checker: FixedScores | None = None, **options: Any) -> Iterator[Worker]:
    with ThreadPoolExecutor(1) as executor:
        yield Worker(model, executor, checker or FixedScores(), **options)


def test_a_job_moves_a_step_a_turn_and_is_decoded_in_the_last_one(tiny_model: LoadedModel) -> None:
    with make_worker(tiny_model) as worker:
        job = worker.add(1)
        worker.turn(3)
        assert worker.steps_of(1) == [0, 1, 2, 3]
        assert worker.jobs.begun(1) is job
        worker.turn()
        worker.settle()
        assert job.future.result(0).released
        assert worker.jobs.counts() == (0, 0, 0)
        assert worker.loop.counters.calls == 4


def test_the_steps_of_a_job_add_up_to_its_cost(tiny_model: LoadedModel) -> None:
    with make_worker(tiny_model) as worker:
        job = worker.add(1, replace(SMALL, images=2))
        worker.turn(4)
        worker.settle()
        assert job.future.result(0).released
        assert worker.throughput.painted == pytest.approx([job.cost / 4] * 4)


def test_a_newcomer_joins_between_two_steps(tiny_model: LoadedModel) -> None:
    with make_worker(tiny_model) as worker:
        first = worker.add(1)
        worker.turn(2)
        second = worker.add(2, user_id=2)
        worker.turn(4)
        worker.settle()
        assert first.future.done()
        assert second.future.done()
        assert worker.loop.counters.calls == 6
        assert worker.loop.counters.rows == 16, "two steps of both together, two of each alone"


def test_a_cancelled_job_is_gone_before_the_next_step(tiny_model: LoadedModel) -> None:
    with make_worker(tiny_model) as worker:
        job = worker.add(1)
        worker.turn(2)
        worker.jobs.cancel(1)
        worker.turn()
        assert isinstance(job.future.exception(0), JobCancelled)
        assert job.is_over
        assert worker.loop.counters.calls == 2


def test_a_job_with_an_init_image_begins_when_it_has_been_read(tiny_model: LoadedModel) -> None:
    with make_worker(tiny_model) as worker:
        job = worker.add(1, replace(SMALL, init_image=png_of("red"), strength=0.5))
        worker.turn()
        worker.settle()
        assert job.samples == []
        worker.turn(2)
        worker.settle()
        assert job.future.result(0).released
        assert worker.steps_of(1) == [0, 1, 2]


def test_an_init_image_that_is_refused_ends_its_job_without_a_step(tiny_model: LoadedModel) -> None:
    with make_worker(tiny_model) as worker:
        job = worker.add(1, replace(SMALL, init_image=b"no picture"))
        worker.turn()
        worker.settle()
        worker.turn()
        assert isinstance(job.future.exception(0), PictureRefused)
        assert worker.loop.counters.calls == 0


def test_a_job_that_was_cancelled_while_its_init_image_was_read_does_not_begin(tiny_model: LoadedModel) -> None:
    with make_worker(tiny_model) as worker:
        job = worker.add(1, replace(SMALL, init_image=png_of("red")))
        worker.turn()
        worker.jobs.cancel(1)
        worker.settle()
        worker.turn(2)
        assert isinstance(job.future.exception(0), JobCancelled)
        assert worker.loop.counters.calls == 0


def test_a_picture_whose_numbers_break_fails_alone(tiny_model: LoadedModel) -> None:
    class Breaking(Pipeline):
        def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
            output = super().predict(latents, timesteps, embeds)
            output[0] = float("nan")
            return output

    with make_worker(tiny_model, pipeline=Breaking(tiny_model)) as worker:
        broken, fine = worker.add(1), worker.add(2, user_id=2)
        worker.turn()
        ended = [job for job in (broken, fine) if job.future.done()]
        assert len(ended) == 1
        error = ended[0].future.exception(0)
        assert isinstance(error, PaintingFailed)
        assert "not numbers" in str(error)


def test_the_threads_have_names_that_say_what_they_do(tiny_model: LoadedModel) -> None:
    with start_postprocess_thread(Pipeline(tiny_model)) as executor:
        assert executor.submit(lambda: threading.current_thread().name).result(SECONDS) == "postprocess_0"
