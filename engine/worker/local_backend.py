"""The one GPU thread, and the second thread that finishes pictures.

    submit → FairQueue → [GPU thread: admit → step → retire → decode] → [finishing thread: check → PNG] → Future

The GPU thread never waits for the picture check or for PNG encoding; nothing leaves the finishing thread that the check
has not released. If the GPU thread's loop fails, its jobs go back into the queue and are painted from the start, each
on its own, so that one bad job takes no other with it.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from domain import (
    JobCancelled,
    ModelProfile,
    PaintingFailed,
    PictureRefused,
    Progress,
    Request,
    Result,
    Standing,
    Task,
    UserError,
)
from engine.request.prompt import TokenReport, count_tokens
from engine.request.validation import validate
from engine.safety import SafetyChecker
from engine.sampling.batcher import Admission, Batcher, Counters
from engine.sampling.decoding import Decoded, Decoder
from engine.sampling.model import LoadedModel
from engine.sampling.pipeline import Pipeline
from engine.sampling.profiling import IdleWork, RowProfile
from engine.sampling.row_selection import DEFAULT_ROWS
from engine.sampling.sample import Sample
from engine.worker.backend import Backend, EngineReport, OnProgress
from engine.worker.fair_queue import Entry, FairQueue
from engine.worker.postprocess import Finisher
from engine.worker.previews import Previews
from engine.worker.running_job import Pace, Work

__all__ = ["Backend", "EngineReport", "LocalBackend", "OnProgress"]

log = logging.getLogger(__name__)

CANCELLED = "Cancelled; nothing was charged."
FAILED = "This picture could not be painted; nothing was charged."
MAX_ATTEMPTS = 3
ENCODED_AHEAD = 8


class LocalBackend:
    """A model on this machine's device. Every method may be called from any thread; only `close` waits."""

    def __init__(
        self,
        model: LoadedModel,
        checker: SafetyChecker,
        *,
        max_queue: int = 10_000,
        max_rows: int = DEFAULT_ROWS,
        reproducible: bool = False,
        preview_every: int = 3,
        preview_seconds: float = 1.5,
        pipeline: Pipeline | None = None,
        profile: RowProfile | None = None,
        idle_work: IdleWork | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`profile` says how many rows pay for each size; `idle_work` is done while nobody waits."""
        self._model = model
        self._pipeline = pipeline or Pipeline(model, reproducible=reproducible)
        self._finisher = Finisher(self._pipeline, checker, model.profile.identity)
        self._max_rows, self._profile, self._idle_work = max_rows, profile, idle_work
        self._clock = clock
        self._batcher, self._decoder = self._new_batcher()
        self._lock = threading.Condition()
        self._tokenizer_lock = threading.Lock()
        self._queue: FairQueue[Work] = FairQueue(max_queue)
        self._running: dict[int, Work] = {}
        self._ready: deque[Work] = deque()
        self._paused = self._closing = False
        self._may_admit, self._pace = True, Pace()
        self._thread = self._new_thread()
        self._second_thread = ThreadPoolExecutor(1, "finish", initializer=self._pipeline.enter_thread)
        self._previews = Previews(self._finisher, self._second_thread, preview_every, preview_seconds, clock)

    @property
    def profile(self) -> ModelProfile:
        return self._model.profile

    @property
    def counters(self) -> Counters:
        """What the batcher did since the worker's last start."""
        return self._batcher.counters

    def start(self) -> None:
        """Start the worker thread; `submit` does it too."""
        with self._lock:
            if not self._thread.is_alive() and not self._closing:
                self._thread.start()

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self._run, name="gpu", daemon=True)

    def _new_batcher(self) -> tuple[Batcher, Decoder]:
        batcher = Batcher(self._pipeline, self._max_rows, self._clock, self._profile)
        return batcher, Decoder(self._pipeline, self._clock)

    # ---- called from any thread ------------------------------------------------------------------------------------

    def submit(self, task: Task, on_progress: OnProgress) -> Future[Result]:
        """Queue a task; raises QueueFull. The future ends with a Result, JobCancelled, or another UserError."""
        work = Work.of(task, on_progress, self.profile)
        with self._lock:
            self._queue.push(work.entry())
            self._wake()
        self.start()
        return work.future

    def validate(self, request: Request) -> None:
        """Raise InvalidRequest if the request can't be painted as it stands."""
        validate(request, self.profile, self.tokens(request.prompt), self.tokens(request.negative_prompt))

    def tokens(self, prompt: str) -> TokenReport:
        with self._tokenizer_lock:
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
        _fail(entry.item, JobCancelled(CANCELLED))
        return True

    def standing(self, job_id: int) -> Standing | None:
        """A waiting job's place; the estimate is what all before it still cost, at the pace of the last steps."""
        with self._lock:
            position = self._queue.position(job_id)
            owed = sum(work.remaining for work in self._running.values())
        if position is None:
            return None
        return Standing(ahead=position.ahead, wait_seconds=(owed + position.cost) * self._pace.seconds_per_cost)

    def report(self) -> EngineReport:
        counters = self.counters
        with self._lock:
            return EngineReport(
                queued=len(self._queue),
                running=len(self._running),
                users_waiting=len(self._queue.users()),
                seconds_per_picture=self._pace.seconds_per_picture,
                rows_per_call=counters.rows / max(counters.calls, 1),
                padding_waste=counters.padding / max(counters.rows + counters.padding, 1),
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
            self._wake()

    def close(self, *, drain_seconds: float = 0) -> None:
        """Stop between two steps. What is not finished is left to whoever owns the jobs: its future is cancelled."""
        deadline = self._clock() + drain_seconds
        with self._lock:
            self._paused = True
            while self._running and (left := deadline - self._clock()) > 0:
                self._lock.wait(left)
            self._closing = True
            self._wake()
        if self._thread.is_alive():
            self._thread.join()
        self._second_thread.shutdown(wait=True)
        for work in [*(entry.item for entry in self._queue.order()), *self._running.values()]:
            work.future.cancel()

    def _wake(self) -> None:
        self._may_admit = True
        self._lock.notify_all()

    # ---- the GPU thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._pipeline.enter_thread()
        try:
            while self._wait_for_work():
                self._turn_or_start_again()
        finally:
            if not self._closing:  # what is no Exception has ended this thread: another one goes on
                self._start_again()
                self._thread = self._new_thread()
                self._thread.start()

    def _turn_or_start_again(self) -> None:
        try:
            self._turn()
        except Exception:  # the worker's border: its jobs go back into the queue
            log.exception("the worker's loop failed; its jobs start again")
            self._start_again()

    def _wait_for_work(self) -> bool:
        with self._lock:
            while not self._closing and not self._has_work():
                self._lock.wait()
            return not self._closing

    def _has_work(self) -> bool:
        if len(self._batcher) or len(self._decoder) or self._ready:
            return True
        may_begin = len(self._queue) > 0 and not self._paused and self._may_admit
        if may_begin or any(work.is_cancelled for work in self._running.values()):
            return True
        return self._idle_work is not None and self._idle_work.is_due

    def _turn(self) -> None:
        """Admit, step, retire; then decode what is finished."""
        started = self._clock()
        self._drop_cancelled()
        self._admit()
        if len(self._batcher):
            self._retire(self._batcher.step())
        if self._decoder.is_due(expecting := self._expecting_more()):
            budget = 2 * self._batcher.step_seconds if len(self._batcher) else float("inf")
            self._collect(self._decoder.decode(budget, expecting))
        elif not len(self._batcher) and self._idle_work is not None and self._idle_work.is_due:
            self._idle_work.do_some()
        self._pace.tick(self._clock() - started)

    def _expecting_more(self) -> set[int]:
        """Whoever has pictures being painted or waiting to be; nobody once no step is left to wait for."""
        with self._lock:
            return self._batcher.owners | self._queue.users() if len(self._batcher) else set()

    def _drop_cancelled(self) -> None:
        for work in [work for work in self._running.values() if work.is_cancelled]:
            with self._lock:
                self._queue.charge(work.entry(), -work.remaining)
            self._drop(work, JobCancelled(CANCELLED))

    def _admit(self) -> None:
        """Fill free rows from the queue; start pictures are read by the other thread first."""
        while self._ready:
            self._begin(self._ready.popleft())
        while self._may_admit:
            with self._lock:
                entry = None if self._paused else self._queue.pop(self._fits)
                if entry is None:
                    self._may_admit = False
                    return
                work = self._running[entry.job_id] = entry.item
                ahead = [other.item for other in itertools.islice(self._queue.order(), ENCODED_AHEAD)]
            work.started_at = self._clock()
            if work.request.init_image is not None:
                self._second_thread.submit(self._read_start, work)
                continue
            if not self._pipeline.is_encoded(work.request):
                # Whoever is next has the same text encoding to come: one call for all.
                self._pipeline.encode_prompts([work.request, *(other.request for other in ahead)])
            self._begin(work)

    def _fits(self, entry: Entry[Work]) -> bool:
        """Whether a job may join; one that was there when the loop failed is painted alone."""
        if self._running and (entry.item.attempts or any(work.attempts for work in self._running.values())):
            return False
        return self._batcher.fits(entry.user_id, entry.item.request)

    def _begin(self, work: Work) -> None:
        if work.job_id not in self._running or work.samples:
            return  # cancelled, or begun again, while its start picture was read
        if work.refusal is not None:
            self._drop(work, work.refusal)
            return
        start = None if work.start is None else work.start.encoded(self._pipeline)
        admission = Admission(job_id=work.job_id, owner=work.task.user_id, request=work.request, start=start)
        (work.samples,) = self._batcher.admit([admission])
        self._tell(work)

    def _retire(self, moved: list[Sample]) -> None:
        """Tell progress; what is finished goes to the decoder and leaves its rows to others."""
        for job_id in dict.fromkeys(sample.job_id for sample in moved):
            work = self._running[job_id]
            own = [sample for sample in moved if sample.job_id == job_id]
            self._pace.paint(work.cost * len(own) / (len(work.samples) * own[0].total_steps))
            failure = next((sample.failure for sample in own if sample.failure), None)
            if failure is not None:
                self._drop(work, PaintingFailed(failure))
                continue
            finished = [sample for sample in own if sample.is_finished]
            for sample in finished:
                self._decoder.add(sample)
            self._remove(finished)
            self._tell(work)

    def _collect(self, decoded: list[Decoded]) -> None:
        """Hand jobs whose last picture is decoded to the finishing thread."""
        for one in decoded:
            work = self._running.get(one.sample.job_id)
            if work is None:
                continue
            if one.image is None:
                self._drop(work, PaintingFailed(one.failure or FAILED))
                continue
            work.images[one.sample.seed] = one.image
            if len(work.images) == len(work.samples):
                self._second_thread.submit(self._finish, work)
                self._forget(work)

    def _remove(self, samples: list[Sample]) -> None:
        if samples:
            self._batcher.remove(samples)
            with self._lock:
                self._may_admit = True

    def _drop(self, work: Work, error: UserError) -> None:
        self._forget(work)
        _fail(work, error)

    def _forget(self, work: Work) -> None:
        work.is_over = True
        self._batcher.remove(work.samples)
        self._decoder.remove(work.job_id)
        with self._lock:
            self._running.pop(work.job_id, None)
            self._wake()

    def _start_again(self) -> None:
        """Throw the batch away and put its jobs back; one that was there too often is given up."""
        self._batcher, self._decoder = self._new_batcher()
        with self._lock:
            works = list(self._running.values())
            self._running.clear()
            self._ready.clear()
            for work in works:
                work.begin_again()
                if work.attempts < MAX_ATTEMPTS:
                    self._queue.push(work.entry(), is_known=True)
            self._wake()
        for work in works:
            if work.attempts >= MAX_ATTEMPTS:
                _fail(work, PaintingFailed(FAILED))

    def _tell(self, work: Work) -> None:
        step, total = work.progress
        work.on_progress(Progress(job_id=work.job_id, step=step, total_steps=total))
        self._previews.offer(work)

    # ---- the finishing thread --------------------------------------------------------------------------------------

    def _read_start(self, work: Work) -> None:
        try:
            work.start = self._finisher.read_start(work.task.approved)
        except PictureRefused as refusal:
            work.refusal = refusal
        except Exception:
            log.exception("the start picture of job %d can't be used", work.job_id)
            work.refusal = PaintingFailed(FAILED)
        with self._lock:
            self._ready.append(work)
            self._wake()

    def _finish(self, work: Work) -> None:
        """Check, encode, answer. The finishing thread's border."""
        images = [(sample.seed, work.images[sample.seed]) for sample in work.samples]
        try:
            pictures = self._finisher.make_pictures(work.job_id, work.task.approved, images)
        except Exception:
            log.exception("job %d could not be finished", work.job_id)
            _fail(work, PaintingFailed(FAILED))
            return
        seconds = self._clock() - work.started_at
        self._pace.finish(seconds / len(pictures))
        identity = self.profile.identity
        result = Result(job_id=work.job_id, request=work.request, model=identity, pictures=pictures, seconds=seconds)
        if work.future.set_running_or_notify_cancel():
            work.future.set_result(result)


def _fail(work: Work, error: Exception) -> None:
    if work.future.set_running_or_notify_cancel():
        work.future.set_exception(error)
