"""Nothing that was typed is thrown away: what could not be painted is repeated privately, with a form to change it."""

from __future__ import annotations

import discord

from cogs.core.bot import Answer, Interaction
from cogs.core.colours import AMBER
from cogs.core.errors import row_of
from cogs.imagine.form import EditDraftButton, MoreSettingsButton, words_of
from cogs.imagine.submit import Unpainted


async def unpainted_answer(_: Interaction, error: Unpainted) -> Answer:
    """The sentence, the words as they can be copied, and both pages of the form."""
    embed = discord.Embed(title="Your words", description=words_of(error.wanted), colour=AMBER)
    buttons = EditDraftButton(error.draft_id), MoreSettingsButton(error.draft_id)
    return Answer(content=str(error), embed=embed, view=row_of(*buttons))
