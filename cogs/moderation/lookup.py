"""“Who made this?”: a moderators' entry in every message's Apps menu.

Finds the job by the message, by what a PNG says about itself (checked against the database, for such words can be
forged), or by what the picture looks like when it was saved and uploaded again. Only this server's pictures are found.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from cogs.cases.embeds import spoiler
from cogs.cases.reports import job_of_message
from cogs.core.checks import require_moderator
from db import jobs, picture_hashes
from domain import Job, NotFound
from engine.images.fingerprint import CANDIDATE_DISTANCE, SAME_SIMILARITY, distances, fingerprint, similarity
from engine.images.metadata import read_png

if TYPE_CHECKING:
    from cogs.core.bot import Bot

Interaction = discord.Interaction[Any]

MENU = "Who made this?"
MAX_BYTES = 25 * 2**20
MAX_CANDIDATES = 12
BLUE = 0x5B8DEF


@dataclass(frozen=True, slots=True)
class Found:
    """A job, and in words how it was found."""

    job: Job
    how: str


class Origin(commands.Cog):
    """The Apps menu's entry."""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot
        self._menu = app_commands.ContextMenu(name=MENU, callback=self.who_made_this)

    async def cog_load(self) -> None:
        self.bot.tree.add_command(self._menu)

    async def cog_unload(self) -> None:
        self.bot.tree.remove_command(self._menu.name, type=self._menu.type)

    @app_commands.guild_only()
    @app_commands.default_permissions(moderate_members=True)
    async def who_made_this(self, interaction: Interaction, message: discord.Message) -> None:
        """Find the member and the request behind the picture in a message"""
        guild_id = await require_moderator(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        found = await self._find(message, guild_id)
        if found is None:
            raise NotFound(
                "I don't know this picture: it is not one of mine from this server, it was changed a lot, or what I "
                "knew of it was erased."
            )
        await interaction.edit_original_response(embed=origin_card(found))

    async def _find(self, message: discord.Message, guild_id: int) -> Found | None:
        job = await job_of_message(self.bot.service.database, message.id)
        if job is not None and job.guild_id == guild_id:
            return Found(job, "by its message")
        for attachment in message.attachments:
            if attachment.size > MAX_BYTES or not (attachment.content_type or "").startswith("image/"):
                continue
            data = await attachment.read()
            found = await self._by_metadata(data, guild_id) or await self._by_looks(data, guild_id)
            if found is not None:
                return found
        return None

    async def _by_metadata(self, data: bytes, guild_id: int) -> Found | None:
        info = await asyncio.to_thread(read_png, data)
        if info is None or info.job_id is None:
            return None
        job = await jobs.fetch(self.bot.service.database, info.job_id)
        if job is None or job.guild_id != guild_id:
            return None
        seeds = {picture.seed for picture in await self.bot.service.pictures(job.id)}
        return Found(job, "by what the file says about itself") if info.seed in seeds else None

    async def _by_looks(self, data: bytes, guild_id: int) -> Found | None:
        try:
            wanted = await asyncio.to_thread(fingerprint, data)
        except OSError:
            return None
        stored = await picture_hashes.fetch_for_guild(self.bot.service.database, guild_id)
        apart = await asyncio.to_thread(distances, wanted, [one.hashes for one in stored])
        nearest = sorted(range(len(stored)), key=apart.__getitem__)[:MAX_CANDIDATES]
        best, best_job_id = SAME_SIMILARITY, None
        for place in nearest:
            if apart[place] > CANDIDATE_DISTANCE:
                break
            pictures = await self.bot.service.pictures(stored[place].job_id)
            png = pictures[stored[place].position].png if stored[place].position < len(pictures) else None
            if png is None:
                continue
            alike = await asyncio.to_thread(similarity, data, png)
            if alike >= best:
                best, best_job_id = alike, stored[place].job_id
        if best_job_id is None:
            return None
        return Found(await self.bot.service.job(best_job_id), f"by its looks ({best:.0%} alike)")


def origin_card(found: Found) -> discord.Embed:
    """Who asked for it, when, where, and with which words."""
    job = found.job
    embed = discord.Embed(title=f"Picture {job.id}, found {found.how}", colour=BLUE)
    embed.add_field(name="Asked for by", value=f"<@{job.user_id}>")
    embed.add_field(name="Where", value=f"<#{job.channel_id}>")
    embed.add_field(name="When", value=discord.utils.format_dt(job.created_at, "f"))
    embed.add_field(name="Prompt", value=spoiler(job.request.prompt) if job.request.prompt else "erased", inline=False)
    if job.request.negative_prompt:
        embed.add_field(name="Without", value=spoiler(job.request.negative_prompt), inline=False)
    embed.add_field(name="Seed", value=str(job.request.seed))
    if job.model is not None:
        embed.add_field(name="Model", value=f"{job.model.name} `{job.model.sha256[:16]}…`")
    if job.parent_id is not None:
        embed.add_field(name="Made from", value=f"picture {job.parent_id}")
    if job.message_id is not None and job.guild_id is not None:
        link = f"https://discord.com/channels/{job.guild_id}/{job.channel_id}/{job.message_id}"
        embed.add_field(name="Message", value=link, inline=False)
    return embed
