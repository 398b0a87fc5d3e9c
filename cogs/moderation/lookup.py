"""“Who made this?”: a moderators' entry in every message's Apps menu."""

from __future__ import annotations

import discord
from discord import app_commands

from cogs.core.bot import Cog, Interaction
from cogs.core.checks import require_moderator
from cogs.core.colours import BLUE
from cogs.core.text import spoiler
from domain import NotFound
from domain.lookup import Found, FoundBy

MENU = "Who made this?"
MAX_BYTES = 25 * 2**20


class WhoMadeThis(Cog):
    """The Apps menu's entry."""

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
        await interaction.edit_original_response(embed=found_card(found))

    async def _find(self, message: discord.Message, guild_id: int) -> Found | None:
        lookup = self.bot.service.lookup
        found = await lookup.find_by_message(message.id, guild_id)
        for attachment in message.attachments:
            if found is None and _is_readable_image(attachment):
                found = await lookup.find_by_picture(await attachment.read(), guild_id)
        return found


def _is_readable_image(attachment: discord.Attachment) -> bool:
    return attachment.size <= MAX_BYTES and (attachment.content_type or "").startswith("image/")


def found_card(found: Found) -> discord.Embed:
    """Who asked for it, when, where, and with which words."""
    job = found.job
    embed = discord.Embed(title=f"Picture {job.id}, found {_how(found)}", colour=BLUE)
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


def _how(found: Found) -> str:
    if found.by is FoundBy.MESSAGE:
        return "by its message"
    if found.by is FoundBy.METADATA:
        return "by what the file says about itself"
    return f"by its looks ({found.likeness:.0%} alike)"
