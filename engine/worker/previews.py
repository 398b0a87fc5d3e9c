"""Unfinished pictures for those who wait: made and checked on the postprocess thread, dropped rather than queued."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor

import torch

from engine.worker.postprocess import Postprocessor
from engine.worker.running_job import RunningJob

log = logging.getLogger(__name__)


class Previews:
    """Takes a frame of a job every `every` steps, at most every `seconds`; only one is made at a time, of all jobs."""

    def __init__(
        self,
        executor: Executor,
        postprocessor: Postprocessor,
        *,
        every: int,
        seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._executor, self._postprocessor = executor, postprocessor
        self._every, self._seconds = every, seconds
        self._clock = clock
        self._is_busy = False

    def offer(self, job: RunningJob) -> None:
        """Called after every step of a job: ask for a frame, or pass on one that the batcher has taken."""
        first = job.samples[0]
        if first.preview is not None:
            latents, first.preview, first.wants_preview = first.preview, None, False
            self._is_busy = True
            self._executor.submit(self._make, job, latents)
        elif self._is_due(job):
            # The model's next output is needed for it, so the frame is taken one step later.
            first.wants_preview, job.previewed_at = True, self._clock()

    def _is_due(self, job: RunningJob) -> bool:
        step, total = job.progress
        is_time = step > 0 and step % self._every == 0 and self._clock() - job.previewed_at >= self._seconds
        return is_time and not self._is_busy and step < total - 1

    def _make(self, job: RunningJob, latents: torch.Tensor) -> None:
        try:
            preview = self._postprocessor.make_preview(job.task.approved, latents)
            if preview is not None and not job.is_over:
                job.tell_progress(preview)
        except Exception:  # a preview is never worth a job: what fails here is only logged
            log.exception("the preview of job %d failed", job.job_id)
        finally:
            self._is_busy = False
