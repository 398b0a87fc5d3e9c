"""Whether a request can be painted as it stands: one clear sentence if not, never a silent correction."""

from __future__ import annotations

from domain import SEED_LIMIT, InvalidRequest, ModelProfile, Request
from engine.request.passes import enlarged
from engine.request.presets import PRESETS
from engine.request.prompt import TokenReport, is_blank

# How many times the pixels of the largest ordinary picture an upscaled one may have: its windows take their time.
MAX_ENLARGED = 3


def validate(request: Request, profile: ModelProfile, tokens: TokenReport, negative: TokenReport) -> None:
    """Raise InvalidRequest for the first thing that is wrong."""
    if is_blank(request.prompt):
        why = "has no words that can be painted" if request.prompt.strip() else "is empty"
        raise InvalidRequest(f"The prompt {why}. Say what to paint, for example: 1girl, pink hair, smile.")
    _validate_size(request, profile)
    _validate_numbers(request, profile)
    _validate_start(request)
    _validate_upscale(request, profile)
    _validate_tokens("prompt", tokens, profile)
    _validate_tokens("negative prompt", negative, profile)


def _validate_size(request: Request, profile: ModelProfile) -> None:
    for name, side in (("width", request.width), ("height", request.height)):
        if side % profile.unit:
            below = max(side // profile.unit * profile.unit, profile.min_side)
            raise InvalidRequest(
                f"The {name} must be a multiple of {profile.unit}, and {side} is not; {below} "
                f"or {below + profile.unit} would do."
            )
        if not profile.min_side <= side <= profile.max_side:
            raise InvalidRequest(
                f"The {name} must be from {profile.min_side} to {profile.max_side} pixels with this model; "
                f"{side} is not."
            )
    if request.width * request.height > profile.max_pixels:
        raise InvalidRequest(
            f"{request.width}×{request.height} is more than this model paints at once "
            f"({profile.max_pixels:,} pixels in all). Make one side smaller."
        )


def _validate_numbers(request: Request, profile: ModelProfile) -> None:
    if request.scheduler not in profile.schedulers:
        raise InvalidRequest(
            f"There is no scheduler {request.scheduler!r}. There are: {', '.join(profile.schedulers)}."
        )
    if request.preset is not None and request.preset not in PRESETS:
        raise InvalidRequest(f"There is no preset {request.preset!r}. There are: {', '.join(PRESETS)}.")
    if not 1 <= request.num_inference_steps <= profile.max_steps:
        raise InvalidRequest(f"Steps go from 1 to {profile.max_steps}; {request.num_inference_steps} is outside.")
    most = profile.max_guidance_scale
    if not 1.0 <= request.guidance_scale <= most:
        raise InvalidRequest(f"The guidance scale goes from 1 to {most:g}; {request.guidance_scale:g} is outside.")
    low, high = request.guidance_interval
    if not 0.0 <= low <= high <= 1.0:
        raise InvalidRequest(f"The guidance interval lies between 0 and 1; {low:g} to {high:g} does not.")
    if not 0 <= request.seed < SEED_LIMIT:
        raise InvalidRequest(f"A seed is a whole number from 0 to {SEED_LIMIT - 1}; {request.seed} is outside.")
    if not 1 <= request.images <= profile.max_images:
        raise InvalidRequest(f"You can ask for 1 to {profile.max_images} pictures at once, not {request.images}.")
    if request.clip_skip not in (1, 2):
        raise InvalidRequest(f"Clip skip is 1 or 2, not {request.clip_skip}.")


def _validate_start(request: Request) -> None:
    if not 0.0 < request.strength <= 1.0:
        raise InvalidRequest(f"The strength goes from above 0 to 1; {request.strength:g} is outside.")
    if request.mask_image is not None and request.init_image is None:
        raise InvalidRequest("A mask needs a start picture to go with it.")


def _validate_upscale(request: Request, profile: ModelProfile) -> None:
    most = profile.max_upscale
    if not 1.0 <= request.upscale <= most:
        raise InvalidRequest(f"The upscale factor goes from 1 to {most:g}; {request.upscale:g} is outside.")
    width, height = enlarged(request, profile.unit)
    if request.upscale > 1.0 and width * height > MAX_ENLARGED * profile.max_pixels:
        raise InvalidRequest(
            f"Upscaled by {request.upscale:g} this would be {width}×{height}, more than upscaled pictures may have "
            f"({MAX_ENLARGED * profile.max_pixels:,} pixels). Choose a smaller size or factor."
        )


def _validate_tokens(name: str, tokens: TokenReport, profile: ModelProfile) -> None:
    if tokens.count > profile.max_tokens:
        raise InvalidRequest(
            f"The {name} has {tokens.count} tokens; this model reads {profile.max_tokens} at most, and the first "
            f"{tokens.window} weigh most. Beyond those {tokens.window} is: “{_cut(tokens.beyond)}”. Please shorten it."
        )


def _cut(text: str, limit: int = 200) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
