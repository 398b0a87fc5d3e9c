"""Unfinished pictures for those who wait: made and checked on the second thread, dropped rather than queued."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor

import torch

from domain import Progress
from engine.worker.postprocess import Finisher
from engine.worker.running_job import Work

log = logging.getLogger(__name__)


class Previews:
    """Takes a frame of a job every `every` steps, at most every `seconds`, and one at a time over all jobs."""

    def __init__(
        self, finisher: Finisher, executor: Executor, every: int, seconds: float, clock: Callable[[], float]
    ) -> None:
        self._finisher = finisher
        self._executor = executor
        self._every, self._seconds = every, seconds
        self._clock = clock
        self._is_busy = False

    def offer(self, work: Work) -> None:
        """Called after every step of a job: ask for a frame, or pass one on that the batcher has taken."""
        first = work.samples[0]
        if first.preview is not None:
            latents, first.preview, first.wants_preview = first.preview, None, False
            self._is_busy = True
            self._executor.submit(self._make, work, latents)
        elif self._is_due(work):
            # The model's next output is needed for it, so the frame is taken one step later.
            first.wants_preview, work.previewed_at = True, self._clock()

    def _is_due(self, work: Work) -> bool:
        step, total = work.progress
        is_time = step > 0 and step % self._every == 0 and self._clock() - work.previewed_at >= self._seconds
        return is_time and not self._is_busy and step < total - 1

    def _make(self, work: Work, latents: torch.Tensor) -> None:
        """A preview is never worth a job: what fails here is only logged."""
        try:
            preview = self._finisher.make_preview(work.task.approved, latents)
            if preview is not None and not work.is_over:
                step, total = work.progress
                work.on_progress(Progress(job_id=work.job_id, step=step, total_steps=total, preview=preview))
        except Exception:
            log.exception("the preview of job %d failed", work.job_id)
        finally:
            self._is_busy = False
