"""What `/imagine` offers: the choices and ranges of the model that is loaded when the commands are registered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from discord.app_commands import Choice, Range

from cogs.core.checks import MAX_CHOICES
from domain import ModelProfile
from domain.frozen import frozen

Choices = list[Choice[Any]]
_RANGE: Any = Range  # its values are known at run time only, which no type checker likes


@frozen
class Limits:
    """By an option's name: the type that Discord checks, and the choices instead of a range where they are few."""

    types: Mapping[str, Any]
    choices: Mapping[str, Choices]


# Without a model (`python bot.py --commands`) there is nothing to be narrower than the widest that any could take.
UNKNOWN = Limits(
    types={
        "width": _RANGE[int, 8, 2048] | None,
        "height": _RANGE[int, 8, 2048] | None,
        "steps": _RANGE[int, 1, 150] | None,
        "guidance_scale": _RANGE[float, 1.0, 30.0] | None,
        "images": _RANGE[int, 1, 4],
        "upscale": _RANGE[float, 1.0, 2.0],
    },
    choices={},
)


def limits_of(profile: ModelProfile, schedulers: Mapping[str, str], presets: Mapping[str, str]) -> Limits:
    """`schedulers` maps names to labels, `presets` to descriptions."""
    sides = range(-(-profile.min_side // profile.unit) * profile.unit, profile.max_side + 1, profile.unit)
    offered: dict[str, Choices] = {
        "shape": [Choice(name=f"{name} ({w}×{h})", value=name) for name, (w, h) in profile.shapes.items()],
        "width": [Choice(name=str(side), value=side) for side in sides],
        "height": [Choice(name=str(side), value=side) for side in sides],
        "scheduler": [Choice(name=label, value=name) for name, label in schedulers.items()],
        "preset": [Choice(name=f"{name}: {says}"[:100], value=name) for name, says in presets.items()],
    }
    choices = {name: some for name, some in offered.items() if len(some) <= MAX_CHOICES}
    side = int | None if "width" in choices else _RANGE[int, profile.min_side, profile.max_side] | None
    types = {
        "width": side,
        "height": side,
        "steps": _RANGE[int, 1, profile.max_steps] | None,
        "guidance_scale": _RANGE[float, 1.0, profile.max_guidance_scale] | None,
        "images": _RANGE[int, 1, profile.max_images],
        "upscale": _RANGE[float, 1.0, profile.max_upscale],
    }
    return Limits(types=types, choices=choices)
