"""The one GPU thread, and the second thread that finishes pictures.

    submit → FairQueue → [GPU thread: admit → step → retire] → [finishing thread: check → PNG] → Future

The GPU thread never waits for the picture check or for PNG encoding; nothing leaves the finishing thread that the check
has not released. A crash of the GPU thread's loop puts its jobs back into the queue, and it goes on.
"""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import torch
from PIL import Image

from domain import (
    JobCancelled,
    ModelProfile,
    Painting,
    PaintingFailed,
    PictureRefused,
    Progress,
    Request,
    Result,
    SafetyReport,
    Standing,
    Task,
)
from engine.batcher import Batcher, Sample, Start
from engine.model import LoadedModel
from engine.pipeline import Pipeline
from engine.png import write_png
from engine.prompt import TokenReport, count_tokens
from engine.queue import Entry, FairQueue
from engine.safety import SafetyChecker
from engine.start_picture import read_mask, read_start_picture
from engine.validation import validate

log = logging.getLogger(__name__)

OnProgress = Callable[[Progress], None]
PREVIEW_SECONDS = 1.5
PREVIEW_QUALITY = 80
MOST_ATTEMPTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineReport:
    """What the engine is doing; `seconds_per_picture` is a recent mean, `rows_per_call` the mean UNet batch."""

    queued: int
    running: int
    users_waiting: int
    seconds_per_picture: float
    rows_per_call: float
    paused: bool
    alive: bool


class Backend(Protocol):
    """Whatever paints. Every method may be called from any thread and returns at once, except `close`."""

    @property
    def profile(self) -> ModelProfile: ...
    def start(self) -> None: ...
    def submit(self, task: Task, on_progress: OnProgress) -> Future[Result]: ...
    def validate(self, request: Request) -> None: ...
    def tokens(self, prompt: str) -> TokenReport: ...
    def cancel(self, job_id: int) -> bool: ...
    def standing(self, job_id: int) -> Standing | None: ...
    def report(self) -> EngineReport: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def close(self, *, drain_seconds: float = 0) -> None: ...


@dataclass(slots=True, eq=False)
class _Work:
    """A task with its way back."""

    task: Task
    on_progress: OnProgress
    future: Future[Result]
    samples: list[Sample] = field(default_factory=list[Sample])
    started_at: float = 0.0
    previewed_at: float = float("-inf")
    is_previewing: bool = False
    is_cancelled: bool = False
    attempts: int = 0
    start: Start | None = None


