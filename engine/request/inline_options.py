"""Settings that a prompt itself names (`--ar 2:3 --seed 5`, `Steps: 20, Sampler: Euler a`) as the options they mean.

What the member chose by the command's own options counts more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from domain import RequestOptions
from engine.request.chat_markup import without_markup
from engine.request.inline_syntax import joined, split
from engine.request.schedulers import SCHEDULERS

# A picture is called portrait or landscape from this ratio of its sides on.
OBLONG = 1.2


def read_inline(options: RequestOptions) -> RequestOptions:
    """The options without Discord's markup and other bots' syntax in the prompt, and with what that syntax says.

    Markup goes first: what it hides (`-||||-no`) would otherwise be read as words and painted as a setting. Reading
    twice changes nothing.
    """
    inline = split(without_markup(options.prompt))
    negative = joined(without_markup(options.negative_prompt), inline.negative_prompt)
    options = replace(options, prompt=inline.prompt.strip(), negative_prompt=negative)
    chosen = _chosen(options, inline.settings)
    return replace(options, **{name: value for name, value in chosen.items() if value is not None})


def _chosen(options: RequestOptions, settings: Mapping[str, int | float | str]) -> dict[str, Any]:
    """The values for options that the member left open; None for what the prompt does not name."""
    names = ("num_inference_steps", "guidance_scale", "seed")
    chosen: dict[str, Any] = {name: settings.get(name) for name in names if getattr(options, name) is None}
    if options.scheduler is None:
        chosen["scheduler"] = _scheduler(str(settings.get("sampler", "")))
    if options.images == 1:
        chosen["images"] = settings.get("images")
    if options.shape is None and options.width is None and options.height is None:
        chosen["width"], chosen["height"] = settings.get("width"), settings.get("height")
        if chosen["width"] is None and chosen["height"] is None:
            chosen["shape"] = _shape(str(settings.get("aspect_ratio", "")))
    return chosen


def _scheduler(label: str) -> str | None:
    """Our name for a sampler as A1111's web UI calls it; one that we do not have is left to the preset."""
    labels = {scheduler.label.casefold(): name for name, scheduler in SCHEDULERS.items()}
    return labels.get(label.casefold())


def _shape(ratio: str) -> str | None:
    """The shape nearest to `width:height`."""
    width, _, height = ratio.partition(":")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        return None
    share = int(width) / int(height)
    return "landscape" if share >= OBLONG else "portrait" if share <= 1 / OBLONG else "square"
