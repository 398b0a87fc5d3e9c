"""/starboard: pictures with enough ⭐ are shown once more, in a chosen channel."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.app_commands import Range

from cogs.core.bot import Cog, GroupCog, Interaction
from cogs.core.channels import may_be_shown, require_posting
from cogs.core.checks import require_moderator
from cogs.core.colours import GOLD
from cogs.core.files import picture_file
from cogs.core.i18n import translation_for
from cogs.core.text import inert
from domain import Job, Upload
from domain.starboard import Starred
from service import Topic

STAR = "⭐"


@app_commands.guild_only()
@app_commands.default_permissions(moderate_members=True)
class Starboard(GroupCog, group_name="starboard"):
    """Counts stars and posts what has enough."""

    async def cog_load(self) -> None:
        self.bot.background.add(self.post, Topic.STARBOARD)

    @app_commands.command(name="set")
    @app_commands.describe(channel="Where the best pictures are shown again", stars="How many ⭐ that takes")
    async def set_up(
        self, interaction: Interaction, channel: discord.TextChannel, stars: Range[int, 1, 100] = 3
    ) -> None:
        """Show pictures with enough stars once more in a channel"""
        guild_id = await require_moderator(interaction)
        require_posting(channel)
        await self.bot.service.starboards.set_up(guild_id, channel.id, stars, interaction.user.id)
        await interaction.response.send_message(
            f"Pictures with {stars} {STAR} (their author's own does not count) are shown in <#{channel.id}>. "
            "Pictures from channels that allow more than that one, such as age-restricted ones, stay where they are.",
            ephemeral=True,
        )

    @app_commands.command()
    async def off(self, interaction: Interaction) -> None:
        """No starboard any more"""
        guild_id = await require_moderator(interaction)
        await self.bot.service.starboards.remove(guild_id, interaction.user.id)
        await interaction.response.send_message("The starboard is off; what it shows stays.", ephemeral=True)

    @app_commands.command()
    async def show(self, interaction: Interaction) -> None:
        """Where the starboard is and how many stars it takes"""
        board = await self.bot.service.starboards.fetch(await require_moderator(interaction))
        text = f"<#{board.channel_id}>, from {board.threshold} {STAR}." if board else "There is no starboard here."
        await interaction.response.send_message(text, ephemeral=True)

    # ---- stars -----------------------------------------------------------------------------------------------------

    @Cog.listener()
    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        is_of_bot = payload.member is not None and payload.member.bot
        if _is_star(payload) and not is_of_bot:
            await self.bot.service.starboards.add_star(payload.message_id, payload.user_id)

    @Cog.listener()
    async def on_raw_reaction_remove(self, payload: discord.RawReactionActionEvent) -> None:
        if _is_star(payload):
            await self.bot.service.starboards.take_star(payload.message_id, payload.user_id)

    # ---- the background task ---------------------------------------------------------------------------------------

    async def post(self) -> None:
        """Show what has reached the number of stars, each picture once."""
        for starred in await self.bot.service.starboards.fetch_unposted():
            message_id = await self._post(starred)
            await self.bot.service.starboards.close(starred.job_id, message_id)

    async def _post(self, starred: Starred) -> int | None:
        service = self.bot.service
        job = await service.jobs.fetch(starred.job_id)
        if not await may_be_shown(self.bot, job, starred.channel_id):
            return None
        upload = await service.deliveries.make_first_upload(job.id, discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES)
        if upload is None:
            return None
        card = await self._card(job, upload)
        file = picture_file(job, upload)
        return await self.bot.post(starred.channel_id, embed=card, file=file, nonce=f"star-{job.id}")

    async def _card(self, job: Job, upload: Upload) -> discord.Embed:
        words = await translation_for(self.bot, job.guild_id)
        stars = await self.bot.service.starboards.count_stars(job.id)
        by = words("by {who} in {where}", who=f"<@{job.user_id}>", where=f"<#{job.channel_id}>")
        embed = discord.Embed(description=f"{inert(job.request.prompt, 300)}\n{by}", colour=GOLD)
        embed.set_image(url=f"attachment://{upload.filename}")
        embed.set_footer(text=f"{STAR} {stars} · {words('AI-generated')}")
        return embed


def _is_star(payload: discord.RawReactionActionEvent) -> bool:
    return payload.guild_id is not None and payload.emoji.name == STAR
