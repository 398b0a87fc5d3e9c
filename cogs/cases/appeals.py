"""The member's side of a refusal: the Appeal button, what they want to say, and the answer.

An appeal is a row; the moderators' card (cogs/cases/review.py) follows from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import discord
from discord import ui

from cogs.cases.embeds import ENDS, clause_words
from cogs.core.errors import Modal, RowButton, View
from db import appeals, audit, guild_settings
from db.appeals import Grounds
from domain import Action, NotAllowed, NotFound, PromptRefused, Verdict
from engine.policy import is_appealable

if TYPE_CHECKING:
    from cogs.core.bot import Bot

Interaction = discord.Interaction[Any]

NO_CHANNEL = (
    " This server's moderators have not chosen a review channel yet; your appeal is kept and shown to them as soon as "
    "they do."
)

# Nothing about these is a matter of judgement.
FACTS = frozenset({"length"})


def remedy_for(interaction: Interaction, error: BaseException) -> View | None:
    """The Appeal button for a refusal that a server's moderators may look at again; None for everything else."""
    if not isinstance(error, PromptRefused) or error.decision_id is None or interaction.guild_id is None:
        return None
    is_arguable = is_appealable(error.verdict) and error.verdict.clause not in FACTS
    return appeal_view(error.decision_id) if is_arguable else None


def appeal_view(decision_id: int) -> View:
    view = View()
    view.add_item(AppealButton(decision_id))
    return view


def may_be_appealed(grounds: Grounds) -> bool:
    """Never for clause b and rules that no moderator may lift; nothing is kept of those."""
    verdict = Verdict(action=Action.REFUSE, clause=grounds.clause, tier=grounds.tier)
    return grounds.clause not in FACTS and is_appealable(verdict)


class AppealButton(RowButton, template=r"appeal:prompt:(?P<row_id>[0-9]+)"):
    """Ask the moderators to look at a refused prompt; the row is the decision."""

    prefix, label, emoji = "appeal:prompt", "Appeal", "⚖️"

    async def act(self, interaction: Interaction) -> None:
        grounds = await appeals.fetch_grounds(cast("Bot", interaction.client).service.database, self.row_id)
        await _ask(interaction, grounds)


class PictureAppealButton(RowButton, template=r"appeal:picture:(?P<row_id>[0-9]+)"):
    """The same for a withheld picture; the row is the job."""

    prefix, label, emoji = "appeal:picture", "Appeal", "⚖️"

    async def act(self, interaction: Interaction) -> None:
        grounds = await appeals.fetch_picture_grounds(cast("Bot", interaction.client).service.database, self.row_id)
        if grounds is None:
            raise NotFound("A moderator decided about this picture already, so there is nothing left to appeal.")
        await _ask(interaction, grounds)


async def _ask(interaction: Interaction, grounds: Grounds | None) -> None:
    """Open the form, or say why there is nothing to appeal."""
    if grounds is None:
        raise NotFound("This decision is not stored any more, so it can't be appealed.")
    if grounds.user_id != interaction.user.id:
        raise NotAllowed("Only the member whose request this was can appeal.")
    if grounds.guild_id is None or grounds.guild_id != interaction.guild_id:
        raise NotAllowed("Appeals go to a server's moderators, so they work only in the server where you asked.")
    if not may_be_appealed(grounds):
        raise NotAllowed(f"This can't be appealed. {clause_words(grounds.clause)}")
    case = await appeals.fetch_appeal(cast("Bot", interaction.client).service.database, grounds.id)
    if case is not None:
        state = "still with the moderators" if case.status == "open" else f"decided: {ENDS[case.status]}"
        raise NotAllowed(f"You appealed this already; it is {state}.")
    await interaction.response.send_modal(AppealModal(grounds))


class AppealModal(Modal, title="Appeal to the moderators"):
    """What the member wants to say."""

    def __init__(self, grounds: Grounds) -> None:
        super().__init__(custom_id=f"appeal:send:{grounds.id}")
        self.grounds = grounds
        self.statement = ui.TextInput[Any](
            custom_id="statement", style=discord.TextStyle.paragraph, required=False, max_length=500
        )
        self.add_item(
            ui.Label(
                text="Why is this a mistake?",
                description="The moderators see this, your prompt and what was found in it.",
                component=self.statement,
            )
        )

    async def on_submit(self, interaction: Interaction) -> None:
        bot, grounds = cast("Bot", interaction.client), self.grounds
        guild_id, now = grounds.guild_id, bot.service.clock()
        assert guild_id is not None
        async with bot.service.database.transaction() as connection:
            case_id = await appeals.open_case(
                connection,
                "appeal",
                guild_id=guild_id,
                channel_id=grounds.channel_id,
                user_id=grounds.user_id,
                opened_by=grounds.user_id,
                now=now,
                decision_id=grounds.id,
                job_id=grounds.job_id,
                statement=self.statement.value,
            )
            if case_id is None:
                raise NotAllowed("You appealed this already; it is with the moderators.")
            details = {"case": case_id, "clause": grounds.clause}
            await audit.record(
                connection, guild_id, grounds.user_id, "appeal.open", f"member:{grounds.user_id}", details, now
            )
        settings = await guild_settings.load(bot.service.database, guild_id)
        hint = "" if settings.review_channel_id else NO_CHANNEL
        await interaction.response.send_message(
            f"Your appeal is with the moderators. You will hear from me when they have decided.{hint}", ephemeral=True
        )
        bot.rounds.wake()


BUTTONS: tuple[type[RowButton], ...] = (AppealButton, PictureAppealButton)
