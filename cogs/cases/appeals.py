"""The member's side of a refusal: the Appeal button, what they want to say, and the answer.

An appeal is a row; the moderators' card (cogs/cases/review.py) follows from it.
"""

from __future__ import annotations

from typing import Any

from discord import ui

from cogs.core.bot import Interaction
from cogs.core.errors import RowButton, WordsModal

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


class AppealModal(WordsModal, title="Appeal to the moderators"):
    """What the member wants to say; the row is the decision."""

    name, question = "statement", "Why is this a mistake?"
    hint = "The moderators see this, your prompt and what was found in it."
    max_length, is_long, is_required = 500, True, False

    async def act(self, interaction: Interaction) -> None:
        has_review_channel = await interaction.client.service.cases.appeal(
            self.row_id, interaction.user.id, interaction.guild_id, self.words
        )
        hint = "" if has_review_channel else NO_CHANNEL
        await interaction.response.send_message(
            f"Your appeal is with the moderators. You will hear from me when they have decided.{hint}", ephemeral=True
        )


BUTTONS: tuple[type[ui.DynamicItem[Any]], ...] = (AppealButton, PictureAppealButton)
