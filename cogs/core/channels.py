"""What a channel takes: pictures of which level, and whether the bot may post there at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from cogs.imagine.submit import parent_of, place_of
from db import guild_settings
from domain import InvalidRequest, Job, SafetyLevel

if TYPE_CHECKING:
    from cogs.core.bot import Bot

STRICTEST_FIRST = tuple(SafetyLevel)


async def level_of(bot: Bot, guild_id: int, channel_id: int) -> SafetyLevel | None:
    """How strictly a channel is judged now; None where pictures are switched off, or if the bot can't see it."""
    channel = bot.get_channel(channel_id)
    if channel is None:
        return None
    chosen = await guild_settings.load_channel(bot.service.database, guild_id, parent_of(channel) or channel_id)
    if chosen.level == "strict":
        return SafetyLevel.STRICT
    if chosen.level == "adult" and place_of(channel, guild_id, channel_id).age_restricted:
        return SafetyLevel.ADULT
    return None if chosen.level == "off" else SafetyLevel.STANDARD


async def may_be_shown(bot: Bot, job: Job, channel_id: int) -> bool:
    """Whether a channel admits a picture that was made, and judged, somewhere else."""
    level = await level_of(bot, job.guild_id, channel_id) if job.guild_id is not None else None
    return level is not None and STRICTEST_FIRST.index(job.place.level) <= STRICTEST_FIRST.index(level)


def require_age_restricted(channel: object) -> None:
    """Raise InvalidRequest if Discord itself does not mark the channel: without that there is no adult level."""
    is_nsfw = getattr(channel, "is_nsfw", None)
    if not (callable(is_nsfw) and is_nsfw()):
        raise InvalidRequest(
            f"<#{getattr(channel, 'id', 0)}> is not age-restricted. Switch on “Age-Restricted Channel” in its Discord "
            "settings first, then choose this level again."
        )


def require_posting(channel: object) -> None:
    """Raise InvalidRequest, naming what is missing, if the bot can't post pictures in the channel."""
    if not isinstance(channel, discord.abc.GuildChannel | discord.Thread):
        raise InvalidRequest("That is no channel in which I can post. Please name a text channel.")
    mine = channel.permissions_for(channel.guild.me)
    needed = {
        "view channel": mine.view_channel,
        "send messages": mine.send_messages_in_threads if isinstance(channel, discord.Thread) else mine.send_messages,
        "embed links": mine.embed_links,
        "attach files": mine.attach_files,
    }
    missing = [name for name, is_there in needed.items() if not is_there]
    if missing:
        raise InvalidRequest(
            f"I can't post in <#{channel.id}>: I am missing {', '.join(missing)}. Give me that there, then try again."
        )
