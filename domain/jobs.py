"""A request on its way: the job, its place in the queue, its progress, its pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain.frozen import frozen
from domain.models import ModelIdentity
from domain.outcomes import Outcome
from domain.places import Place
from domain.requests import ApprovedRequest, JobSource, Request
from domain.safety import SafetyReport, SafetyVerdict


class JobStatus(StrEnum):
    """The life of a job: queued → running → done → delivered, or one of the four other ends."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    DELIVERED = "delivered"
    REFUSED = "refused"
    WITHHELD = "withheld"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        """Whether the engine still owes work for it."""
        return self in (JobStatus.QUEUED, JobStatus.RUNNING)


@frozen
class Task:
    """One accepted job on its way to the backend; `weight` is its member's share of the worker.

    `is_known`: it was accepted before the process started, when the queue may have been allowed to be longer.
    """

    job_id: int
    user_id: int
    approved: ApprovedRequest
    weight: float = 1.0
    guild_weight: float = 1.0
    is_known: bool = False


@frozen
class Standing:
    """A waiting job's place: `ahead` jobs will be started before it, and its picture is due in `wait_seconds`."""

    ahead: int
    wait_seconds: float


@frozen
class Progress:
    """A running job after `step` of `total_steps`; `preview` is a small JPEG that the picture check has let through."""

    job_id: int
    step: int
    total_steps: int
    preview: bytes | None = field(default=None, repr=False)


@frozen
class PictureFacts:
    """What is known of one finished picture without reading its file; `is_stored` says whether there is one."""

    seed: int
    width: int
    height: int
    safety: SafetyReport
    is_stored: bool

    @property
    def is_withheld(self) -> bool:
        """Whether the picture check took it away, not a person."""
        return not self.is_stored and self.safety.verdict is not SafetyVerdict.SAFE


@frozen
class Picture:
    """One finished picture; `png` is None when the picture check withheld it, or a person erased it."""

    seed: int
    width: int
    height: int
    png: bytes | None = field(repr=False)
    safety: SafetyReport

    @property
    def facts(self) -> PictureFacts:
        """The picture without its file."""
        return PictureFacts(
            seed=self.seed,
            width=self.width,
            height=self.height,
            safety=self.safety,
            is_stored=self.png is not None,
        )


@frozen
class Result:
    """What the backend made of a task. `seconds` is the worker's time on it, `request` is as painted."""

    job_id: int
    request: Request
    model: ModelIdentity
    pictures: tuple[Picture, ...]
    seconds: float

    @property
    def released(self) -> tuple[Picture, ...]:
        return tuple(picture for picture in self.pictures if picture.png is not None)


@dataclass(frozen=True, slots=True)
class Reading:
    """How the model reads a prompt; `beyond` is the part past its first window, which weighs less."""

    text: str
    beyond: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """One picture file to show in Discord."""

    filename: str
    data: bytes = field(repr=False)


@frozen
class Job:
    """One row of the job table: ids, never Discord objects. `cost` is in thousandths of a picture credit."""

    id: int
    user_id: int
    guild_id: int | None
    channel_id: int
    message_id: int | None
    status: JobStatus
    request: Request
    place: Place
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    delivered_at: datetime | None = None
    outcome: Outcome | None = None  # why it did not end well
    source: JobSource = JobSource.SLASH
    parent_id: int | None = None
    parent_number: int | None = None
    model: ModelIdentity | None = None
    seconds: float | None = None
    filesize_limit: int | None = None
    cost: int = 0
    weight: float = 1.0
    guild_weight: float = 1.0
    request_id: int | None = None