class LocalBackend:
    """A model on this machine's device."""

    def __init__(
        self,
        model: LoadedModel,
        checker: SafetyChecker,
        *,
        max_queue: int = 10_000,
        max_rows: int = 16,
        reproducible: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._pipeline = Pipeline(model)
        self._checker = checker
        self._clock = clock
        self._batcher = Batcher(self._pipeline, max_rows, reproducible)
        self._lock = threading.Condition()
        self._queue: FairQueue[_Work] = FairQueue(max_queue)
        self._running: dict[int, _Work] = {}
        self._paused = self._closing = False
        self._seconds_per_picture = 1.0
        self._thread = threading.Thread(target=self._run, name="gpu", daemon=True)
        self._finisher = ThreadPoolExecutor(1, thread_name_prefix="finish")

    @property
    def profile(self) -> ModelProfile:
        return self._model.profile

    def start(self) -> None:
        """Start the worker thread; `submit` does it too."""
        with self._lock:
            if not self._thread.is_alive() and not self._closing:
                self._thread.start()

    # ---- called from any thread ------------------------------------------------------------------------------------

    def submit(self, task: Task, on_progress: OnProgress) -> Future[Result]:
        """Queue a task; raises QueueFull. The future ends with a Result, JobCancelled, or another UserError."""
        work = _Work(task, on_progress, Future())
        with self._lock:
            self._queue.push(self._entry(work))
            self._lock.notify_all()
        self.start()
        return work.future

    def _entry(self, work: _Work) -> Entry[_Work]:
        task, request = work.task, work.task.approved.request
        guild_key = task.approved.place.guild_id or -task.user_id  # everybody's DMs are a server of their own
        return Entry(task.job_id, guild_key, task.user_id, _cost(request), work, task.weight, task.guild_weight)

    def validate(self, request: Request) -> None:
        """Raise InvalidRequest if the request can't be painted as it stands."""
        validate(request, self.profile, self.tokens(request.prompt), self.tokens(request.negative_prompt))

    def tokens(self, prompt: str) -> TokenReport:
        return count_tokens(self._model.tokenizer, prompt)

    def cancel(self, job_id: int) -> bool:
        """Take a job back: at once if it waits, before the next step if it runs. False if it is neither."""
        with self._lock:
            entry = self._queue.remove(job_id)
            if entry is None:
                work = self._running.get(job_id)
                if work is None:
                    return False
                work.is_cancelled = True
                return True
        _fail(entry.item, JobCancelled("Cancelled; nothing was charged."))
        return True

    def standing(self, job_id: int) -> Standing | None:
        with self._lock:
            if job_id not in self._queue:
                return None
            order = list(self._queue.order())
            owed = sum(_remaining(work) for work in self._running.values())
        ahead = next(number for number, entry in enumerate(order) if entry.job_id == job_id)
        owed += sum(entry.cost for entry in order[: ahead + 1])
        return Standing(ahead=ahead, wait_seconds=owed * self._batcher.row_seconds)

    def report(self) -> EngineReport:
        with self._lock:
            return EngineReport(
                queued=len(self._queue),
                running=len(self._running),
                users_waiting=self._queue.users_waiting(),
                seconds_per_picture=self._seconds_per_picture,
                rows_per_call=self._batcher.rows / max(self._batcher.calls, 1),
                paused=self._paused,
                alive=self._thread.is_alive(),
            )

    def pause(self) -> None:
        """Start nothing new; what is being painted is finished."""
        with self._lock:
            self._paused = True

    def resume(self) -> None:
        with self._lock:
            self._paused = False
            self._lock.notify_all()

    def close(self, *, drain_seconds: float = 0) -> None:
        """Stop between two steps. What is not finished is left to whoever owns the jobs: its future is cancelled."""
        deadline = self._clock() + drain_seconds
        with self._lock:
            while drain_seconds and self._running and self._clock() < deadline:
                self._lock.wait(deadline - self._clock())
            self._closing = True
            self._lock.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        self._finisher.shutdown(wait=True)
        for work in [entry.item for entry in self._queue.order()] + list(self._running.values()):
            work.future.cancel()

    # ---- the GPU thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._wait_for_work():
            try:
                self._admit()
                if len(self._batcher):
                    self._retire(self._batcher.step())
            except Exception:  # the worker's border: its jobs go back into the queue
                log.exception("the worker's loop failed; its jobs start again")
                self._start_again()

    def _wait_for_work(self) -> bool:
        with self._lock:
            while not self._closing and not self._running and (self._paused or not len(self._queue)):
                self._lock.wait()
            return not self._closing

    def _admit(self) -> None:
        """Drop cancelled jobs, then fill free rows from the queue."""
        for work in [work for work in self._running.values() if work.is_cancelled]:
            self._drop(work, JobCancelled("Cancelled; nothing was charged."))
        while self._batcher.has_room:
            with self._lock:
                entry = None if self._paused else self._queue.pop()
                if entry is None:
                    return
                work = entry.item
                self._running[work.task.job_id] = work
            self._begin(work)

    def _begin(self, work: _Work) -> None:
        request = work.task.approved.request
        work.started_at = self._clock()
        try:
            start = self._start_of(work, request)
            work.samples = self._batcher.admit(work.task.job_id, request, start)
        except PictureRefused as error:
            self._drop(work, error)
        else:
            self._tell(work)

    def _start_of(self, work: _Work, request: Request) -> Start | None:
        """The start picture's latents, after the picture check."""
        if request.init_image is None:
            return None
        size = (request.width, request.height)
        image = read_start_picture(request.init_image, size)
        report = self._checker.check([image], work.task.approved.place.level, strict=True)[0]
        if not report.is_safe:
            raise PictureRefused("The start picture did not pass the picture check, so it can't be used.")
        mask = None if request.mask_image is None else read_mask(request.mask_image, size, self._pipeline.factor)
        return Start(self._pipeline.encode_image(image), mask)

    def _retire(self, moved: list[Sample]) -> None:
        """Tell progress; decode what is finished and hand it to the finishing thread."""
        for job_id in dict.fromkeys(sample.job_id for sample in moved):
            work = self._running[job_id]
            failure = next((sample.failure for sample in work.samples if sample.failure), None)
            if failure is not None:
                self._drop(work, PaintingFailed(failure))
            elif all(sample.is_finished for sample in work.samples):
                self._decode(work)
            else:
                self._tell(work)

    def _decode(self, work: _Work) -> None:
        try:
            images = self._pipeline.decode(torch.cat([sample.latents for sample in work.samples]))
        except FloatingPointError:
            self._drop(work, PaintingFailed("This picture could not be decoded; nothing was charged."))
            return
        self._finisher.submit(self._finish, work, images)
        self._forget(work)

    def _drop(self, work: _Work, error: Exception) -> None:
        self._forget(work)
        _fail(work, error)

    def _forget(self, work: _Work) -> None:
        self._batcher.remove(work.task.job_id)
        with self._lock:
            self._running.pop(work.task.job_id, None)
            self._lock.notify_all()

    def _start_again(self) -> None:
        for work in list(self._running.values()):
            self._forget(work)
            work.attempts += 1
            if work.attempts >= MOST_ATTEMPTS:
                _fail(work, PaintingFailed("This picture could not be painted; nothing was charged."))
            else:
                with self._lock:
                    self._queue.push(self._entry(work))

    # ---- progress and finishing ------------------------------------------------------------------------------------

    def _tell(self, work: _Work) -> None:
        step, total = _progress_of(work)
        work.on_progress(Progress(job_id=work.task.job_id, step=step, total_steps=total))
        due = self._clock() - work.previewed_at >= PREVIEW_SECONDS
        if due and not work.is_previewing and 0 < step < total:
            work.is_previewing, work.previewed_at = True, self._clock()
            self._finisher.submit(self._preview, work, work.samples[0].latents.clone(), step, total)

    def _preview(self, work: _Work, latents: torch.Tensor, step: int, total: int) -> None:
        try:
            image = self._pipeline.preview(latents)
            if self._check([image], work)[0].is_safe and work.task.job_id in self._running:
                buffer = io.BytesIO()
                image.save(buffer, "JPEG", quality=PREVIEW_QUALITY)
                work.on_progress(
                    Progress(job_id=work.task.job_id, step=step, total_steps=total, preview=buffer.getvalue())
                )
        except Exception:  # a preview is never worth a job
            log.exception("preview of job %d failed", work.task.job_id)
        finally:
            work.is_previewing = False

    def _finish(self, work: _Work, images: list[Image.Image]) -> None:
        """Check, encode, answer. The finishing thread's border."""
        try:
            result = self._result(work, images)
        except Exception as error:
            log.exception("job %d could not be finished", work.task.job_id)
            _fail(work, error)
        else:
            pace = result.seconds / max(len(images), 1)
            self._seconds_per_picture += 0.2 * (pace - self._seconds_per_picture)
            if work.future.set_running_or_notify_cancel():
                work.future.set_result(result)

    def _result(self, work: _Work, images: list[Image.Image]) -> Result:
        request, job_id = work.task.approved.request, work.task.job_id
        reports = self._check(images, work)
        paintings = tuple(
            Painting(
                seed=sample.seed,
                width=image.width,
                height=image.height,
                png=write_png(image, request, sample.seed, self.profile.identity, job_id) if report.is_safe else None,
                safety=report,
            )
            for sample, image, report in zip(work.samples, images, reports, strict=True)
        )
        seconds = self._clock() - work.started_at
        return Result(job_id=job_id, request=request, model=self.profile.identity, paintings=paintings, seconds=seconds)

    def _check(self, images: list[Image.Image], work: _Work) -> list[SafetyReport]:
        approved = work.task.approved
        return self._checker.check(images, approved.place.level, strict=approved.verdict.strict_picture)


def _cost(request: Request) -> float:
    """UNet rows of a request, scaled by its area: the unit of the fair queue and of wait estimates."""
    rows = 2 if request.guidance_scale > 1 else 1
    return request.images * request.num_inference_steps * rows


def _remaining(work: _Work) -> float:
    step, total = _progress_of(work)
    return _cost(work.task.approved.request) * (1 - step / total)


def _progress_of(work: _Work) -> tuple[int, int]:
    """Step and total of the picture that is furthest behind."""
    if not work.samples:
        return 0, max(work.task.approved.request.num_inference_steps, 1)
    return min((sample.step, sample.total_steps) for sample in work.samples)


def _fail(work: _Work, error: Exception) -> None:
    if work.future.set_running_or_notify_cancel():
        work.future.set_exception(error)
