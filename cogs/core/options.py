"""Slash-command options that several commands share: written and described once, read into one value."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from discord import app_commands

from cogs.core.bot import Cog, Interaction

Command = Callable[..., Awaitable[None]]
Read = Callable[..., Awaitable[Any]]


def taking(name: str, read: Read, **descriptions: str) -> Callable[[Command], Callable[..., Any]]:
    """A command whose parameter `name` is, to Discord, the options of `read`, with what `descriptions` say of them.

    `read` gets the interaction and the options by name; what it returns is the command's argument, what it raises is
    the command's answer.
    """
    options = list(inspect.signature(read, eval_str=True).parameters.values())[1:]

    def decorate(command: Command) -> Callable[..., Any]:
        @functools.wraps(command)
        async def run(cog: Cog, interaction: Interaction, **given: Any) -> None:
            value = await read(interaction, **{option.name: given.pop(option.name) for option in options})
            await command(cog, interaction, **{name: value}, **given)

        signature = inspect.signature(command, eval_str=True)
        parameters: list[inspect.Parameter] = []
        for parameter in signature.parameters.values():
            parameters += options if parameter.name == name else [parameter]
        # discord.py reads the options of a command from here.
        setattr(run, "__signature__", signature.replace(parameters=parameters))  # noqa: B010
        return app_commands.describe(**descriptions)(run)

    return decorate
