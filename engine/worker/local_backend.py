"""A model on this machine's device behind the `Backend` protocol. This file is the public API, for any thread.

    submit → OpenJobs → [GPU thread: admit → step → retire → decode] → [postprocess thread: check → PNG] → Future

The GPU thread is `gpu_loop.py`, the postprocess thread `postprocess_thread.py`; they meet in `open_jobs.py`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from domain import ModelProfile, Request, Result, Standing, Task
from engine.request.prompt import TokenReport, count_tokens
from engine.request.validation import validate
from engine.safety import SafetyChecker
from engine.sampling.batcher import Counters
from engine.sampling.model import LoadedModel
from engine.sampling.pipeline import Pipeline
from engine.sampling.profiling import IdleWork, RowProfile
from engine.sampling.row_selection import DEFAULT_ROWS
from engine.worker.backend import EngineReport, OnProgress
from engine.worker.gpu_loop import GpuLoop
from engine.worker.open_jobs import OpenJobs
from engine.worker.postprocess import Postprocessor
from engine.worker.postprocess_thread import PostprocessThread, start_postprocess_thread
from engine.worker.previews import Previews
from engine.worker.running_job import RunningJob
from engine.worker.throughput import ThroughputEstimate


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
        row_profile: RowProfile | None = None,
        idle_work: IdleWork | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`row_profile` says how many rows pay for each size; `idle_work` is done while nobody waits."""
        self._model = model
        self._tokenizer_lock = threading.Lock()
        pipeline = pipeline or Pipeline(model, reproducible=reproducible)
        postprocessor = Postprocessor(pipeline, checker, model.profile.identity)
        executor = start_postprocess_thread(pipeline)
        previews = Previews(executor, postprocessor, every=preview_every, seconds=preview_seconds, clock=clock)
        self._throughput = ThroughputEstimate()
        self._jobs = OpenJobs(max_queue, clock)
        self._postprocess = PostprocessThread(executor, postprocessor, self._jobs, self._throughput, clock)
        self._loop = GpuLoop(
            pipeline, self._jobs, self._postprocess, previews, self._throughput,
            max_rows=max_rows, row_profile=row_profile, idle_work=idle_work, clock=clock,
        )  # fmt: skip

    @property
    def profile(self) -> ModelProfile:
        """What the model can do."""
        return self._model.profile

    @property
    def counters(self) -> Counters:
        """What the batcher did since the GPU thread's last start."""
        return self._loop.counters

    def submit(self, task: Task, on_progress: OnProgress) -> Future[Result]:
        """Queue a task; raises QueueFull if it is not known.

        The future ends with a Result, JobCancelled, or another UserError.
        """
        job = RunningJob.of(task, self.profile, on_progress)
        self._jobs.add(job)
        self._loop.start()
        return job.future

    def validate(self, request: Request) -> None:
        """Raise InvalidRequest if the request can't be painted as it stands."""
        validate(request, self.profile, self.tokens(request.prompt), self.tokens(request.negative_prompt))

    def tokens(self, prompt: str) -> TokenReport:
        """How many tokens a prompt has. Raises InvalidRequest."""
        with self._tokenizer_lock:
            return count_tokens(self._model.tokenizer, prompt)

    def cancel(self, job_id: int) -> bool:
        """Take a job back: at once if it waits, before the next step if it runs. False if it is neither."""
        return self._jobs.cancel(job_id)

    def standing(self, job_id: int) -> Standing | None:
        """A waiting job's place; the estimate is what all before it still cost, at the speed of the last steps."""
        position = self._jobs.position(job_id)
        if position is None:
            return None
        return Standing(ahead=position.ahead, wait_seconds=position.cost * self._throughput.seconds_per_cost)

    def report(self) -> EngineReport:
        """What the engine is doing now."""
        counters = self.counters
        queued, running, users_waiting = self._jobs.counts()
        return EngineReport(
            queued=queued,
            running=running,
            users_waiting=users_waiting,
            seconds_per_picture=self._throughput.seconds_per_picture,
            rows_per_call=counters.rows / max(counters.calls, 1),
            padding_waste=counters.padding / max(counters.rows + counters.padding, 1),
            paused=self._jobs.is_paused,
            alive=self._loop.is_alive,
        )

    def pause(self) -> None:
        """Start nothing new; what is being painted is finished."""
        self._jobs.pause()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._jobs.resume()

    def close(self, *, drain_seconds: float = 0) -> None:
        """Stop between two steps. Jobs that are not finished stay with the caller: their futures are cancelled."""
        self._jobs.drain(drain_seconds)
        self._loop.join()
        self._postprocess.close()
        self._jobs.abandon()
