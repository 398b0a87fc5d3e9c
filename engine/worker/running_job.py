"""A task inside the worker, and the worker's own pace."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field

from PIL import Image

from domain import ModelProfile, Request, Result, Task, UserError
from engine.request.cost import millicredits_for
from engine.sampling.sample import Sample, calls_for
from engine.worker.backend import OnProgress
from engine.worker.fair_queue import Entry
from engine.worker.postprocess import StartPicture

_SMOOTHING = 0.05


@dataclass(slots=True, eq=False)
class Work:
    """A task with its way back. `cost` is in thousandths of a picture credit, `calls` model calls for each picture."""

    task: Task
    on_progress: OnProgress
    future: Future[Result]
    cost: float
    calls: int
    samples: list[Sample] = field(default_factory=list[Sample])
    images: dict[int, Image.Image] = field(default_factory=dict[int, Image.Image])
    start: StartPicture | None = None
    refusal: UserError | None = None
    started_at: float = 0.0
    previewed_at: float = float("-inf")
    is_cancelled: bool = False
    is_over: bool = False
    attempts: int = 0

    @classmethod
    def of(cls, task: Task, on_progress: OnProgress, profile: ModelProfile) -> Work:
        """A task that was just submitted; it costs its request's price for the calls that it really takes."""
        request = task.approved.request
        calls = calls_for(request)
        cost = millicredits_for(request, profile) * calls / request.num_inference_steps
        return cls(task, on_progress, Future(), cost, calls)

    @property
    def job_id(self) -> int:
        return self.task.job_id

    @property
    def request(self) -> Request:
        return self.task.approved.request

    @property
    def progress(self) -> tuple[int, int]:
        """Step and total of the picture that is furthest behind."""
        if not self.samples:
            return 0, self.calls
        return min((sample.step, sample.total_steps) for sample in self.samples)

    @property
    def remaining(self) -> float:
        """What is still to be painted, in the unit of `cost`."""
        step, total = self.progress
        return self.cost * (1 - step / total)

    def entry(self) -> Entry[Work]:
        """What the queue needs to know of it. Everybody's direct messages are a server of their own."""
        task = self.task
        guild_key = task.approved.place.guild_id or -task.user_id
        return Entry(task.job_id, guild_key, task.user_id, self.cost, self, task.weight, task.guild_weight)

    def begin_again(self) -> None:
        """Forget all that was painted so far."""
        self.samples, self.images, self.start = [], {}, None
        self.previewed_at = float("-inf")
        self.attempts += 1


class Pace:
    """How fast the worker is: moving means over its last turns and pictures."""

    def __init__(self) -> None:
        self._seconds = 5.0
        self._cost = 1000.0
        self._painted = 0.0
        self.seconds_per_picture = 5.0
        self._is_measured = False

    @property
    def seconds_per_cost(self) -> float:
        """Seconds for a thousandth of a credit; 5 s a credit before anything was painted."""
        return self._seconds / self._cost

    def paint(self, cost: float) -> None:
        """Some of a job was painted in this turn."""
        self._painted += cost

    def tick(self, seconds: float) -> None:
        """A turn is over."""
        if self._painted == 0.0:
            return
        if not self._is_measured:
            self._seconds, self._cost, self._is_measured = seconds, self._painted, True
        self._seconds += _SMOOTHING * (seconds - self._seconds)
        self._cost += _SMOOTHING * (self._painted - self._cost)
        self._painted = 0.0

    def finish(self, seconds: float) -> None:
        """A picture was delivered `seconds` after it was begun."""
        self.seconds_per_picture += 0.2 * (seconds - self.seconds_per_picture)
