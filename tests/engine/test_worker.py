"""The backend as the bot uses it: threads, futures, progress, cancelling, faults."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image

from domain import (
    JobCancelled,
    PaintingFailed,
    PictureRefused,
    Progress,
    QueueFull,
    Result,
)
from engine.safety import FixedScores, SafetyChecker
from engine.sampling.model import LoadedModel
from engine.sampling.pipeline import Pipeline
from engine.worker.local_backend import LocalBackend
from engine.worker.running_job import ignore_progress as ignore
from tests.support.engine import SMALL as BASE
from tests.support.engine import UNSAFE, png_of
from tests.support.engine import make_task as task

pytestmark = [pytest.mark.pipeline, pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")]

SECONDS = 120  # for a busy machine; nothing here waits that long on purpose


@contextmanager
def backend(model: LoadedModel, checker: SafetyChecker | None = None, **options: Any) -> Iterator[LocalBackend]:
    running = LocalBackend(model, checker or FixedScores(), **options)
    try:
        yield running
    finally:
        running.close()


class Gate(Pipeline):
    """Holds the worker before a step until a test lets it go, so that "running" lasts as long as needed."""

    def __init__(self, model: LoadedModel, **options: bool) -> None:
        super().__init__(model, **options)
        self.is_open = threading.Event()
        self.is_reached = threading.Event()
        self.rows: list[int] = []

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
        self.is_reached.set()
        assert self.is_open.wait(SECONDS)
        self.rows.append(len(latents))
        return super().predict(latents, timesteps, embeds)


class Faulty(Pipeline):
    """Calls `fault` with the number of the model call before each one."""

    fault: Callable[[int], None] = staticmethod(lambda _call: None)
    calls = 0

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.fault(self.calls)
        return super().predict(latents, timesteps, embeds)


def png_pixels(result: Result) -> list[bytes]:
    return [Image.open(io.BytesIO(picture.png)).tobytes() for picture in result.released if picture.png]


def test_a_task_becomes_pictures_with_progress_and_previews(tiny_model: LoadedModel) -> None:
    seen: list[Progress] = []
    request = replace(BASE, images=2, num_inference_steps=8)
    with backend(tiny_model, preview_every=2, preview_seconds=0.0) as engine:
        result = engine.submit(task(3, request), seen.append).result(SECONDS)
    assert [picture.seed for picture in result.pictures] == [11, 12]
    assert len(png_pixels(result)) == 2
    assert result.request == request
    assert result.model == tiny_model.profile.identity
    steps = [progress.step for progress in seen if progress.preview is None]
    assert steps == list(range(9))
    previews = [progress.preview for progress in seen if progress.preview]
    assert previews
    assert Image.open(io.BytesIO(previews[0])).format == "JPEG"


def test_a_seed_gives_the_same_pixels_alone_and_under_load_when_reproducible(tiny_model: LoadedModel) -> None:
    with backend(tiny_model, reproducible=True, max_rows=8) as engine:
        alone = engine.submit(task(1), ignore).result(SECONDS)
        others = [
            engine.submit(task(10 + n, replace(BASE, seed=n, num_inference_steps=2 + n, scheduler="euler_a")), ignore)
            for n in range(4)
        ]
        loaded = engine.submit(task(2, user_id=2), ignore)
        assert png_pixels(loaded.result(SECONDS)) == png_pixels(alone)
        assert all(other.result(SECONDS).released for other in others)


def test_withheld_pictures_have_no_file_and_previews_are_not_shown(tiny_model: LoadedModel) -> None:
    seen: list[Progress] = []
    with backend(tiny_model, FixedScores(UNSAFE), preview_every=1, preview_seconds=0.0) as engine:
        result = engine.submit(task(1), seen.append).result(SECONDS)
    assert result.released == ()
    assert result.pictures[0].png is None
    assert all(progress.preview is None for progress in seen)


def test_a_broken_picture_check_withholds_everything(tiny_model: LoadedModel) -> None:
    with backend(tiny_model, FixedScores(RuntimeError("broken"))) as engine:
        result = engine.submit(task(1), ignore).result(SECONDS)
    assert result.pictures[0].safety.verdict == "error"
    assert result.released == ()


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_before_its_next_step(tiny_model: LoadedModel) -> None:
    gate = Gate(tiny_model)
    with backend(tiny_model, pipeline=gate, max_rows=2) as engine:
        running, waiting = engine.submit(task(1), ignore), engine.submit(task(2), ignore)
        assert gate.is_reached.wait(SECONDS)
        assert engine.cancel(2)
        with pytest.raises(JobCancelled):
            waiting.result(0)
        assert engine.cancel(1)
        gate.is_open.set()
        with pytest.raises(JobCancelled):
            running.result(SECONDS)
        assert len(gate.rows) == 1
        assert not engine.cancel(1)


def test_standing_counts_the_jobs_ahead_and_ends_when_the_job_runs(tiny_model: LoadedModel) -> None:
    gate = Gate(tiny_model)
    with backend(tiny_model, pipeline=gate, max_rows=2) as engine:
        futures = [engine.submit(task(number), ignore) for number in (1, 2, 3)]
        assert gate.is_reached.wait(SECONDS)
        second, third = engine.standing(2), engine.standing(3)
        assert engine.standing(1) is None
        assert second is not None
        assert third is not None
        assert (second.ahead, third.ahead) == (0, 1)
        assert 0 < second.wait_seconds < third.wait_seconds
        report = engine.report()
        assert (report.queued, report.running, report.users_waiting) == (2, 1, 1)
        gate.is_open.set()
        for future in futures:
            future.result(SECONDS)
        assert engine.standing(3) is None


def test_a_report_says_how_full_the_calls_were(tiny_model: LoadedModel) -> None:
    with backend(tiny_model, reproducible=True, max_rows=8) as engine:
        before = engine.report()
        assert engine.submit(task(1), ignore).result(SECONDS).released
        report = engine.report()
    assert (before.rows_per_call, before.padding_waste) == (0, 0)
    assert (report.rows_per_call, report.padding_waste) == (2, 0.75), "a guided picture's two rows of eight"


def test_a_full_queue_takes_no_more(tiny_model: LoadedModel) -> None:
    with backend(tiny_model, max_queue=1) as engine:
        engine.pause()
        engine.submit(task(1), ignore)
        with pytest.raises(QueueFull):
            engine.submit(task(2), ignore)


def test_paused_work_waits_until_it_is_resumed(tiny_model: LoadedModel) -> None:
    with backend(tiny_model) as engine:
        engine.pause()
        future = engine.submit(task(1), ignore)
        assert engine.standing(1) is not None
        assert engine.report().paused
        engine.resume()
        assert future.result(SECONDS).released


def test_closing_cancels_what_is_not_finished(tiny_model: LoadedModel) -> None:
    gate = Gate(tiny_model)
    engine = LocalBackend(tiny_model, FixedScores(), pipeline=gate, max_rows=2)
    futures = [engine.submit(task(number), ignore) for number in (1, 2)]
    assert gate.is_reached.wait(SECONDS)
    closing = threading.Thread(target=engine.close)
    closing.start()
    gate.is_open.set()
    closing.join(SECONDS)
    assert len(gate.rows) == 1
    for future in futures:
        with pytest.raises(CancelledError):
            future.result(0)


def test_closing_with_time_to_drain_finishes_what_runs(tiny_model: LoadedModel) -> None:
    engine = LocalBackend(tiny_model, FixedScores(), max_rows=2)
    started = threading.Event()
    future = engine.submit(task(1), lambda _progress: started.set())
    assert started.wait(SECONDS)
    engine.close(drain_seconds=SECONDS)
    assert future.result(0).released


def test_a_start_picture_is_painted_on_and_an_unsafe_one_refused(tiny_model: LoadedModel) -> None:
    request = replace(BASE, init_image=png_of("red"), mask_image=png_of("white"), strength=0.5)
    with backend(tiny_model) as engine:
        assert engine.submit(task(1, request), ignore).result(SECONDS).released
    with backend(tiny_model, FixedScores(UNSAFE)) as engine, pytest.raises(PictureRefused, match="picture check"):
        engine.submit(task(1, request), ignore).result(SECONDS)


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"no picture", "can't be read"), (b"x" * (10 * 2**20 + 1), "10 MiB"), (png_of("red")[:60], "can't be read")],
)
def test_a_start_picture_beyond_the_limits_is_refused(tiny_model: LoadedModel, data: bytes, words: str) -> None:
    with backend(tiny_model) as engine:
        refused = engine.submit(task(1, replace(BASE, init_image=data)), ignore)
        fine = engine.submit(task(2), ignore)
        with pytest.raises(PictureRefused, match=words):
            refused.result(SECONDS)
        assert fine.result(SECONDS).released


def test_a_picture_bomb_is_refused_before_it_is_unpacked(tiny_model: LoadedModel) -> None:
    buffer = io.BytesIO()
    Image.new("L", (20_000, 5_000)).save(buffer, "PNG")
    with backend(tiny_model) as engine, pytest.raises(PictureRefused):
        engine.submit(task(1, replace(BASE, init_image=buffer.getvalue())), ignore).result(SECONDS)


def outcome(future: Future[Result]) -> list[bytes] | str:
    error = future.exception(SECONDS)
    return str(error) if error is not None else png_pixels(future.result())


def test_a_crash_of_the_loop_loses_no_job(tiny_model: LoadedModel) -> None:
    def crash_once(call: int) -> None:
        if call == 2:
            raise RuntimeError("injected")

    with backend(tiny_model) as engine:
        expected = outcome(engine.submit(task(1), ignore))
    pipeline = Faulty(tiny_model)
    pipeline.fault = crash_once
    with backend(tiny_model, pipeline=pipeline) as engine:
        futures = [engine.submit(task(number), ignore) for number in (1, 2, 3)]
        assert all(future.result(SECONDS).released for future in futures)
        assert outcome(futures[0]) == expected


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_death_of_the_thread_starts_another(tiny_model: LoadedModel) -> None:
    def exit_once(call: int) -> None:
        if call == 2:
            raise SystemExit

    pipeline = Faulty(tiny_model)
    pipeline.fault = exit_once
    with backend(tiny_model, pipeline=pipeline) as engine:
        assert engine.submit(task(1), ignore).result(SECONDS).released
        assert engine.report().alive


def test_a_job_that_always_crashes_is_given_up_and_takes_no_other_with_it(tiny_model: LoadedModel) -> None:
    class Poisoned(Pipeline):
        def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
            if latents.shape[-1] != latents.shape[-2]:
                raise RuntimeError("injected: not square")
            return super().predict(latents, timesteps, embeds)

    with backend(tiny_model, pipeline=Poisoned(tiny_model)) as engine:
        poison = engine.submit(task(1, replace(BASE, width=80)), ignore)
        fine = [engine.submit(task(number), ignore) for number in (2, 3)]
        with pytest.raises(PaintingFailed):
            poison.result(SECONDS)
        assert all(future.result(SECONDS).released for future in fine)


def test_running_out_of_memory_loses_no_job_and_changes_no_picture(tiny_model: LoadedModel) -> None:
    def sometimes(call: int) -> None:
        if call % 3 == 0:
            raise torch.OutOfMemoryError("injected")

    requests = [replace(BASE, seed=seed, num_inference_steps=3 + seed) for seed in range(3)]
    with backend(tiny_model) as engine:
        expected = [outcome(engine.submit(task(n, request), ignore)) for n, request in enumerate(requests)]
    pipeline = Faulty(tiny_model)
    pipeline.fault = sometimes
    with backend(tiny_model, pipeline=pipeline) as engine:
        futures = [engine.submit(task(n, request), ignore) for n, request in enumerate(requests)]
        for future, pixels in zip(futures, expected, strict=True):
            (ours,), (theirs,) = outcome(future), pixels
            assert isinstance(ours, bytes)
            assert isinstance(theirs, bytes)
            assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) <= 1


def test_a_newcomer_joins_a_batch_that_a_flood_has_filled(tiny_model: LoadedModel) -> None:
    order: list[int] = []
    with backend(tiny_model, max_rows=4) as engine:
        engine.pause()
        flood = [engine.submit(task(number), ignore) for number in range(1, 9)]
        light = engine.submit(task(99, user_id=2), ignore)
        for future in [*flood, light]:
            future.add_done_callback(lambda done: order.append(done.result().job_id))
        engine.resume()
        for future in [*flood, light]:
            future.result(SECONDS)
    assert order.index(99) <= 2
