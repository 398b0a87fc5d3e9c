"""What a person asks the model to paint, and who asks where."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from domain.errors import PromptRefused
from domain.frozen import frozen
from domain.places import Place
from domain.policy import Action, Verdict

SEED_LIMIT = 2**32
DEFAULT_STRENGTH = 0.75


class JobSource(StrEnum):
    """How a request came in."""

    SLASH = "slash"
    AGAIN = "again"
    VARY = "vary"
    UPSCALE = "upscale"
    EDIT = "edit"
    MESSAGE = "message"
    APPEAL = "appeal"


@frozen
class Request:
    """What a person asks the model to paint. Image `i` of a request is painted with `(seed + i) % SEED_LIMIT`.

    Sizes are pixels, `init_image` and `mask_image` are encoded picture files, `strength` and the two ends of
    `guidance_interval` are fractions of the way from noise to picture, `upscale` is how many times as
    large the finished picture's sides are.
    `left_out` are options that the prompt named, as typed, and that have no meaning here.
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
    strength: float = DEFAULT_STRENGTH
    upscale: float = 1.0
    left_out: tuple[str, ...] = ()


@frozen
class RequestOptions:
    """What a person typed; everything that is None is decided by the server's settings, the preset and the model."""

    prompt: str
    negative_prompt: str = ""
    shape: str | None = None
    width: int | None = None
    height: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    scheduler: str | None = None
    seed: int | None = None
    images: int = 1
    preset: str | None = None
    init_image: bytes | None = field(default=None, repr=False)
    mask_image: bytes | None = field(default=None, repr=False)
    strength: float | None = None
    upscale: float = 1.0
    clip_skip: int = 1
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApprovedRequest:
    """A request that the policy let through. Only `engine.policy.approve` makes one; the backend takes nothing else."""

    request: Request
    place: Place
    verdict: Verdict

    def __post_init__(self) -> None:
        if self.verdict.action is Action.REFUSE:
            raise PromptRefused(self.verdict)


@frozen
class Origin:
    """Who asks, where, and which Discord message shows the job (None until there is one).

    `request_id` is the id of the interaction or message that asks; of two requests with one id, one is accepted.
    `parent_number` says which picture of the job `parent_id` it paints on from, counted from 1.
    `parent_channel_id` is the channel that a thread belongs to: settings and quotas are the channel's.
    """

    user_id: int
    place: Place
    message_id: int | None = None
    locale: str = "en"
    source: JobSource = JobSource.SLASH
    parent_id: int | None = None
    parent_number: int | None = None
    role_ids: tuple[int, ...] = ()
    filesize_limit: int | None = None
    parent_channel_id: int | None = None
    is_moderator: bool = False
    request_id: int | None = None
