"""Commands as clients have them registered."""

from __future__ import annotations

from sandbox.world.things import Json
from sandbox.world.world import World

_LIMITS = ("choices", "min_value", "max_value")


def option_of(world: World, command: str, option: str) -> Json:
    """One option of a command as it is registered for everywhere."""
    found = next(one for one in world.commands[None] if one["name"] == command)
    return next(one for one in found["options"] if one["name"] == option)


def forget_limits(world: World) -> None:
    """Let clients send /imagine whatever they like, as one does that still has the commands of another model."""
    found = next(one for one in world.commands[None] if one["name"] == "imagine")
    for option in found["options"]:
        for name in _LIMITS:
            option.pop(name, None)
