"""/block, /unblock and /blocks: who may not paint in this server."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import Range
from discord.ext import commands

from cogs.core.checks import require_moderator
from cogs.core.durations import parse_end
from cogs.core.text import NOBODY, inert, plural
from db import blocks
from db.blocks import Block
from domain import InvalidRequest, NotFound

if TYPE_CHECKING:
    from cogs.core.bot import Bot

Interaction = discord.Interaction[Any]

MAX_LISTED = 25


class Moderation(commands.Cog):
    """Keeping single members from painting."""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot

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
        if member.id == interaction.user.id:
            raise InvalidRequest("You can't block yourself.")
        now = self.bot.service.clock()
        end = parse_end(expires, now)
        async with self.bot.service.database.transaction() as connection:
            await blocks.add(connection, guild_id, member.id, interaction.user.id, now, reason=reason, expires_at=end)
        cancelled = await cancel_open_jobs(self.bot, interaction.user.id, user_id=member.id, guild_id=guild_id)
        tail = f" {plural(cancelled, 'picture')} in the queue cancelled." if cancelled else ""
        await interaction.response.send_message(
            f"<@{member.id}> can't paint here {_until(end)}.{tail}", ephemeral=True, allowed_mentions=NOBODY
        )
        self.bot.rounds.wake()

    @app_commands.command()
    @app_commands.guild_only()
    @app_commands.default_permissions(moderate_members=True)
    @app_commands.describe(member="Who may paint here again", reason="Why; the audit log keeps it")
    async def unblock(self, interaction: Interaction, member: discord.User, reason: Range[str, 0, 200] = "") -> None:
        """Let a blocked member paint again"""
        guild_id = await require_moderator(interaction)
        async with self.bot.service.database.transaction() as connection:
            was_blocked = await blocks.lift(
                connection, guild_id, member.id, interaction.user.id, self.bot.service.clock(), reason=reason
            )
        if not was_blocked:
            raise InvalidRequest("This member is not blocked in this server.")
        await interaction.response.send_message(
            f"<@{member.id}> can paint here again.", ephemeral=True, allowed_mentions=NOBODY
        )
        self.bot.rounds.wake()

    @app_commands.command(name="blocks")
    @app_commands.guild_only()
    @app_commands.default_permissions(moderate_members=True)
    async def list_blocks(self, interaction: Interaction) -> None:
        """Who is blocked in this server"""
        guild_id = await require_moderator(interaction)
        found = await blocks.fetch_all(self.bot.service.database, guild_id, self.bot.service.clock())
        text = "\n".join(block_line(block) for block in found[:MAX_LISTED]) or "Nobody is blocked."
        await interaction.response.send_message(
            embed=discord.Embed(title=plural(len(found), "block"), description=text), ephemeral=True
        )


async def cancel_open_jobs(bot: Bot, actor_id: int, *, user_id: int | None = None, guild_id: int | None = None) -> int:
    """Take back what is waiting or being painted for a member, in one server or (None) everywhere; returns how many."""
    cancelled = 0
    for job in await bot.service.open_jobs(user_id):
        if guild_id is None or job.guild_id == guild_id:
            with contextlib.suppress(NotFound):  # it was finished meanwhile
                await bot.service.cancel(job.id, actor_id, is_moderator=True)
                cancelled += 1
    return cancelled


def block_line(block: Block) -> str:
    """One block in one line."""
    who = f"<@{block.user_id}>" if block.user_id != blocks.WHOLE_SERVER else "this whole server"
    return f"{who} {_until(block.expires_at)} (by <@{block.actor_id}>: {inert(block.reason, 100)})"


def _until(end: datetime | None) -> str:
    return f"until {discord.utils.format_dt(end, 'f')}" if end else "until somebody lifts it"
