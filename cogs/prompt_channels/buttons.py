"""The buttons under the bot's words in a prompt channel: why a message was refused, and the rules that come first."""

from __future__ import annotations

import discord

from cogs.cases.appeals import appeal_view
from cogs.core.bot import Interaction
from cogs.core.errors import RowButton
from cogs.core.text import plural
from domain import ConsentRequired


class WhyButton(RowButton, template=r"prompt:why:(?P<row_id>[0-9]+)"):
    """Why a message was refused, for its author's eyes, with the way to appeal; the row is the decision."""

    prefix, label = "prompt:why", "Why?"

    async def act(self, interaction: Interaction) -> None:
        grounds = await interaction.client.service.cases.explain(self.row_id, interaction.user.id)
        text = grounds.clause_words + await _strikes_in_words(interaction)
        if grounds.is_appealable:
            text += "\nIf this is a mistake, press Appeal and a moderator will look at it."
            await interaction.response.send_message(text, view=appeal_view(grounds.id), ephemeral=True)
        else:
            await interaction.response.send_message(f"{text}\nThis can't be appealed.", ephemeral=True)


async def _strikes_in_words(interaction: Interaction) -> str:
    """In a prompt channel nobody is told in public that a refusal was a strike; here its author is."""
    record = await interaction.client.service.strikes.fetch_record(interaction.guild_id or 0, interaction.user.id)
    if not record.live:
        return ""
    return (
        f"\nYou have {plural(len(record.live), 'live strike')} in this server; `/strikes` shows what follows from that."
    )


class TermsButton(RowButton, template=r"prompt:terms:(?P<row_id>[0-9]+)"):
    """Read and agree, and the kept request goes on; the row is the kept request."""

    prefix, label, style = "prompt:terms", "Read the rules", discord.ButtonStyle.primary

    async def act(self, interaction: Interaction) -> None:
        await interaction.client.service.terms.require_pending(self.row_id, interaction.user.id)
        # The border of errors answers with the terms, as it does after a command.
        raise ConsentRequired("Please read what this model may not be used for.", self.row_id)


BUTTONS: tuple[type[RowButton], ...] = (WhyButton, TermsButton)
