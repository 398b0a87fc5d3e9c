"""The buttons under the bot's words in a prompt channel: why a message was refused, and the rules that come first."""

from __future__ import annotations

import discord

from cogs.core.bot import Interaction
from cogs.core.errors import RowButton
from cogs.member import refusals
from domain import ConsentRequired


class WhyButton(RowButton, template=r"prompt:why:(?P<row_id>[0-9]+)"):
    """Why a message was refused, for its author's eyes, as a command's refusal says it; the row is the decision."""

    prefix, label = "prompt:why", "Why?"

    async def act(self, interaction: Interaction) -> None:
        await refusals.show(interaction, self.row_id)


class TermsButton(RowButton, template=r"prompt:terms:(?P<row_id>[0-9]+)"):
    """Read and agree, and the kept request goes on; the row is the kept request."""

    prefix, label, style = "prompt:terms", "Read the rules", discord.ButtonStyle.primary

    async def act(self, interaction: Interaction) -> None:
        await interaction.client.service.terms.require_pending(self.row_id, interaction.user.id)
        # The border of errors answers with the terms, as it does after a command.
        raise ConsentRequired("Please read what this model may not be used for.", self.row_id)


BUTTONS: tuple[type[RowButton], ...] = (WhyButton, TermsButton)
