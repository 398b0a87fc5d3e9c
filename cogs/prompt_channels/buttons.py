"""The buttons under the bot's words in a prompt channel: why a message was refused, and the rules that come first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import discord

from cogs.cases.appeals import appeal_view, may_be_appealed
from cogs.cases.embeds import clause_words
from cogs.core.errors import RowButton
from cogs.core.text import plural
from db import appeals, guild_settings, strikes
from domain import NotAllowed, NotFound

if TYPE_CHECKING:
    from cogs.core.bot import Bot

Interaction = discord.Interaction[Any]


class WhyButton(RowButton, template=r"prompt:why:(?P<row_id>[0-9]+)"):
    """Why a message was refused, for its author's eyes, with the way to appeal; the row is the decision."""

    prefix, label = "prompt:why", "Why?"

    async def act(self, interaction: Interaction) -> None:
        grounds = await appeals.fetch_grounds(cast("Bot", interaction.client).service.database, self.row_id)
        if grounds is None:
            raise NotFound("This decision is not stored any more.")
        if grounds.user_id != interaction.user.id:
            raise NotAllowed("Only the author of the message can read this.")
        text = clause_words(grounds.clause) + await _strikes_in_words(interaction)
        if may_be_appealed(grounds):
            text += "\nIf this is a mistake, press Appeal and a moderator will look at it."
            await interaction.response.send_message(text, view=appeal_view(grounds.id), ephemeral=True)
        else:
            await interaction.response.send_message(f"{text}\nThis can't be appealed.", ephemeral=True)


async def _strikes_in_words(interaction: Interaction) -> str:
    """In a prompt channel nobody is told in public that a refusal was a strike; here its author is."""
    service, guild_id = cast("Bot", interaction.client).service, interaction.guild_id or 0
    settings = await guild_settings.load(service.database, guild_id)
    penalty = await strikes.fetch_penalty(service.database, guild_id, interaction.user.id, settings, service.clock())
    if not penalty.count:
        return ""
    return f"\nYou have {plural(penalty.count, 'live strike')} in this server; `/strikes` shows what follows from that."


class TermsButton(RowButton, template=r"prompt:terms:(?P<row_id>[0-9]+)"):
    """Read and agree, and the kept request goes on; the row is the kept request."""

    prefix, label, style = "prompt:terms", "Read the rules", discord.ButtonStyle.primary

    async def act(self, interaction: Interaction) -> None:
        bot = cast("Bot", interaction.client)
        row = await bot.service.database.fetch_one("SELECT user_id FROM pending_requests WHERE id = ?", (self.row_id,))
        if row is None:
            raise NotFound("This request does not wait any more; please write it again.")
        if row["user_id"] != interaction.user.id:
            raise NotAllowed("Only the author of the message can do this; your own first message asks you, too.")
        await bot.ask_for_consent(interaction, self.row_id)


BUTTONS: tuple[type[RowButton], ...] = (WhyButton, TermsButton)
