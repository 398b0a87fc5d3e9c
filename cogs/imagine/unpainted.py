"""Nothing that was typed is thrown away: what could not be painted is repeated privately, with a form to change it."""

from __future__ import annotations

import discord

from cogs.core.bot import Answer, Interaction
from cogs.core.colours import AMBER
from cogs.core.errors import RowButton, row_of
from cogs.imagine.form import show_draft
from cogs.imagine.submit import Unpainted


class EditDraftButton(RowButton, template=r"draft:edit:(?P<row_id>[0-9]+)"):
    """Open the form with what was not accepted; the row is the draft."""

    prefix, label, emoji = "draft:edit", "Edit", "✏️"

    async def act(self, interaction: Interaction) -> None:
        draft = await interaction.client.service.drafts.fetch(
            self.row_id, interaction.user.id, interaction.guild_id, interaction.channel_id or 0
        )
        await show_draft(interaction, draft)


async def unpainted_answer(_: Interaction, error: Unpainted) -> Answer:
    """The sentence, the words as they can be copied, and Edit."""
    words = f"**Prompt**\n{copyable(error.prompt)}"
    if error.negative_prompt:
        words += f"\n**Without**\n{copyable(error.negative_prompt)}"
    embed = discord.Embed(title="Your words", description=words, colour=AMBER)
    return Answer(content=str(error), embed=embed, view=row_of(EditDraftButton(error.draft_id)))


def copyable(words: str) -> str:
    """A block from which the words are copied as they were typed."""
    inside = words.replace("```", "`\u200b``")
    return f"```\n{inside}\n```"


BUTTONS: tuple[type[RowButton], ...] = (EditDraftButton,)
