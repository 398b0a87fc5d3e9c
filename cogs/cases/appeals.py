"""The member's side of a refusal: the Appeal button, what they want to say, and the answer.

An appeal is a row; the moderators' card (cogs/cases/review.py) follows from it.
"""

from __future__ import annotations

from typing import Any

import discord
from discord import ui

from cogs.core.bot import Interaction
from cogs.core.errors import Modal, RowButton

NO_CHANNEL = (
    " This server's moderators have not chosen a review channel yet; your appeal is kept and shown to them as soon as "
    "they do."
)


class AppealButton(RowButton, template=r"appeal:prompt:(?P<row_id>[0-9]+)"):
    """Ask the moderators to look at a refused prompt; the row is the decision."""

    prefix, label, emoji = "appeal:prompt", "Appeal", "⚖️"

    async def act(self, interaction: Interaction) -> None:
        await interaction.response.send_modal(AppealModal(await self.find_decision(interaction)))

    async def find_decision(self, interaction: Interaction) -> int:
        """The id of the refusal that the member may appeal. Raises NotFound or NotAllowed."""
        cases = interaction.client.service.cases
        return await cases.require_appealable(self.row_id, interaction.user.id, interaction.guild_id)


class PictureAppealButton(AppealButton, template=r"appeal:picture:(?P<row_id>[0-9]+)"):
    """Ask the moderators to look at a withheld picture's words; the row is the job."""

    prefix = "appeal:picture"

    async def find_decision(self, interaction: Interaction) -> int:
        cases = interaction.client.service.cases
        return await cases.require_appealable_picture(self.row_id, interaction.user.id, interaction.guild_id)


class AppealModal(Modal, title="Appeal to the moderators"):
    """What the member wants to say."""

    def __init__(self, decision_id: int) -> None:
        super().__init__()
        self.decision_id = decision_id
        self.statement = self.ask(
            "Why is this a mistake?",
            ui.TextInput[Any](custom_id="statement", style=discord.TextStyle.paragraph, required=False, max_length=500),
            "The moderators see this, your prompt and what was found in it.",
        )

    async def act(self, interaction: Interaction) -> None:
        has_review_channel = await interaction.client.service.cases.appeal(
            self.decision_id, interaction.user.id, interaction.guild_id, self.statement.value
        )
        hint = "" if has_review_channel else NO_CHANNEL
        await interaction.response.send_message(
            f"Your appeal is with the moderators. You will hear from me when they have decided.{hint}", ephemeral=True
        )


BUTTONS: tuple[type[ui.DynamicItem[Any]], ...] = (AppealButton, PictureAppealButton)
