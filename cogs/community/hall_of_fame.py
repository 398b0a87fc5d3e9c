"""/challenges: what is running, and who has won so far. For everybody, so apart from the moderators' /challenge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from cogs.community.challenge_cards import fame_card, running_card
from cogs.core.text import NOBODY
from db import challenges

if TYPE_CHECKING:
    from cogs.core.bot import Bot

Interaction = discord.Interaction[Any]


class Fame(commands.Cog):
    """Looking at challenges."""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot

    @app_commands.command()
    @app_commands.guild_only()
    async def challenges(self, interaction: Interaction) -> None:
        """The challenges that are running, and the hall of fame"""
        database, guild_id = self.bot.service.database, interaction.guild_id or 0
        running = await challenges.fetch_open(database, guild_id)
        fame = await challenges.fetch_fame(database, guild_id)
        await interaction.response.send_message(
            embeds=[running_card(running), fame_card(fame)], allowed_mentions=NOBODY, ephemeral=True
        )
