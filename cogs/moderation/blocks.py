"""/block, /unblock and /blocks: who may not paint in this server."""

from __future__ import annotations

from datetime import datetime

import discord
from discord import app_commands
from discord.app_commands import Range

from cogs.core.bot import Cog, Interaction
from cogs.core.checks import require_moderator
from cogs.core.text import MAX_DESCRIPTION, NOBODY, inert, lines_within, plural
from domain.blocks import WHOLE_SERVER, Block
from domain.durations import parse_optional_duration


class Moderation(Cog):
    """Keeping single members from painting."""

    @app_commands.command()
    @app_commands.guild_only()
    @app_commands.default_permissions(moderate_members=True)
    @app_commands.describe(
        member="Who may not paint here", reason="Why; the member reads it", expires="For how long: 12h, 7d, 2w"
    )
    async def block(
        self,
        interaction: Interaction,
        member: discord.User,
        reason: Range[str, 1, 200],
        expires: Range[str, 1, 20] | None = None,
    ) -> None:
        """Keep a member from painting in this server"""
        guild_id = await require_moderator(interaction)
        result = await self.bot.service.blocks.block_member(
            guild_id, member.id, interaction.user.id, reason=reason, expires_in=parse_optional_duration(expires)
        )
        tail = f" {plural(result.cancelled, 'picture')} in the queue cancelled." if result.cancelled else ""
        await interaction.response.send_message(
            f"<@{member.id}> can't paint here {_until(result.expires_at)}.{tail}",
            ephemeral=True,
            allowed_mentions=NOBODY,
        )

    @app_commands.command()
    @app_commands.guild_only()
    @app_commands.default_permissions(moderate_members=True)
    @app_commands.describe(member="Who may paint here again", reason="Why; the audit log keeps it")
    async def unblock(self, interaction: Interaction, member: discord.User, reason: Range[str, 0, 200] = "") -> None:
        """Let a blocked member paint again"""
        guild_id = await require_moderator(interaction)
        await self.bot.service.blocks.unblock_member(guild_id, member.id, interaction.user.id, reason=reason)
        await interaction.response.send_message(
            f"<@{member.id}> can paint here again.", ephemeral=True, allowed_mentions=NOBODY
        )

    @app_commands.command(name="blocks")
    @app_commands.guild_only()
    @app_commands.default_permissions(moderate_members=True)
    async def list_blocks(self, interaction: Interaction) -> None:
        """Who is blocked in this server"""
        guild_id = await require_moderator(interaction)
        found = await self.bot.service.blocks.fetch(guild_id)
        text = lines_within([block_line(block) for block in found], MAX_DESCRIPTION) or "Nobody is blocked."
        await interaction.response.send_message(
            embed=discord.Embed(title=plural(len(found), "block"), description=text), ephemeral=True
        )


def block_line(block: Block) -> str:
    """One block in one line."""
    who = f"<@{block.user_id}>" if block.user_id != WHOLE_SERVER else "this whole server"
    return f"{who} {_until(block.expires_at)} (by <@{block.actor_id}>: {inert(block.reason, 100)})"


def _until(end: datetime | None) -> str:
    return f"until {discord.utils.format_dt(end, 'f')}" if end else "until somebody lifts it"
