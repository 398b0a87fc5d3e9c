"""A backend that takes everything and paints nothing: for what the service decides before a picture is painted."""

from __future__ import annotations

from concurrent.futures import Future

from domain import ModelProfile, Progress, Request, Result, Standing, Task
from domain.queue import EngineReport
from engine.request.prompt import TokenReport
from engine.request.validation import validate
from engine.worker.backend import OnProgress
from tests.support.requests import PROFILE


class IdleBackend:
    """Checks requests as the real one does, but counts words where that counts the model's tokens."""

    def __init__(self, profile: ModelProfile = PROFILE) -> None:
        self.profile = profile
        self.is_paused = False
        self._waiting: dict[int, Future[Result]] = {}
        self._on_progress: dict[int, OnProgress] = {}

    @property
    def waiting(self) -> list[int]:
        """The ids of the jobs that it was given and that were not taken back, oldest first."""
        return list(self._waiting)

    def submit(self, task: Task, on_progress: OnProgress) -> Future[Result]:
        self._on_progress[task.job_id] = on_progress
        return self._waiting.setdefault(task.job_id, Future())

    def take_step(self, job_id: int, step: int) -> None:
        """Say that so many steps of a job are painted."""
        self._on_progress[job_id](Progress(job_id=job_id, step=step, total_steps=20))

    def finish(self, result: Result) -> None:
        """Say that a job's pictures are ready."""
        self._waiting.pop(result.job_id).set_result(result)

    def fail(self, job_id: int, error: Exception) -> None:
        """Say that a job could not be painted."""
        self._waiting.pop(job_id).set_exception(error)

    def validate(self, request: Request) -> None:
        validate(request, self.profile, self.tokens(request.prompt), self.tokens(request.negative_prompt))

    def tokens(self, prompt: str) -> TokenReport:
        words = prompt.split()
        window = self.profile.token_window
        return TokenReport(count=len(words), window=window, beyond=" ".join(words[window:]))

    def cancel(self, job_id: int) -> bool:
        future = self._waiting.pop(job_id, None)
        return future is not None and future.cancel()

    def standing(self, job_id: int) -> Standing | None:
        ids = self.waiting
        return Standing(ahead=ids.index(job_id), wait_seconds=0.0) if job_id in ids else None

    def report(self) -> EngineReport:
        return EngineReport(
            queued=len(self._waiting),
            running=0,
            users_waiting=0,
            seconds_per_picture=0.0,
            rows_per_call=0.0,
            paused=self.is_paused,
            alive=True,
        )

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    def close(self, *, drain_seconds: float = 0) -> None:
        for job_id in self.waiting:
            self.cancel(job_id)
