"""The passes of a request: one, or a second and larger one where a picture is upscaled."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import NamedTuple

from domain import ModelIdentity, ModelProfile, Request
from engine.request.schedulers import calls_of

# Share of the steps that the second pass repaints: it makes lines and textures new, and leaves the composition, which
# is painted in the first half, as it was.
UPSCALE_STRENGTH = 0.35
# The second pass takes at least so many steps, however few the first one has: a single step of few would start from
# more noise than the strength means.
MIN_SECOND_STEPS = 2


class Pass(NamedTuple):
    """A solver's last `strength` of `num_inference_steps` steps."""

    num_inference_steps: int
    strength: float

    @property
    def painted_steps(self) -> int:
        """The steps that are really taken."""
        return max(int(self.num_inference_steps * self.strength), 1)


def first_pass_strength(request: Request) -> float:
    """Share of the steps that the first pass paints: all of them, unless an init image is painted on."""
    return request.strength if request.init_image is not None else 1.0


def upscale_strength(model: ModelIdentity) -> float:
    """The strength of a model's second pass; 0 where a picture is only enlarged, without being painted again.

    The demo model knows heads of one size at one place: at every strength, 0.05 and single steps included, it paints
    another head into the enlarged one (docs/performance.md).
    """
    return 0.0 if model.is_demo else UPSCALE_STRENGTH


def passes_of(request: Request, profile: ModelProfile) -> tuple[Pass, ...]:
    """The steps of each pass."""
    steps = request.num_inference_steps
    first = Pass(steps, first_pass_strength(request))
    strength = upscale_strength(profile.identity)
    if request.upscale <= 1.0 or not strength:
        return (first,)
    return first, Pass(max(steps, ceil(MIN_SECOND_STEPS / strength)), strength)


def calls_for(request: Request, profile: ModelProfile) -> int:
    """Calls of the model for one picture of a request, over all passes (exact but for late starts)."""
    return sum(calls_of(request.scheduler, one.painted_steps) for one in passes_of(request, profile))


def enlarged(request: Request, unit: int) -> tuple[int, int]:
    """Width and height of an upscaled request's second pass: the nearest multiples of `unit` pixels."""
    width, height = (round(side * request.upscale / unit) * unit for side in (request.width, request.height))
    return max(width, request.width), max(height, request.height)


def second_pass(request: Request, unit: int) -> Request:
    """The request that the second pass paints: larger, and not upscaled again."""
    width, height = enlarged(request, unit)
    return replace(request, width=width, height=height, upscale=1.0)
