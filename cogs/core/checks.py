"""What comes before a command's own work: who may do it, and options that several commands share.

Rights are Discord's permissions, the moderators' roles of `/settings role moderators`, and being the bot's owner.
`default_permissions` only decides whom a client shows a command; each moderators' command asks here as well.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Choice

from cogs.core.bot import Bot, Cog, Interaction
from cogs.core.text import SERVERS_ONLY
from domain import NotAllowed

Command = Callable[..., Awaitable[None]]

MAX_CHOICES = 25

MODERATORS_ONLY = (
    "This is for this server's moderators: people who may time members out or manage the server, and the roles that "
    "`/settings role moderators` names."
)
MANAGERS_ONLY = "This is for people who manage this server (Discord's permission Manage Server)."
OWNER_ONLY = "This is for the person who runs this bot."


async def is_moderator(interaction: Interaction) -> bool:
    """Whether the person moderates this whole server; never in direct messages."""
    if interaction.guild_id is None:
        return False
    if may_moderate(interaction.permissions):
        return True
    roles = interaction.user.roles if isinstance(interaction.user, discord.Member) else []
    return await _has_moderators_role(interaction.client, interaction.guild_id, roles)


async def may_tidy_up(interaction: Interaction) -> bool:
    """Whether the person may act on other members' pictures here: Manage Messages in this channel, or a moderator."""
    if interaction.guild_id is None:
        return False
    return interaction.permissions.manage_messages or await is_moderator(interaction)


async def require_moderator(interaction: Interaction) -> int:
    """The server's id, or NotAllowed."""
    guild_id = _require_server(interaction)
    if not await is_moderator(interaction):
        raise NotAllowed(MODERATORS_ONLY)
    return guild_id


async def require_manager(interaction: Interaction) -> int:
    """The server's id, or NotAllowed unless the person manages the server."""
    guild_id = _require_server(interaction)
    if not interaction.permissions.manage_guild:
        raise NotAllowed(MANAGERS_ONLY)
    return guild_id


async def require_owner(interaction: Interaction) -> int:
    """The owner's id, or NotAllowed."""
    if not await interaction.client.is_owner(interaction.user):
        raise NotAllowed(OWNER_ONLY)
    return interaction.user.id


def may_moderate(permissions: discord.Permissions) -> bool:
    """Whether Discord's own permissions make somebody a moderator."""
    return permissions.administrator or permissions.manage_guild or permissions.moderate_members


def _require_server(interaction: Interaction) -> int:
    if interaction.guild_id is None:
        raise NotAllowed(SERVERS_ONLY)
    return interaction.guild_id


async def _has_moderators_role(bot: Bot, guild_id: int, roles: list[discord.Role]) -> bool:
    settings = await bot.service.settings.fetch(guild_id)
    return not {role.id for role in roles}.isdisjoint(settings.moderator_role_ids)


def matching(names: Iterable[str], current: str) -> list[Choice[str]]:
    """What an option suggests while somebody types, as much as Discord shows."""
    wanted = current.casefold()
    return [Choice(name=name, value=name) for name in names if wanted in name.casefold()][:MAX_CHOICES]


def taking(
    name: str, read: Callable[..., Awaitable[Any]], **descriptions: str
) -> Callable[[Command], Callable[..., Any]]:
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
