"""Nothing that was typed is thrown away: what could not be painted is repeated privately, with a form to change it."""

from __future__ import annotations

import discord

from cogs.core.bot import Answer, Interaction
from cogs.core.colours import AMBER
from cogs.core.errors import RowButton, row_of
from cogs.core.text import copyable
from cogs.imagine.form import DraftButton
from cogs.imagine.submit import Unpainted
from domain.refusals import Draft


class EditDraftButton(DraftButton, template=r"draft:edit:(?P<row_id>[0-9]+)"):
    """Open the form with what was not accepted; the row is the draft."""

    prefix = "draft:edit"

    async def fetch_draft(self, interaction: Interaction) -> Draft:
        drafts = interaction.client.service.drafts
        return await drafts.fetch(self.row_id, interaction.user.id, interaction.guild_id, interaction.channel_id or 0)


async def unpainted_answer(_: Interaction, error: Unpainted) -> Answer:
    """The sentence, the words as they can be copied, and Edit."""
    words = f"**Prompt**\n{copyable(error.prompt)}"
    if error.negative_prompt:
        words += f"\n**Without**\n{copyable(error.negative_prompt)}"
    embed = discord.Embed(title="Your words", description=words, colour=AMBER)
    return Answer(content=str(error), embed=embed, view=row_of(EditDraftButton(error.draft_id)))


BUTTONS: tuple[type[RowButton], ...] = (EditDraftButton,)
