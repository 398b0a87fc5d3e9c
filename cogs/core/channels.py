"""Where something happens: a channel as a place, what it takes, and whether the bot may post there at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import discord

from cogs.core.answers import Meaning, meaning_of
from cogs.core.bot import Bot, Interaction
from cogs.core.checks import may_moderate
from domain import InvalidRequest, Job, JobSource, NotAllowed, Origin, Place, SafetyLevel
from domain.settings import ChannelLevel

STRICTEST_FIRST = tuple(SafetyLevel)

NEEDED = discord.Permissions(view_channel=True, send_messages=True, embed_links=True, attach_files=True)
NEEDED_IN_THREADS = discord.Permissions(
    view_channel=True, send_messages_in_threads=True, embed_links=True, attach_files=True
)


def parent_of(channel: object) -> int | None:
    """The channel that a thread belongs to, whose settings and quotas hold in it."""
    return channel.parent_id if isinstance(channel, discord.Thread) else None


async def find_channel(bot: Bot, job: Job) -> object:
    """The job's channel in its server, or None if that is gone or closed to us. Raises what passes.

    discord.py forgets a thread as soon as it is archived, which any picture that is posted there undoes.
    """
    channel = bot.get_channel(job.channel_id)
    if channel is not None or job.guild_id is None:
        return channel
    try:
        return await bot.fetch_channel(job.channel_id)
    except discord.HTTPException as error:
        if meaning_of(error) is Meaning.PASSING:
            raise
        return None


def is_age_restricted(channel: object) -> bool:
    """Whether Discord marks the channel; threads are as age-restricted as the channel they belong to."""
    is_nsfw = getattr(channel, "is_nsfw", None)
    return bool(is_nsfw()) if callable(is_nsfw) else False


def place_of(channel: object, guild_id: int | None, channel_id: int) -> Place:
    return Place(guild_id=guild_id, channel_id=channel_id, age_restricted=is_age_restricted(channel))


def origin_of(
    interaction: Interaction,
    source: JobSource = JobSource.SLASH,
    parent_id: int | None = None,
    parent_number: int | None = None,
) -> Origin:
    """Who asks and where, as plain values; a moderator by role is known to the service."""
    roles = interaction.user.roles if isinstance(interaction.user, discord.Member) else []
    return Origin(
        user_id=interaction.user.id,
        place=place_of(interaction.channel, interaction.guild_id, interaction.channel_id or 0),
        locale=str(interaction.locale),
        source=source,
        parent_id=parent_id,
        parent_number=parent_number,
        role_ids=tuple(role.id for role in roles),
        filesize_limit=interaction.filesize_limit,
        parent_channel_id=parent_of(interaction.channel),
        is_moderator=interaction.guild_id is not None and may_moderate(interaction.permissions),
        request_id=interaction.id,
    )


def origin_of_member(interaction: Interaction, member: discord.Member) -> Origin:
    """A member as they would ask in this channel."""
    roles = tuple(role.id for role in member.roles)
    return replace(origin_of(interaction), user_id=member.id, role_ids=roles)


# ---- what a channel takes --------------------------------------------------------------------------------------------


async def level_of(bot: Bot, guild_id: int, channel_id: int) -> SafetyLevel | None:
    """How strictly a channel is judged now; None where pictures are switched off, or if the bot can't see it."""
    channel = bot.get_channel(channel_id)
    if channel is None:
        return None
    level = (await bot.service.settings.fetch_channel(guild_id, parent_of(channel) or channel_id)).level
    if level is ChannelLevel.STRICT:
        return SafetyLevel.STRICT
    if level is ChannelLevel.ADULT and is_age_restricted(channel):
        return SafetyLevel.ADULT
    return None if level is ChannelLevel.OFF else SafetyLevel.STANDARD


async def may_be_shown(bot: Bot, job: Job, channel_id: int) -> bool:
    """Whether a channel admits a picture that was made, and judged, somewhere else."""
    level = await level_of(bot, job.guild_id, channel_id) if job.guild_id is not None else None
    return level is not None and STRICTEST_FIRST.index(job.place.level) <= STRICTEST_FIRST.index(level)


def require_age_restricted(channel: object) -> None:
    """Raise InvalidRequest if Discord itself does not mark the channel: without that there is no adult level."""
    if not is_age_restricted(channel):
        raise InvalidRequest(
            f"<#{getattr(channel, 'id', 0)}> is not age-restricted. Switch on “Age-Restricted Channel” in its Discord "
            "settings first, then choose this level again."
        )


# ---- whether the bot may post ----------------------------------------------------------------------------------------


def require_permissions(interaction: Interaction) -> None:
    """Raise NotAllowed, naming what is missing, if the bot could not post the picture here."""
    if interaction.guild_id is None:
        return
    needed = NEEDED_IN_THREADS if isinstance(interaction.channel, discord.Thread) else NEEDED
    if missing := names_of_missing(needed, interaction.app_permissions):
        raise NotAllowed(
            f"I can't post pictures here: I am missing {missing}. "
            "Ask somebody who manages this server, or try another channel."
        )


def require_posting(channel: object, needed: discord.Permissions | None = None) -> None:
    """Raise InvalidRequest, naming what is missing, if the bot can't post (unless said otherwise: pictures) there."""
    if not isinstance(channel, discord.abc.GuildChannel | discord.Thread):
        raise InvalidRequest("That is no channel in which I can post. Please name a text channel.")
    needed = needed or (NEEDED_IN_THREADS if isinstance(channel, discord.Thread) else NEEDED)
    if missing := names_of_missing(needed, channel.permissions_for(channel.guild.me)):
        raise InvalidRequest(
            f"I can't post in <#{channel.id}>: I am missing {missing}. Give me that there, then try again."
        )


async def post_in_system_channel(bot: Bot, guild: discord.Guild, **message: Any) -> bool:
    """Write where a server greets newcomers; False if there is no such place that takes it. Raises what passes."""
    channel = guild.system_channel
    if channel is None or not channel.permissions_for(guild.me).send_messages:
        return False
    return await bot.post(channel.id, **message) is not None


def names_of_missing(needed: discord.Permissions, mine: discord.Permissions) -> str:
    """The permissions that are needed and not there, in words; empty if all are there."""
    missing = [name for name, wanted in needed if wanted and not getattr(mine, name)]
    return ", ".join(missing).replace("_", " ")
