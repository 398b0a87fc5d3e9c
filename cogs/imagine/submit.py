"""From any interaction (slash command, button, modal) to an accepted job: the one way in for Discord's people."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import discord

from cogs.core.checks import is_moderator
from db.quota_sql import Asker
from domain import ConsentRequired, Job, NotAllowed, Origin, Place, Request

if TYPE_CHECKING:
    from cogs.core.bot import Bot

Interaction = discord.Interaction[Any]
Done = TypeVar("Done")

# Discord forgets an interaction that is not answered within 3 seconds; past this we say "thinking" first.
PATIENCE_SECONDS = 1.5

NEEDED = discord.Permissions(view_channel=True, send_messages=True, embed_links=True, attach_files=True)
NEEDED_IN_THREADS = discord.Permissions(
    view_channel=True, send_messages_in_threads=True, embed_links=True, attach_files=True
)


async def paint(
    interaction: Interaction,
    request: Request | Coroutine[Any, Any, Request],
    *,
    source: str,
    parent_id: int | None = None,
) -> None:
    """Submit a request and show its message, or the agreement that is needed first. Raises UserError.

    A request that takes time to put together (a download, a look into the database) is given as a coroutine: Discord's
    patience has begun already.
    """

    async def submit() -> Job | int:
        built = await request if isinstance(request, Coroutine) else request
        require_permissions(interaction)
        origin = replace(origin_of(interaction, source, parent_id), is_moderator=await is_moderator(interaction))
        return await _submit(interaction, built, origin)

    await _show(interaction, await in_time(interaction, submit()))


async def paint_accepted(interaction: Interaction, request: Request, origin: Origin) -> None:
    """The same for a request whose origin is known already (it waited for its member's agreement)."""
    await _show(interaction, await in_time(interaction, _submit(interaction, request, origin)))


async def _submit(interaction: Interaction, request: Request, origin: Origin) -> Job | int:
    """The accepted job, or the id under which the request waits for its member's agreement."""
    service = cast("Bot", interaction.client).service
    try:
        return await service.submit(request, origin)
    except ConsentRequired:
        return await service.keep_for_consent(request, origin)


async def _show(interaction: Interaction, accepted: Job | int) -> None:
    bot = cast("Bot", interaction.client)
    if isinstance(accepted, Job):
        await bot.board.show(interaction, accepted)
    else:
        await bot.ask_for_consent(interaction, accepted)


async def in_time(interaction: Interaction, work: Coroutine[Any, Any, Done]) -> Done:
    """Do the work, and let Discord say "thinking" if it takes longer than an unanswered interaction lives."""
    working = asyncio.create_task(work)
    await asyncio.wait({working}, timeout=PATIENCE_SECONDS)
    if not working.done():
        await interaction.response.defer(thinking=True)
    return await working


def require_permissions(interaction: Interaction) -> None:
    """Raise NotAllowed, naming what is missing, if the bot could not post the picture here."""
    if interaction.guild_id is None:
        return
    needed = NEEDED_IN_THREADS if isinstance(interaction.channel, discord.Thread) else NEEDED
    missing = [name.replace("_", " ") for name, wanted in needed if wanted and not _has(interaction, name)]
    if missing:
        raise NotAllowed(
            f"I can't post pictures here: I am missing {', '.join(missing)}. "
            "Ask somebody who manages this server, or try another channel."
        )


def _has(interaction: Interaction, permission: str) -> bool:
    return bool(getattr(interaction.app_permissions, permission))


def origin_of(interaction: Interaction, source: str, parent_id: int | None = None) -> Origin:
    """Who asks and where, as plain values."""
    roles = interaction.user.roles if isinstance(interaction.user, discord.Member) else []
    return Origin(
        user_id=interaction.user.id,
        place=place_of(interaction.channel, interaction.guild_id, interaction.channel_id or 0),
        locale=str(interaction.locale),
        source=source,
        parent_id=parent_id,
        role_ids=tuple(role.id for role in roles),
        filesize_limit=interaction.filesize_limit,
        parent_channel_id=parent_of(interaction.channel),
    )


def asker_of(interaction: Interaction) -> Asker:
    """Whose quota holds here."""
    return Asker.of(origin_of(interaction, "slash"))


def parent_of(channel: object) -> int | None:
    """The channel that a thread belongs to, whose settings and quotas hold in it."""
    return channel.parent_id if isinstance(channel, discord.Thread) else None


def place_of(channel: object, guild_id: int | None, channel_id: int) -> Place:
    """A channel's place; threads are as age-restricted as the channel they belong to."""
    is_nsfw = getattr(channel, "is_nsfw", None)
    return Place(
        guild_id=guild_id,
        channel_id=channel_id,
        age_restricted=bool(is_nsfw()) if callable(is_nsfw) else False,
    )
