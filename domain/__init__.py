"""The words of this project: what a person asks for, what becomes of it, and what can go wrong.

Plain values only (standard library), so that every other module may import this one.
Everything a person reads when something fails is a `UserError`, and its text is the sentence they read:

    UserError
    ├── InvalidRequest      the request can't be painted as it stands
    ├── PromptRefused       the policy says no to the text
    ├── PictureRefused      the policy says no to an attached picture
    ├── QuotaExceeded       the member has used up what they may paint for now
    ├── QueueFull           the bot can't take more work at the moment
    ├── ConsentRequired     the licence's use restrictions were not agreed to yet
    ├── NotAllowed          the person may not do this
    ├── NotFound            the job is not there (any more)
    ├── JobCancelled        somebody took the job back
    ├── PaintingFailed      the engine could not finish this one job
    └── ModelUnavailable    the model's files are missing or can't be used
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

SEED_LIMIT = 2**32


class UserError(Exception):
    """Its text is shown to the person who asked, as it is."""


class InvalidRequest(UserError):
    """The request can't be painted as it stands."""


class QuotaExceeded(UserError):
    """`retry_at` says when the same request would be taken, if that is known."""

    def __init__(self, sentence: str, retry_at: datetime | None = None) -> None:
        super().__init__(sentence)
        self.retry_at = retry_at


class QueueFull(UserError):
    """The bot can't take more work at the moment."""


class ConsentRequired(UserError):
    """The member has not agreed to the current terms yet."""


class NotAllowed(UserError):
    """The person may not do this."""


class NotFound(UserError):
    """What was asked for does not exist, or not any more."""


class JobCancelled(UserError):
    """Somebody took the job back before it was finished."""


class PaintingFailed(UserError):
    """The engine could not finish this one job; nothing was charged."""


class ModelUnavailable(UserError):
    """The model's files are missing, damaged or not allowed."""


class PictureRefused(UserError):
    """An attached start picture or mask is not acceptable."""


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


class Action(StrEnum):
    """What the policy decided about a prompt."""

    ALLOW = "allow"
    REVIEW = "review"  # painted, but the picture is judged more strictly
    REFUSE = "refuse"


class SafetyLevel(StrEnum):
    """How strictly a place is judged; strictest first."""

    STRICT = "strict"  # direct messages
    STANDARD = "standard"  # ordinary channels
    ADULT = "adult"  # age-restricted channels whose moderators opted in


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a request comes from; `guild_id` is None in direct messages.

    `adult_opt_in` and `is_strict` are what the channel's moderators chose.
    """

    guild_id: int | None = None
    channel_id: int = 0
    age_restricted: bool = False
    adult_opt_in: bool = False
    is_strict: bool = False

    @property
    def level(self) -> SafetyLevel:
        if self.guild_id is None or self.is_strict:
            return SafetyLevel.STRICT
        if self.age_restricted and self.adult_opt_in:
            return SafetyLevel.ADULT
        return SafetyLevel.STANDARD


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a person asks the model to paint. Image `i` of a request is painted with `seed + i`.

    Sizes are pixels, `init_image` and `mask_image` are encoded picture files, `strength` and the two ends of
    `guidance_interval` are fractions of the way from noise to picture, `upscale` is the factor of the second pass.
    """

    prompt: str
    negative_prompt: str = ""
    width: int
    height: int
    num_inference_steps: int
    guidance_scale: float
    scheduler: str
    seed: int
    images: int = 1
    clip_skip: int = 1
    guidance_interval: tuple[float, float] = (0.0, 1.0)
    preset: str | None = None
    init_image: bytes | None = field(default=None, repr=False)
    mask_image: bytes | None = field(default=None, repr=False)
    strength: float = 0.75
    upscale: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The policy's decision on one prompt, with everything a moderator needs to understand it.

    `clause` is a letter of the licence's Attachment A ("a" to "k") or a house rule's name; `reason` is the sentence for
    the member, which never repeats forbidden words; `spans` are offsets into the prompt, for moderators only;
    `strict_picture` asks the picture check for its strictest thresholds (an age word in an otherwise harmless prompt).
    """

    action: Action
    clause: str | None = None
    rules: tuple[str, ...] = ()
    tier: str | None = None
    reason: str = ""
    scores: Mapping[str, float] = field(default_factory=dict[str, float])
    spans: tuple[tuple[int, int], ...] = ()
    strict_picture: bool = False
    rule_set: str = ""


class PromptRefused(UserError):
    """The policy says no; `verdict` holds the grounds, `decision_id` the record of it once there is one.

    `notice` is what the refusal means for the member, after the reason.
    """

    def __init__(self, verdict: Verdict, decision_id: int | None = None, notice: str = "") -> None:
        super().__init__(f"{verdict.reason} {notice}".strip())
        self.verdict = verdict
        self.decision_id = decision_id


@dataclass(frozen=True, slots=True)
class ApprovedRequest:
    """A request that the policy let through. Only `engine.policy.approve` makes one; the backend takes nothing else."""

    request: Request
    place: Place
    verdict: Verdict

    def __post_init__(self) -> None:
        if self.verdict.action is Action.REFUSE:
            raise PromptRefused(self.verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One accepted job on its way to the backend; `weight` is its member's share of the worker."""

    job_id: int
    user_id: int
    approved: ApprovedRequest
    weight: float = 1.0
    guild_weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A waiting job's place: `ahead` jobs will be started before it, and its picture is due in `wait_seconds`."""

    ahead: int
    wait_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A running job after `step` of `total_steps`; `preview` is a small JPEG that the picture check has let through."""

    job_id: int
    step: int
    total_steps: int
    preview: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelIdentity:
    """Which model painted: stored with every picture. `weights` is "ema", "raw" or "as stored"."""

    name: str
    sha256: str
    weights: str = "as stored"
    dtype: str = "float32"
    is_demo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelProfile:
    """What a model can do, and what it does best.

    Sizes are pixels; `token_window` and `max_tokens` count without start and end marks; `display_scale` is how much
    a picture is enlarged when it is shown.
    """

    identity: ModelIdentity
    unit: int
    min_side: int
    max_side: int
    max_pixels: int
    shapes: Mapping[str, tuple[int, int]]  # "portrait", "square", "landscape"
    schedulers: tuple[str, ...]
    scheduler: str
    num_inference_steps: int
    max_steps: int
    guidance_scale: float
    token_window: int = 75
    max_tokens: int = 225
    display_scale: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyReport:
    """The picture check's word on one picture: "safe", "unsafe" or "error" (which counts as unsafe)."""

    verdict: str
    scores: Mapping[str, float] = field(default_factory=dict[str, float])
    clause: str | None = None

    @property
    def is_safe(self) -> bool:
        return self.verdict == "safe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One finished picture; `png` is None when the picture check withheld it."""

    seed: int
    width: int
    height: int
    png: bytes | None = field(repr=False)
    safety: SafetyReport


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who asks, where, and which Discord message shows the job (None until there is one).

    `parent_channel_id` is the channel that a thread belongs to: settings and quotas are the channel's.
    """

    user_id: int
    place: Place
    message_id: int | None = None
    locale: str = "en"
    source: str = "slash"
    parent_id: int | None = None
    role_ids: tuple[int, ...] = ()
    filesize_limit: int | None = None
    parent_channel_id: int | None = None
    is_moderator: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
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
    outcome: str | None = None  # the sentence for the member when it did not end well
    source: str = "slash"
    parent_id: int | None = None
    model: ModelIdentity | None = None
    seconds: float | None = None
    filesize_limit: int | None = None
    cost: int = 0
    weight: float = 1.0
    guild_weight: float = 1.0
