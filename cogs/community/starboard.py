"""/starboard: pictures with enough ⭐ are shown once more, in a chosen channel."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import Range
from discord.ext import commands

from cogs.core.channels import may_be_shown, require_posting
from cogs.core.checks import require_moderator
from cogs.core.i18n import words_for
from cogs.core.text import NOBODY, inert
from db import audit, jobs, starboard
from db.starboard import Starred
from domain import Job, NotFound

if TYPE_CHECKING:
    from cogs.core.bot import Bot

log = logging.getLogger(__name__)

Interaction = discord.Interaction[Any]

STAR = "⭐"
GOLD = 0xD4A017


@app_commands.guild_only()
@app_commands.default_permissions(moderate_members=True)
class Starboard(commands.GroupCog, group_name="starboard"):
    """Counts stars and posts what has enough."""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot

    async def cog_load(self) -> None:
        self.bot.rounds.add(self.post)

    @app_commands.command(name="set")
    @app_commands.describe(channel="Where the best pictures are shown again", stars="How many ⭐ that takes")
    async def set_up(
        self, interaction: Interaction, channel: discord.TextChannel, stars: Range[int, 1, 100] = 3
    ) -> None:
        """Show pictures with enough stars once more in a channel"""
        guild_id, service = await require_moderator(interaction), self.bot.service
        require_posting(channel)
        now, actor_id = service.clock(), interaction.user.id
        async with service.database.transaction() as connection:
            await starboard.save(connection, guild_id, channel.id, stars, actor_id, now)
            details = {"stars": stars}
            await audit.record(connection, guild_id, actor_id, "starboard.set", f"channel:{channel.id}", details, now)
        await interaction.response.send_message(
            f"Pictures with {stars} {STAR} (their author's own does not count) are shown in <#{channel.id}>. "
            "Pictures from channels that allow more than that one, such as age-restricted ones, stay where they are.",
            ephemeral=True,
        )

    @app_commands.command()
    async def off(self, interaction: Interaction) -> None:
        """No starboard any more"""
        guild_id, service = await require_moderator(interaction), self.bot.service
        async with service.database.transaction() as connection:
            if not await starboard.remove(connection, guild_id):
                raise NotFound("There is no starboard here.")
            await audit.record(
                connection, guild_id, interaction.user.id, "starboard.off", "server", {}, service.clock()
            )
        await interaction.response.send_message("The starboard is off; what it shows stays.", ephemeral=True)

    @app_commands.command()
    async def show(self, interaction: Interaction) -> None:
        """Where the starboard is and how many stars it takes"""
        board = await starboard.fetch(self.bot.service.database, await require_moderator(interaction))
        text = f"<#{board.channel_id}>, from {board.threshold} {STAR}." if board else "There is no starboard here."
        await interaction.response.send_message(text, ephemeral=True)

    # ---- stars -----------------------------------------------------------------------------------------------------

    @commands.Cog.listener()
    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        job = await self._job(payload)
        if job is None or (payload.member is not None and payload.member.bot):
            return
        async with self.bot.service.database.transaction() as connection:
            is_reached = await starboard.add_star(connection, job.id, payload.user_id, self.bot.service.clock())
        if is_reached:
            self.bot.rounds.wake()

    @commands.Cog.listener()
    async def on_raw_reaction_remove(self, payload: discord.RawReactionActionEvent) -> None:
        job = await self._job(payload)
        if job is not None:
            async with self.bot.service.database.transaction() as connection:
                await starboard.take_star(connection, job.id, payload.user_id)

    async def _job(self, payload: discord.RawReactionActionEvent) -> Job | None:
        if payload.guild_id is None or payload.emoji.name != STAR:
            return None
        return await jobs.fetch_by_message(self.bot.service.database, payload.message_id)

    # ---- the round -------------------------------------------------------------------------------------------------

    async def post(self) -> None:
        """Show what has reached the number of stars, each picture once."""
        for starred in await starboard.fetch_unposted(self.bot.service.database):
            message_id = await self._post(starred)
            async with self.bot.service.database.transaction() as connection:
                await starboard.close(connection, starred.job_id, message_id)

    async def _post(self, starred: Starred) -> int | None:
        job = await self.bot.service.job(starred.job_id)
        postings = await self.bot.service.postings(job.id, discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES)
        if not postings or not await may_be_shown(self.bot, job, starred.channel_id):
            return None
        words = await words_for(self.bot, job.guild_id)
        by = words("by {who} in {where}", who=f"<@{job.user_id}>", where=f"<#{job.channel_id}>")
        embed = discord.Embed(description=f"{inert(job.request.prompt, 300)}\n{by}", colour=GOLD)
        embed.set_image(url=f"attachment://{postings[0].filename}")
        embed.set_footer(
            text=f"{STAR} {await starboard.count(self.bot.service.database, job.id)} · {words('AI-generated')}"
        )
        alt = f"AI-generated picture for the prompt: {job.request.prompt}"[:1000]
        file = discord.File(io.BytesIO(postings[0].data), postings[0].filename, description=alt)
        await self.bot.pace.take(starred.channel_id)
        try:
            message = await self.bot.get_partial_messageable(starred.channel_id).send(
                embed=embed, file=file, nonce=f"star-{job.id}", allowed_mentions=NOBODY
            )
        except (discord.Forbidden, discord.NotFound):
            log.warning("the starboard %d is closed to the bot", starred.channel_id)
            return None
        return message.id
