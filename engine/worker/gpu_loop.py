"""The GPU thread's loop: admit, one UNet step for all rows, retire, decode.

It never waits for the safety checker or for PNG encoding: painted jobs go to the postprocess thread. If the loop fails,
its jobs go back into the queue and are painted from the start, each on its own, so that one bad job takes no other with
it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from domain import JobCancelled, PaintingFailed, UserError
from engine.sampling.batcher import Batcher, Counters
from engine.sampling.decoding import Decoded, Decoder
from engine.sampling.pipeline import Pipeline
from engine.sampling.profiling import IdleWork, RowProfile
from engine.sampling.row_selection import DEFAULT_ROWS
from engine.sampling.sample import Sample
from engine.worker.open_jobs import CANCELLED, OpenJobs
from engine.worker.postprocess_thread import FAILED, PostprocessThread
from engine.worker.previews import Previews
from engine.worker.running_job import RunningJob
from engine.worker.throughput import ThroughputEstimate

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
ENCODED_AHEAD = 8


class GpuLoop:
    """Paints open jobs. `start`, `join`, `is_alive` and `counters` are for any thread, the rest is the loop's own."""

    def __init__(
        self,
        pipeline: Pipeline,
        jobs: OpenJobs,
        postprocess: PostprocessThread,
        previews: Previews,
        throughput: ThroughputEstimate,
        *,
        max_rows: int = DEFAULT_ROWS,
        row_profile: RowProfile | None = None,
        idle_work: IdleWork | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pipeline, self._jobs, self._postprocess = pipeline, jobs, postprocess
        self._previews, self._throughput = previews, throughput
        self._max_rows, self._row_profile, self._idle_work, self._clock = max_rows, row_profile, idle_work, clock
        self._starting = threading.Lock()
        self._batcher, self._decoder = self._new_batcher()
        self._thread = self._new_thread()

    def start(self) -> None:
        """Start the thread, unless it runs or shall end."""
        with self._starting:
            if not self._thread.is_alive() and not self._jobs.is_closing:
                self._thread.start()

    def join(self) -> None:
        """Wait for the thread's end, once the open jobs are closing."""
        while (thread := self._current_thread()).is_alive():
            thread.join()

    def _current_thread(self) -> threading.Thread:
        with self._starting:
            return self._thread

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def counters(self) -> Counters:
        """What the batcher did since the loop's last start."""
        return self._batcher.counters

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self._run, name="gpu", daemon=True)

    def _new_batcher(self) -> tuple[Batcher, Decoder]:
        batcher = Batcher(self._pipeline, self._max_rows, self._clock, self._row_profile)
        return batcher, Decoder(self._pipeline, self._clock)

    # ---- the loop --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._pipeline.enter_thread()
        try:
            while self._jobs.wait_for_work(self._is_busy):
                self._turn_or_begin_again()
        finally:
            if not self._jobs.is_closing:  # what is no Exception has ended this thread: another one goes on
                self._begin_again()
                with self._starting:
                    self._thread = self._new_thread()
                    self._thread.start()

    def _is_busy(self) -> bool:
        return bool(len(self._batcher) or len(self._decoder)) or self._has_idle_work()

    def _has_idle_work(self) -> bool:
        return self._idle_work is not None and self._idle_work.is_due

    def _turn_or_begin_again(self) -> None:
        try:
            self.turn()
        except Exception:  # the loop's border: its jobs go back into the queue
            log.exception("the GPU thread's loop failed; its jobs begin again")
            self._begin_again()

    def turn(self) -> None:
        """Admit, step, retire; then decode what is finished. Only for the GPU thread."""
        started = self._clock()
        self._drop_cancelled()
        self._admit()
        if len(self._batcher):
            self._retire(self._batcher.step())
        if self._decoder.is_due(expecting := self._expecting_more()):
            budget = 2 * self._batcher.step_seconds if len(self._batcher) else float("inf")
            self._collect(self._decoder.decode(budget, expecting))
        elif not len(self._batcher) and self._idle_work is not None and self._has_idle_work():
            self._idle_work.do_some()
        self._throughput.end_turn(self._clock() - started)

    def _expecting_more(self) -> set[int]:
        """The members who have pictures being painted or waiting; nobody once no step is left to wait for."""
        return self._batcher.users | self._jobs.users_waiting() if len(self._batcher) else set()

    # ---- in --------------------------------------------------------------------------------------------------------

    def _drop_cancelled(self) -> None:
        for job in self._jobs.take_cancelled():
            self._drop(job, JobCancelled(CANCELLED))

    def _admit(self) -> None:
        """Fill free rows from the queue; init images are read by the postprocess thread first."""
        for job in self._jobs.take_ready():
            self._begin(job)
        while (job := self._jobs.take(self._batcher.fits)) is not None:
            job.started_at = self._clock()
            if job.request.init_image is not None:
                self._postprocess.read_init_image(job, job.request.init_image)
                continue
            if not self._pipeline.is_encoded(job.request):
                # The next jobs need the same text encoder: one call for all.
                ahead = self._jobs.upcoming(ENCODED_AHEAD)
                self._pipeline.encode_prompts([job.request, *(other.request for other in ahead)])
            self._begin(job)

    def _begin(self, job: RunningJob) -> None:
        if self._jobs.begun(job.job_id) is None or job.samples:
            return  # cancelled, or begun again, while its init image was read
        if job.refusal is not None:
            self._drop(job, job.refusal)
            return
        job.init_latents = None if job.init_image is None else job.init_image.encode(self._pipeline)
        (job.samples,) = self._batcher.admit([job])
        self._tell(job)

    def _tell(self, job: RunningJob) -> None:
        job.tell_progress()
        self._previews.offer(job)

    # ---- out -------------------------------------------------------------------------------------------------------

    def _retire(self, moved: list[Sample]) -> None:
        """Tell progress; what is finished goes to the decoder and leaves its rows to others."""
        for job_id in dict.fromkeys(sample.job_id for sample in moved):
            job = self._jobs.begun(job_id)
            if job is None:
                continue
            own = [sample for sample in moved if sample.job_id == job_id]
            self._throughput.count_painted(job.cost * len(own) / (len(job.samples) * own[0].total_steps))
            failure = next((sample.failure for sample in own if sample.failure), None)
            if failure is not None:
                self._drop(job, PaintingFailed(failure))
                continue
            self._decode_later([sample for sample in own if sample.is_finished])
            self._tell(job)

    def _decode_later(self, finished: list[Sample]) -> None:
        if not finished:
            return
        for sample in finished:
            self._decoder.add(sample)
        self._batcher.remove(finished)
        self._jobs.free_rows()

    def _collect(self, decoded: list[Decoded]) -> None:
        """Hand jobs whose last image is decoded to the postprocess thread."""
        for one in decoded:
            job = self._jobs.begun(one.sample.job_id)
            if job is None:
                continue
            if one.image is None:
                self._drop(job, PaintingFailed(one.failure or FAILED))
                continue
            job.images[one.sample.seed] = one.image
            if len(job.images) == len(job.samples):
                self._postprocess.finish(job)
                self._forget(job)

    def _drop(self, job: RunningJob, error: UserError) -> None:
        self._forget(job)
        job.fail(error)

    def _forget(self, job: RunningJob) -> None:
        job.is_over = True
        self._batcher.remove(job.samples)
        self._decoder.remove(job.job_id)
        self._jobs.forget(job)

    def _begin_again(self) -> None:
        """Throw the batch away and put its jobs back; a job that was there too often is given up."""
        self._batcher, self._decoder = self._new_batcher()
        for job in self._jobs.begin_again(MAX_ATTEMPTS):
            job.fail(PaintingFailed(FAILED))
