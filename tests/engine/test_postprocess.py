"""What the postprocess thread does, called in the test's own thread: answers, refusals, previews."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from PIL import Image

from domain import ApprovedRequest, PaintingFailed, Picture, PictureRefused, Progress
from engine.safety import FixedScores
from engine.sampling.batcher import Batcher
from engine.sampling.model import LoadedModel
from engine.sampling.pipeline import Pipeline
from engine.worker.open_jobs import OpenJobs
from engine.worker.postprocess import Postprocessor
from engine.worker.postprocess_thread import PostprocessThread
from engine.worker.previews import Previews
from engine.worker.running_job import RunningJob
from engine.worker.throughput import ThroughputEstimate
from tests.support.engine import SMALL, UNSAFE, make_task, png_of
from tests.support.requests import PROFILE

pytestmark = [pytest.mark.pipeline, pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")]


class AtOnce(Executor):
    """Does in the caller's thread what is handed to it; or later, when it is told to wait."""

    def __init__(self, *, is_waiting: bool = False) -> None:
        self.is_waiting = is_waiting
        self.left: list[Callable[[], Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.left.append(lambda: fn(*args, **kwargs))
        if not self.is_waiting:
            self.run()
        return Future()

    def run(self) -> None:
        while self.left:
            self.left.pop(0)()


class Broken(Postprocessor):
    """Fails at everything."""

    def make_pictures(self, job_id: int, approved: ApprovedRequest, images: Any) -> tuple[Picture, ...]:
        raise RuntimeError("injected")

    def make_preview(self, approved: ApprovedRequest, latents: torch.Tensor) -> bytes | None:
        raise RuntimeError("injected")


@dataclass
class Bench:
    """A postprocess thread without a thread, and a job that was begun."""

    pipeline: Pipeline
    postprocessor: Postprocessor
    executor: AtOnce
    jobs: OpenJobs
    thread: PostprocessThread
    throughput: ThroughputEstimate
    job: RunningJob
    seen: list[Progress]


def make_bench(
    model: LoadedModel, checker: FixedScores, kind: type[Postprocessor] = Postprocessor, **changes: Any
) -> Bench:
    pipeline, executor, jobs, throughput = Pipeline(model), AtOnce(), OpenJobs(), ThroughputEstimate()
    postprocessor = kind(pipeline, checker, model.profile.identity)
    thread = PostprocessThread(executor, postprocessor, jobs, throughput, clock=lambda: 13.0)
    seen: list[Progress] = []
    job = RunningJob.of(make_task(4, replace(SMALL, **changes)), PROFILE, seen.append)
    jobs.add(job)
    jobs.take(lambda _job: True)
    job.started_at = 3.0
    return Bench(pipeline, postprocessor, executor, jobs, thread, throughput, job, seen)


def begin(bench: Bench) -> Batcher:
    batcher = Batcher(bench.pipeline)
    (bench.job.samples,) = batcher.admit([bench.job])
    return batcher


def test_a_painted_job_is_answered_with_checked_pictures_and_its_seconds(tiny_model: LoadedModel) -> None:
    bench = make_bench(tiny_model, FixedScores(), images=2)
    begin(bench)
    bench.job.images = {SMALL.seed + n: Image.new("RGB", (64, 64), colour) for n, colour in enumerate(("red", "blue"))}
    bench.thread.finish(bench.job)
    result = bench.job.future.result(0)
    assert [picture.seed for picture in result.pictures] == [SMALL.seed, SMALL.seed + 1]
    colours = [Image.open(io.BytesIO(picture.png)).getpixel((0, 0)) for picture in result.released if picture.png]
    assert colours == [(255, 0, 0), (0, 0, 255)]
    assert result.seconds == 10.0
    assert result.model == tiny_model.profile.identity
    assert bench.throughput.seconds_per_picture == 5.0, "two pictures in ten seconds: the mean stays at five"


def test_what_can_not_be_finished_is_answered_with_a_failure(tiny_model: LoadedModel) -> None:
    bench = make_bench(tiny_model, FixedScores(), Broken)
    begin(bench)
    bench.job.images = {SMALL.seed: Image.new("RGB", (64, 64))}
    bench.thread.finish(bench.job)
    assert isinstance(bench.job.future.exception(0), PaintingFailed)


def test_an_init_image_is_read_to_the_requests_size_with_its_mask(tiny_model: LoadedModel) -> None:
    bench = make_bench(tiny_model, FixedScores(), init_image=b"given", mask_image=png_of("white"))
    bench.thread.read_init_image(bench.job, png_of("red"))
    assert bench.jobs.take_ready() == [bench.job]
    init = bench.job.init_image
    assert init is not None
    assert init.image.size == (64, 64)
    assert init.mask is not None
    assert init.mask.shape == (1, 8, 8)
    assert bool(init.mask.all())
    latents = init.encode(bench.pipeline)
    assert latents.latents.shape == (4, 8, 8)
    assert latents.mask is not None


@pytest.mark.parametrize(
    ("scores", "data", "words"), [(UNSAFE, png_of("red"), "picture check"), (None, b"no picture", "can't be read")]
)
def test_an_init_image_that_may_not_be_used_is_a_refusal(
    tiny_model: LoadedModel, scores: dict[str, float] | None, data: bytes, words: str
) -> None:
    bench = make_bench(tiny_model, FixedScores(scores))
    bench.thread.read_init_image(bench.job, data)
    assert bench.jobs.take_ready() == [bench.job]
    assert isinstance(bench.job.refusal, PictureRefused)
    assert words in str(bench.job.refusal)


def test_an_init_image_that_breaks_its_reader_is_a_failure_and_the_job_still_gets_an_answer(
    tiny_model: LoadedModel,
) -> None:
    class BrokenReader(Postprocessor):
        def read_init_image(self, approved: ApprovedRequest, data: bytes) -> Any:
            raise RuntimeError("injected")

    bench = make_bench(tiny_model, FixedScores(), BrokenReader)
    bench.thread.read_init_image(bench.job, png_of("red"))
    assert bench.jobs.take_ready() == [bench.job]
    assert isinstance(bench.job.refusal, PaintingFailed)


def previews_at(bench: Bench, times: dict[int, float], *, every: int = 2, seconds: float = 10.0) -> list[int]:
    """Paints the job; `times` is the clock after each step. The steps at which a preview was shown."""
    batcher, now = begin(bench), 0.0
    previews = Previews(bench.executor, bench.postprocessor, every=every, seconds=seconds, clock=lambda: now)
    for step in range(1, bench.job.calls + 1):
        batcher.step()
        now = times.get(step, now)
        previews.offer(bench.job)
    return [progress.step for progress in bench.seen if progress.preview is not None]


def test_previews_come_a_step_after_they_are_due_and_not_too_often(tiny_model: LoadedModel) -> None:
    bench = make_bench(tiny_model, FixedScores(), num_inference_steps=12)
    # Due at 2; at 4 and 6 ten seconds have not passed; due at 8; at 11 the picture is as good as finished.
    assert previews_at(bench, {2: 5.0, 4: 10.0, 8: 15.0, 10: 99.0}) == [3, 9, 11]
    assert Image.open(io.BytesIO(next(one.preview for one in bench.seen if one.preview))).format == "JPEG"


def test_while_a_preview_is_being_made_no_other_is_begun(tiny_model: LoadedModel) -> None:
    bench = make_bench(tiny_model, FixedScores(), num_inference_steps=12)
    bench.executor.is_waiting = True
    assert previews_at(bench, {}, seconds=0.0) == []
    assert len(bench.executor.left) == 1
    bench.job.is_over = True
    bench.executor.run()
    assert bench.seen == [], "nobody is shown a preview of a job that is over"


@pytest.mark.parametrize(("scores", "kind"), [(UNSAFE, Postprocessor), (None, Broken)])
def test_a_preview_that_is_withheld_or_fails_is_not_shown_and_hurts_nobody(
    tiny_model: LoadedModel, scores: dict[str, float] | None, kind: type[Postprocessor]
) -> None:
    bench = make_bench(tiny_model, FixedScores(scores), kind, num_inference_steps=12)
    assert previews_at(bench, {}, seconds=0.0) == []
    assert bench.seen == []
    assert not bench.job.future.done()
