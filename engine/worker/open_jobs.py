"""The jobs that the engine still owes: waiting, begun, or begun and ready. All threads meet here, behind one lock.

add → waiting (FairQueue) → take → begun → forget
                             └ init image read on the postprocess thread → put_ready → take_ready
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

from domain import JobCancelled
from engine.worker.fair_queue import FairQueue, Position
from engine.worker.running_job import RunningJob

CANCELLED = "Cancelled; nothing was charged."


class OpenJobs:
    """Every method may be called from any thread. Only `wait_for_work` and `drain` wait."""

    def __init__(self, max_queue: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._queue: FairQueue[RunningJob] = FairQueue(max_queue)
        self._running: dict[int, RunningJob] = {}
        self._ready: list[RunningJob] = []
        self._is_paused = self._is_closing = False
        self._may_admit = True

    # ---- what the public API needs ---------------------------------------------------------------------------------

    def add(self, job: RunningJob) -> None:
        """Let a job wait. Raises QueueFull, but not for a known one, which was accepted before."""
        with self._changed:
            self._queue.push(job, is_known=job.task.is_known)
            self._wake()

    def cancel(self, job_id: int) -> bool:
        """Take a job back: at once if it waits; if it was begun, mark it for the GPU thread. False if it is neither."""
        with self._changed:
            waiting, begun = self._queue.remove(job_id), self._running.get(job_id)
            if begun is not None:
                begun.is_cancelled = True
        if waiting is not None:
            waiting.fail(JobCancelled(CANCELLED))
        return waiting is not None or begun is not None

    def position(self, job_id: int) -> Position | None:
        """A waiting job's place, with all the cost before it, that of begun jobs too; None if it does not wait."""
        with self._changed:
            position = self._queue.position(job_id)
            owed = sum(job.remaining for job in self._running.values())
        return None if position is None else Position(position.ahead, position.cost + owed)

    def counts(self) -> tuple[int, int, int]:
        """How many jobs wait, how many were begun, and how many members wait."""
        with self._changed:
            return len(self._queue), len(self._running), len(self._queue.users())

    @property
    def is_paused(self) -> bool:
        """Whether nothing new may begin."""
        return self._is_paused

    @property
    def is_closing(self) -> bool:
        """Whether the GPU thread shall end."""
        return self._is_closing

    def pause(self) -> None:
        """Let nothing new begin."""
        with self._changed:
            self._is_paused = True

    def resume(self) -> None:
        """Let jobs begin again."""
        with self._changed:
            self._is_paused = False
            self._wake()

    def drain(self, seconds: float) -> None:
        """Begin nothing new, wait at most that long for what was begun, and let the GPU thread end."""
        deadline = self._clock() + seconds
        with self._changed:
            self._is_paused = True
            while self._running and (left := deadline - self._clock()) > 0:
                self._changed.wait(left)
            self._is_closing = True
            self._wake()

    def abandon(self) -> None:
        """Cancel the futures of all jobs that are left: the caller of `submit` owns them now."""
        with self._changed:
            left = [*self._queue.order(), *self._running.values()]
        for job in left:
            job.future.cancel()

    # ---- what the GPU thread needs ---------------------------------------------------------------------------------

    def wait_for_work(self, is_busy: Callable[[], bool]) -> bool:
        """Wait until there is something to do, here or because the thread `is_busy`; False when it shall end."""
        with self._changed:
            while not self._is_closing and not (is_busy() or self._has_work()):
                self._changed.wait()
            return not self._is_closing

    def _has_work(self) -> bool:
        may_begin = len(self._queue) > 0 and not self._is_paused and self._may_admit
        return may_begin or bool(self._ready) or any(job.is_cancelled for job in self._running.values())

    def take(self, fits: Callable[[RunningJob], bool]) -> RunningJob | None:
        """Begin the next waiting job that `fits`; None if there is none, until rows are free or a job comes."""
        with self._changed:
            if not self._may_admit:
                return None
            job = None if self._is_paused else self._queue.pop(lambda job: self._may_join(job) and fits(job))
            if job is None:
                self._may_admit = False
            else:
                self._running[job.job_id] = job
            return job

    def _may_join(self, job: RunningJob) -> bool:
        """A job that was there when the loop failed is painted alone."""
        return not self._running or not (job.attempts or any(other.attempts for other in self._running.values()))

    def upcoming(self, count: int) -> list[RunningJob]:
        """The jobs that will begin next, at most `count`."""
        with self._changed:
            return list(itertools.islice(self._queue.order(), count))

    def users_waiting(self) -> set[int]:
        """The ids of the members who have a job waiting."""
        with self._changed:
            return self._queue.users()

    def take_ready(self) -> list[RunningJob]:
        """Begun jobs whose init image has been read, or refused, since the last call."""
        with self._changed:
            ready, self._ready = self._ready, []
            return ready

    def begun(self, job_id: int) -> RunningJob | None:
        """The begun job of that number; None if there is none (any more)."""
        with self._changed:
            return self._running.get(job_id)

    def take_cancelled(self) -> list[RunningJob]:
        """Begun jobs that were taken back; what is left of them no longer counts as served."""
        with self._changed:
            cancelled = [job for job in self._running.values() if job.is_cancelled]
            for job in cancelled:
                self._queue.charge(job, -job.remaining)
            return cancelled

    def free_rows(self) -> None:
        """Rows became free: `take` may find something again."""
        with self._changed:
            self._may_admit = True

    def forget(self, job: RunningJob) -> None:
        """A begun job is over, or its pictures are being postprocessed."""
        with self._changed:
            self._running.pop(job.job_id, None)
            self._wake()

    def begin_again(self, max_attempts: int) -> list[RunningJob]:
        """Put begun jobs back into the queue after the loop failed; returns those that failed too often."""
        with self._changed:
            jobs = list(self._running.values())
            self._running.clear()
            self._ready.clear()
            for job in jobs:
                job.begin_again()
                if job.attempts < max_attempts:
                    self._queue.push(job, is_known=True)
            self._wake()
        return [job for job in jobs if job.attempts >= max_attempts]

    # ---- what the postprocess thread needs -------------------------------------------------------------------------

    def put_ready(self, job: RunningJob) -> None:
        """A begun job's init image has been read, or refused."""
        with self._changed:
            self._ready.append(job)
            self._wake()

    def _wake(self) -> None:
        self._may_admit = True
        self._changed.notify_all()
