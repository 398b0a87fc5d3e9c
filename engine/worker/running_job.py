"""The one object that carries a job through the engine, from `submit` to its `Result`."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field

from PIL import Image

from domain import ModelProfile, Progress, Request, Result, Task, UserError
from engine.request.cost import millicredits_for
from engine.request.passes import calls_for, passes_of
from engine.sampling.sample import InitLatents, Sample
from engine.worker.backend import OnProgress
from engine.worker.init_image import InitImage


def ignore_progress(_progress: Progress) -> None:
    """For those who want the result alone."""


@dataclass(slots=True, eq=False)
class RunningJob:
    """A task with all that becomes of it: the queue orders it, the batcher admits it, its future answers for it.

    `cost` is in thousandths of a picture credit, `calls` are model calls for each picture. Times are seconds of the
    worker's clock. `attempts` counts how often the loop failed while the job was in it.
    """

    task: Task
    cost: float
    calls: int
    on_progress: OnProgress = ignore_progress
    future: Future[Result] = field(default_factory=Future[Result])
    init_image: InitImage | None = None
    init_latents: InitLatents | None = None
    refusal: UserError | None = None
    samples: list[Sample] = field(default_factory=list[Sample])
    images: dict[int, Image.Image] = field(default_factory=dict[int, Image.Image])
    started_at: float = 0.0
    previewed_at: float = float("-inf")
    is_cancelled: bool = False
    is_over: bool = False
    attempts: int = 0
    # Read from the task, for the queue and the batcher.
    job_id: int = field(init=False)
    user_id: int = field(init=False)
    guild_key: int = field(init=False)
    weight: float = field(init=False)
    guild_weight: float = field(init=False)
    request: Request = field(init=False)

    def __post_init__(self) -> None:
        task = self.task
        self.job_id, self.user_id, self.request = task.job_id, task.user_id, task.approved.request
        # A member's direct messages are a server of their own.
        self.guild_key = task.approved.place.guild_id or -task.user_id
        self.weight, self.guild_weight = task.weight, task.guild_weight

    @classmethod
    def of(cls, task: Task, profile: ModelProfile, on_progress: OnProgress = ignore_progress) -> RunningJob:
        """A task that was just submitted; it costs its request's price for the calls that it really takes."""
        request = task.approved.request
        calls = calls_for(request, profile)
        steps = sum(one.painted_steps for one in passes_of(request, profile))
        cost = millicredits_for(request, profile) * calls / steps
        return cls(task, cost, calls, on_progress)

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

    def tell_progress(self, preview: bytes | None = None) -> None:
        """Report how far the job is, with a preview (a JPEG file) where there is one."""
        step, total = self.progress
        self.on_progress(Progress(job_id=self.job_id, step=step, total_steps=total, preview=preview))

    def begin_again(self) -> None:
        """Forget all that was painted so far."""
        self.samples, self.images = [], {}
        self.init_image = self.init_latents = None
        self.previewed_at = float("-inf")
        self.attempts += 1

    def succeed(self, result: Result) -> None:
        """Answer with a result, unless nobody waits for it any more."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_result(result)

    def fail(self, error: Exception) -> None:
        """Answer with an error, unless nobody waits for it any more."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)
