"""/challenges: what is running, and who has won so far. For everybody, so apart from the moderators' /challenge."""

from __future__ import annotations

from discord import app_commands

from cogs.community.challenge_cards import fame_card, running_card
from cogs.core.bot import Cog, Interaction
from cogs.core.text import NOBODY


class HallOfFame(Cog):
    """Looking at challenges."""

    @app_commands.command()
    @app_commands.guild_only()
    async def challenges(self, interaction: Interaction) -> None:
        """The challenges that are running, and the hall of fame"""
        service, guild_id = self.bot.service.challenges, interaction.guild_id or 0
        cards = [
            running_card(await service.fetch_open(guild_id)),
            fame_card(await service.fetch_victories(guild_id)),
        ]
        await interaction.response.send_message(embeds=cards, allowed_mentions=NOBODY, ephemeral=True)
