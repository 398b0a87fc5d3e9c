"""Who may do what here: Discord's permissions, the moderators' roles of `/settings role moderators`, the bot's owner.

`default_permissions` only decides whom a client shows a command; each moderators' command asks here as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import discord

from db import guild_settings
from domain import NotAllowed

if TYPE_CHECKING:
    from cogs.core.bot import Bot

Interaction = discord.Interaction[Any]

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
    if _has_powers(interaction.permissions):
        return True
    roles = interaction.user.roles if isinstance(interaction.user, discord.Member) else []
    return await _has_moderators_role(cast("Bot", interaction.client), interaction.guild_id, roles)


async def is_moderating_member(bot: Bot, member: discord.Member) -> bool:
    """The same for somebody who wrote a message."""
    return _has_powers(member.guild_permissions) or await _has_moderators_role(bot, member.guild.id, member.roles)


async def may_tidy_up(interaction: Interaction) -> bool:
    """Whether the person may act on other members' pictures here: Manage Messages in this channel, or a moderator."""
    if interaction.guild_id is None:
        return False
    return interaction.permissions.manage_messages or await is_moderator(interaction)


async def require_moderator(interaction: Interaction) -> int:
    """The server's id, or NotAllowed."""
    if interaction.guild_id is None:
        raise NotAllowed("This works in servers only, not in direct messages.")
    if not await is_moderator(interaction):
        raise NotAllowed(MODERATORS_ONLY)
    return interaction.guild_id


async def require_manager(interaction: Interaction) -> int:
    """The server's id, or NotAllowed unless the person manages the server."""
    if interaction.guild_id is None:
        raise NotAllowed("This works in servers only, not in direct messages.")
    if not interaction.permissions.manage_guild:
        raise NotAllowed(MANAGERS_ONLY)
    return interaction.guild_id


async def require_owner(interaction: Interaction) -> int:
    """The owner's id, or NotAllowed."""
    bot = cast("Bot", interaction.client)
    if not await bot.is_owner(interaction.user):
        raise NotAllowed(OWNER_ONLY)
    return interaction.user.id


def _has_powers(permissions: discord.Permissions) -> bool:
    return permissions.administrator or permissions.manage_guild or permissions.moderate_members


async def _has_moderators_role(bot: Bot, guild_id: int, roles: list[discord.Role]) -> bool:
    settings = await guild_settings.load(bot.service.database, guild_id)
    return not {role.id for role in roles}.isdisjoint(settings.moderator_role_ids)
