"""Settings that a prompt itself names (`--ar 2:3 --seed 5`, `Steps: 20, Sampler: Euler a`) as the options they mean.

What the member chose by the command's own options counts more. What can't be done as it was typed is said before
anything is spent; what has no meaning here is left out, and told beside the picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from domain import InvalidRequest, ModelProfile, Request, RequestOptions
from engine.request.chat_markup import without_markup
from engine.request.inline_syntax import joined, split
from engine.request.inline_values import Setting
from engine.request.presets import PRESETS, apply_preset
from engine.request.schedulers import SCHEDULERS, scheduler_named

# A picture is called portrait or landscape from this ratio of its sides on.
OBLONG = 1.2


def read_inline(options: RequestOptions) -> RequestOptions:
    """The options without Discord's markup and other bots' syntax in the prompt, and with what that syntax says.

    Markup goes first: what it hides (`-||||-no`) would otherwise be read as words and painted as a setting. Reading
    twice changes nothing. Raises InvalidRequest for what can't be done.
    """
    inline = split(without_markup(options.prompt))
    values = inline.values
    if values.wrong:
        raise InvalidRequest(values.wrong[0])
    negative = joined(without_markup(options.negative_prompt), inline.negative_prompt)
    left_out = options.left_out + values.left_out
    options = replace(options, prompt=inline.prompt.strip(), negative_prompt=negative, left_out=left_out)
    chosen = _chosen(options, values.settings)
    return replace(options, **{name: value for name, value in chosen.items() if value is not None})


def with_inline(request: Request, profile: ModelProfile) -> Request:
    """A form's request with what its prompt names, which counts more than the settings it was opened with.

    Raises InvalidRequest for what can't be done.
    """
    options = read_inline(RequestOptions(prompt=request.prompt, negative_prompt=request.negative_prompt))
    require_start(options.strength, request.init_image)
    width, height = profile.shapes.get(options.shape or "", (request.width, request.height))
    request = apply_preset(
        request,
        options.preset,
        steps=options.num_inference_steps,
        guidance_scale=options.guidance_scale,
        scheduler=options.scheduler,
    )
    named = {name: value for name in ("images", "upscale", "clip_skip") if (value := getattr(options, name)) != 1}
    return replace(
        request,
        prompt=options.prompt,
        negative_prompt=options.negative_prompt,
        width=width if options.width is None else options.width,
        height=height if options.height is None else options.height,
        seed=request.seed if options.seed is None else options.seed,
        strength=request.strength if options.strength is None else options.strength,
        left_out=told(options.left_out, profile),
        **named,
    )


def require_start(strength: float | None, init_image: bytes | None) -> None:
    """Raise InvalidRequest for a strength that has nothing to work on."""
    if strength is not None and init_image is None:
        raise InvalidRequest("A strength needs a start picture to go with it: it says how much of that may change.")


def told(left_out: tuple[str, ...], profile: ModelProfile) -> tuple[str, ...]:
    """What was left out, without the loaded model's own name: a parameter block of it leaves out no model."""
    own = (f"Model hash: {profile.identity.sha256[:10]}", f"Model: {profile.identity.name}")
    return tuple(one for one in left_out if one not in own)


def _chosen(options: RequestOptions, settings: Mapping[str, Setting]) -> dict[str, Any]:
    """The values for options that the member left open; None for what the prompt does not name."""
    names = ("num_inference_steps", "guidance_scale", "seed", "strength")
    chosen: dict[str, Any] = {name: settings.get(name) for name in names if getattr(options, name) is None}
    chosen |= {name: settings.get(name) for name in ("upscale", "images", "clip_skip") if getattr(options, name) == 1}
    if options.preset is None and "preset" in settings:
        chosen["preset"] = _known("preset", str(settings["preset"]).casefold(), PRESETS)
    if options.scheduler is None and "sampler" in settings:
        sampler = str(settings["sampler"])
        chosen["scheduler"] = _known("sampler", scheduler_named(sampler) or sampler, SCHEDULERS)
    if options.shape is None and options.width is None and options.height is None:
        chosen["width"], chosen["height"] = settings.get("width"), settings.get("height")
        if chosen["width"] is None and chosen["height"] is None:
            chosen["shape"] = _shape(str(settings.get("aspect_ratio", "")))
    return chosen


def _known(what: str, name: str, names: Mapping[str, object]) -> str:
    if name not in names:
        raise InvalidRequest(f"There is no {what} “{name[:40]}” here. There are: {', '.join(names)}.")
    return name


def _shape(ratio: str) -> str | None:
    """The shape nearest to `width:height`."""
    width, _, height = ratio.partition(":")
    if not height:
        return None
    share = int(width) / int(height)
    return "landscape" if share >= OBLONG else "portrait" if share <= 1 / OBLONG else "square"
