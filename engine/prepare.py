"""From what a person typed to a request that may be queued: complete, paintable, priced, and judged by the policy.

The service comes in here once for each request, and then only to hand the job over.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Protocol

from domain import (
    DEFAULT_STRENGTH,
    SEED_LIMIT,
    ApprovedRequest,
    InvalidRequest,
    ModelProfile,
    Place,
    PromptRefused,
    Request,
    RequestOptions,
)
from domain.frozen import frozen
from domain.settings import GuildSettings
from engine.policy import MAX_CHARACTERS, Allowances, approve, is_too_long, prompt_hash
from engine.request.chat_markup import without_markup
from engine.request.cost import millicredits_for
from engine.request.inline_options import read_inline, require_start, told
from engine.request.inline_syntax import split_request
from engine.request.presets import apply_preset


class Validator(Protocol):
    """The part of a backend that knows its model."""

    @property
    def profile(self) -> ModelProfile: ...
    def validate(self, request: Request) -> None: ...


@frozen
class Prepared:
    """A paintable request with its price in millicredits, and the policy's approval or its refusal.

    `key` is its `prompt_hash`, by which a moderator may have allowed it once.
    """

    request: Request
    cost: int
    key: str
    approved: ApprovedRequest | None = None
    refusal: PromptRefused | None = None


def prepare(
    backend: Validator,
    wanted: Request | RequestOptions,
    settings: GuildSettings,
    place: Place,
    allowances: Allowances,
) -> Prepared:
    """Complete, validate, price and judge. Raises InvalidRequest; a refusal is returned, for others decide before it.

    May take 60 ms for a long prompt: call it beside the event loop.
    """
    if isinstance(wanted, RequestOptions):
        request = complete(wanted, backend.profile, settings)
    else:
        request = split_request(without_chat_markup(wanted))
    backend.validate(request)
    if is_too_long(request):
        raise InvalidRequest(
            f"A prompt may have {MAX_CHARACTERS:,} characters, and so may a negative prompt; please shorten it."
        )
    cost, key = millicredits_for(request, backend.profile), prompt_hash(request)
    try:
        return Prepared(request=request, cost=cost, key=key, approved=approve(request, place, allowances))
    except PromptRefused as refusal:
        return Prepared(request=request, cost=cost, key=key, refusal=refusal)


def without_chat_markup(request: Request) -> Request:
    """The request without emoji, mentions and Markdown: the policy judges, and the row keeps, what will be painted."""
    prompt, negative_prompt = (without_markup(text).strip() for text in (request.prompt, request.negative_prompt))
    return replace(request, prompt=prompt, negative_prompt=negative_prompt)


def complete(options: RequestOptions, profile: ModelProfile, settings: GuildSettings | None = None) -> Request:
    """The options with the server's and the model's own values where nothing was chosen. Raises InvalidRequest.

    Discord's markup goes; settings in the syntax of other bots are read out of the prompt.
    """
    options = read_inline(options)
    if settings is not None:
        options = _with_settings(options, settings)
    require_start(options.strength, options.init_image)
    request = _with_defaults(options, profile, _size(options, profile))
    return apply_preset(
        request,
        options.preset,
        steps=options.num_inference_steps,
        guidance_scale=options.guidance_scale,
        scheduler=options.scheduler,
    )


def _with_settings(options: RequestOptions, settings: GuildSettings) -> RequestOptions:
    """The server's shape and preset where none was chosen."""
    has_size = options.width is not None or options.height is not None
    shape = options.shape or (None if has_size else settings.shape)
    return replace(options, shape=shape, preset=options.preset or settings.preset)


def as_far_as_possible(options: RequestOptions, profile: ModelProfile, settings: GuildSettings) -> Request:
    """The options as a request to be changed, not to be painted: what can't be completed stays as it was typed."""
    try:
        return complete(options, profile, settings)
    except InvalidRequest:
        options = _with_settings(options, settings)
        width, height = profile.shapes.get(options.shape or "square", profile.shapes["square"])
        request = _with_defaults(options, profile, (options.width or width, options.height or height))
        return replace(
            request,
            num_inference_steps=options.num_inference_steps or request.num_inference_steps,
            guidance_scale=options.guidance_scale or request.guidance_scale,
            scheduler=options.scheduler or request.scheduler,
            preset=options.preset,
        )


def _with_defaults(options: RequestOptions, profile: ModelProfile, size: tuple[int, int]) -> Request:
    """The options in this size, with the model's own steps, guidance and scheduler."""
    return Request(
        prompt=options.prompt,
        negative_prompt=options.negative_prompt,
        width=size[0],
        height=size[1],
        num_inference_steps=profile.num_inference_steps,
        guidance_scale=profile.guidance_scale,
        scheduler=profile.scheduler,
        seed=secrets.randbelow(SEED_LIMIT) if options.seed is None else options.seed,
        images=options.images,
        init_image=options.init_image,
        mask_image=options.mask_image,
        strength=DEFAULT_STRENGTH if options.strength is None else options.strength,
        upscale=options.upscale,
        clip_skip=options.clip_skip,
        left_out=told(options.left_out, profile),
    )


def _size(options: RequestOptions, profile: ModelProfile) -> tuple[int, int]:
    """Pixels: explicit numbers, or the shape's, or the model's square."""
    if options.shape is not None and (options.width is not None or options.height is not None):
        raise InvalidRequest("Give either a shape or a width and height, not both.")
    shape = options.shape or "square"
    if shape not in profile.shapes:
        raise InvalidRequest(f"There is no shape {shape!r}. There are: {', '.join(profile.shapes)}.")
    width, height = profile.shapes[shape]
    return (
        width if options.width is None else options.width,
        height if options.height is None else options.height,
    )
