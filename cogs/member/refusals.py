"""What a member has of a refusal: why, their own words with the place that met the rule, Edit and Appeal.

Everything here is for its member's eyes alone, in private answers; of clause b there is nothing but the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Self

import discord
from discord import app_commands, ui

from cogs.cases.appeals import AppealButton
from cogs.core.bot import Answer, Cog, Interaction
from cogs.core.colours import AMBER, BLUE
from cogs.core.errors import RowButton, View, answer_privately, or_reply, row_of
from cogs.core.text import MAX_FIELD, inert, lines_within, marked
from cogs.imagine.form import DraftButton
from domain import PromptRefused
from domain.refusals import Draft, Refused

MAX_WORDS = 3800
MAX_FIRST_WORDS = 60


class EditRefusedButton(DraftButton, template=r"refused:edit:(?P<row_id>[0-9]+)"):
    """Open the form with what was refused; the row is the decision."""

    prefix = "refused:edit"

    async def fetch_draft(self, interaction: Interaction) -> Draft:
        refusals = interaction.client.service.refusals
        return await refusals.fetch_draft(
            self.row_id, interaction.user.id, interaction.guild_id, interaction.channel_id or 0
        )


async def refusal_answer(interaction: Interaction, error: PromptRefused) -> Answer:
    """A prompt that was refused just now."""
    if error.decision_id is None:
        return Answer(content=str(error))
    return answer_of(await interaction.client.service.refusals.fetch(error.decision_id, interaction.user.id))


def answer_of(refused: Refused) -> Answer:
    """The sentence, the member's own words, and what they can do."""
    buttons = buttons_of(refused)
    return Answer(content=refused.text, embed=_words_card(refused), view=row_of(*buttons) if buttons else None)


def buttons_of(refused: Refused) -> list[RowButton]:
    """Edit and Appeal, as far as there is something to edit or to appeal."""
    buttons: list[RowButton] = []
    if refused.is_editable:
        buttons.append(EditRefusedButton(refused.id))
    if refused.is_appealable:
        buttons.append(AppealButton(refused.id))
    return buttons


async def show(interaction: Interaction, decision_id: int) -> None:
    """A refusal as its member read it at first. Raises NotFound, or NotAllowed for anybody else."""
    refused = await interaction.client.service.refusals.fetch(decision_id, interaction.user.id)
    await answer_privately(interaction, answer_of(refused))


def _words_card(refused: Refused) -> discord.Embed | None:
    if not refused.prompt:
        return None
    embed = discord.Embed(title="Your words", description=marked(refused.prompt, refused.marks, MAX_WORDS))
    embed.colour = AMBER
    if refused.negative_prompt:
        embed.add_field(name="Without", value=inert(refused.negative_prompt, MAX_FIELD), inline=False)
    if refused.marks:
        embed.set_footer(text="Underlined: what met the rule. Only you see this.")
    return embed


# ---- the list --------------------------------------------------------------------------------------------------------


class RefusalSelect(ui.DynamicItem[ui.Select[Any]], template=r"refused:choose"):
    """A member's refusals, newest first; a choice shows that one."""

    def __init__(self, offered: Sequence[Refused] = ()) -> None:
        options = [
            discord.SelectOption(
                label=_first_words(one)[:100],
                value=str(one.id),
                description=f"{one.decided_at:%d %B, %H:%M} UTC. {one.text}"[:100],
            )
            for one in offered
        ] or [discord.SelectOption(label="none", value="0")]
        super().__init__(ui.Select(custom_id="refused:choose", placeholder="Edit or appeal…", options=options))

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls()

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        await or_reply(interaction, show(interaction, int(next(iter(self.item.values), "0"))))


class Refusals(Cog):
    """What was refused of a member."""

    @app_commands.command()
    async def appeal(self, interaction: Interaction) -> None:
        """What was refused of you in the last 7 days; edit it, or ask the moderators to look again"""
        found = await self.bot.service.refusals.fetch_recent(interaction.user.id, interaction.guild_id)
        if not found:
            await interaction.response.send_message(
                "Nothing of yours was refused here in the last 7 days.", ephemeral=True
            )
            return
        embed = discord.Embed(title="Refused in the last 7 days", colour=BLUE)
        embed.description = lines_within([_line(one) for one in found], MAX_WORDS)
        view = View()
        view.add_item(RefusalSelect(found))
        await interaction.response.send_message(embed=embed, view=view, ephemeral=True)


def _line(refused: Refused) -> str:
    return f"{discord.utils.format_dt(refused.decided_at, 'R')}: {inert(_first_words(refused), 120)}{_state(refused)}"


def _first_words(refused: Refused) -> str:
    words = " ".join((refused.prompt or "").split())
    if not words:
        return "(no words are kept of this one)"
    return words if len(words) <= MAX_FIRST_WORDS else words[: MAX_FIRST_WORDS - 1] + "…"


def _state(refused: Refused) -> str:
    if refused.case is not None:
        return f" ({refused.case.end_in_words or 'appealed, with the moderators'})"
    return "" if refused.is_appealable else " (can't be appealed)"


BUTTONS: tuple[type[ui.DynamicItem[Any]], ...] = (EditRefusedButton, RefusalSelect)
