"""The buttons on a case's card: what moderators decide, once, with its audit row in the same transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import aiosqlite
import discord
from discord import ui

from cogs.cases.appeals import may_be_appealed
from cogs.cases.embeds import end_of
from cogs.cases.reports import copies_of
from cogs.core.checks import require_moderator
from cogs.core.errors import Modal, RowButton, View
from db import allowances, appeals, audit, blocks, jobs, strikes
from db.appeals import Case, Grounds
from domain import Action, InvalidRequest, NotAllowed, NotFound, Request, Verdict
from engine.policy import Allowances, is_liftable, judge, prompt_hash

if TYPE_CHECKING:
    from cogs.core.bot import Bot

Interaction = discord.Interaction[Any]
Also = Callable[[aiosqlite.Connection], Awaitable[None]]

RED, GREEN = discord.ButtonStyle.danger, discord.ButtonStyle.success


def case_buttons(case: Case, grounds: Grounds | None) -> View:
    """What can be decided about an open case; nothing once it is decided."""
    view = View()
    if case.status != "open":
        return view
    for button in _buttons_for(case, grounds):
        view.add_item(button(case.id))
    return view


def _buttons_for(case: Case, grounds: Grounds | None) -> tuple[type[RowButton], ...]:
    if case.kind == "approval":
        return (ApproveButton, RejectButton)
    if case.kind == "report":
        return (KeepButton, RemoveButton, BlockButton)
    if grounds is not None and can_be_lifted(grounds):
        return (AllowOnceButton, AllowHereButton, UpholdButton, BlockButton)
    return (AllowOnceButton, UpholdButton, BlockButton)


def can_be_lifted(grounds: Grounds) -> bool:
    """Whether a server may allow the phrase from now on: house rules on prompts only."""
    verdict = Verdict(action=Action.REFUSE, clause=grounds.clause, tier=grounds.tier)
    return grounds.subject == "prompt" and grounds.prompt is not None and is_liftable(verdict)


async def decide(interaction: Interaction, case: Case, status: str, also: Also | None = None) -> None:
    """Write the decision and what follows from it; the card and the member hear of it from the rounds."""
    bot, moderator_id = cast("Bot", interaction.client), interaction.user.id
    now = bot.service.clock()
    async with bot.service.database.transaction() as connection:
        if not await appeals.resolve(connection, case.id, status, moderator_id, now):
            raise NotFound("Another moderator was faster; the card shows what they decided.")
        if (card := interaction.message) is not None:  # a crash may have kept the bot from knowing its own card
            await appeals.mark_shown(connection, case.id, "open", card.channel.id, card.id)
        details = {"case": case.id, "kind": case.kind}
        await audit.record(
            connection, case.guild_id, moderator_id, f"case.{status}", f"member:{case.user_id}", details, now
        )
        if also is not None:
            await also(connection)
    if not interaction.response.is_done():
        await interaction.response.defer()
    bot.rounds.wake()


async def _open_case(interaction: Interaction, case_id: int) -> Case:
    """The case behind a button, if this person may decide it and nobody has."""
    await require_moderator(interaction)
    case = await appeals.fetch_case(cast("Bot", interaction.client).service.database, case_id)
    if case is None or case.guild_id != interaction.guild_id:
        raise NotFound("This case is not stored any more.")
    if case.status != "open":
        raise NotFound(f"This case is decided already: {end_of(case)}.")
    return case


async def _refused(bot: Bot, case: Case) -> tuple[Request, Grounds]:
    """The refused request of an appeal that may be granted."""
    database = bot.service.database
    grounds = await appeals.fetch_grounds(database, case.decision_id or 0)
    if grounds is None or not may_be_appealed(grounds):
        raise NotAllowed("No moderator may allow this.")
    if grounds.subject == "picture":
        return (await bot.service.job(grounds.job_id or 0)).request, grounds
    kept = await appeals.fetch_refused(database, grounds.id)
    if kept is None:
        raise NotFound("The request is not stored any more, so it can't be allowed.")
    return kept[0], grounds


class AllowOnceButton(RowButton, template=r"case:once:(?P<row_id>[0-9]+)"):
    """This member may have this very request painted, once."""

    prefix, label, style = "case:once", "Allow once", GREEN

    async def act(self, interaction: Interaction) -> None:
        case, bot = await _open_case(interaction, self.row_id), cast("Bot", interaction.client)
        request, grounds = await _refused(bot, case)
        now, moderator_id = bot.service.clock(), interaction.user.id

        async def allow(connection: aiosqlite.Connection) -> None:
            if grounds.subject == "prompt":
                key = prompt_hash(request)
                await allowances.allow_once(
                    connection, case.guild_id, case.user_id, key, moderator_id, now, case_id=case.id
                )
            await strikes.lift_for_decision(connection, grounds.id, moderator_id, now)

        await decide(interaction, case, "allowed_once", allow)


class AllowHereButton(RowButton, template=r"case:here:(?P<row_id>[0-9]+)"):
    """A phrase no longer counts for house rules in this server."""

    prefix, label = "case:here", "Allow here from now on"

    async def act(self, interaction: Interaction) -> None:
        case = await _open_case(interaction, self.row_id)
        request, grounds = await _refused(cast("Bot", interaction.client), case)
        if not can_be_lifted(grounds):
            raise NotAllowed("No server may lift this clause of the licence; you can allow this one request.")
        await interaction.response.send_modal(AllowHereModal(case, request, grounds))


class AllowHereModal(Modal, title="Allow here from now on"):
    """Which phrase; filled in with what the policy found."""

    def __init__(self, case: Case, request: Request, grounds: Grounds) -> None:
        super().__init__(custom_id=f"case:allow:{case.id}")
        self.case, self.request = case, request
        self.phrase = ui.TextInput[Any](custom_id="phrase", default=found_phrase(grounds)[:200], max_length=200)
        self.add_item(
            ui.Label(
                text="Phrase",
                description="Only house rules overlook it, only in this server. /review revoke takes it back.",
                component=self.phrase,
            )
        )

    async def on_submit(self, interaction: Interaction) -> None:
        bot, phrase = cast("Bot", interaction.client), " ".join(self.phrase.value.split())
        case, now, moderator_id = self.case, bot.service.clock(), interaction.user.id
        kept = await appeals.fetch_refused(bot.service.database, case.decision_id or 0)
        if not phrase or kept is None:
            raise InvalidRequest("Please give the phrase that is to be allowed.")
        allowed = Allowances(phrases=frozenset({phrase}))
        verdict = await asyncio.to_thread(judge, self.request, kept[1].place, allowed)
        if verdict.action is Action.REFUSE:
            raise InvalidRequest("With this phrase allowed, the prompt would still be refused; please give more of it.")

        async def allow(connection: aiosqlite.Connection) -> None:
            await allowances.allow_phrase(connection, case.guild_id, phrase, moderator_id, now, case_id=case.id)
            await strikes.lift_for_decision(connection, case.decision_id or 0, moderator_id, now)

        await decide(interaction, case, "allowed_here", allow)


def found_phrase(grounds: Grounds) -> str:
    """The tags of the prompt in which the policy found something, or the whole prompt."""
    prompt = grounds.prompt or ""
    tags: list[str] = []
    start = 0
    for tag in prompt.split(","):
        end = start + len(tag)
        if any(first < end and start < last for first, last in grounds.spans):
            tags.append(tag.strip())
        start = end + 1
    return ", ".join(tags) or prompt


class UpholdButton(RowButton, template=r"case:uphold:(?P<row_id>[0-9]+)"):
    """The refusal stands."""

    prefix, label = "case:uphold", "Uphold"

    async def act(self, interaction: Interaction) -> None:
        await decide(interaction, await _open_case(interaction, self.row_id), "upheld")


class BlockButton(RowButton, template=r"case:block:(?P<row_id>[0-9]+)"):
    """The member may not paint in this server any more."""

    prefix, label, style = "case:block", "Block member", RED

    async def act(self, interaction: Interaction) -> None:
        case = await _open_case(interaction, self.row_id)
        await interaction.response.send_modal(BlockModal(case))


class BlockModal(Modal, title="Block this member"):
    """Why; the member reads it."""

    def __init__(self, case: Case) -> None:
        super().__init__(custom_id=f"case:blocked:{case.id}")
        self.case = case
        self.reason = ui.TextInput[Any](custom_id="reason", max_length=200)
        self.add_item(
            ui.Label(text="Reason", description="The member reads it. /unblock lifts the block.", component=self.reason)
        )

    async def on_submit(self, interaction: Interaction) -> None:
        bot, case = cast("Bot", interaction.client), self.case
        now, reason, moderator_id = bot.service.clock(), self.reason.value, interaction.user.id

        async def block(connection: aiosqlite.Connection) -> None:
            await blocks.add(connection, case.guild_id, case.user_id, moderator_id, now, reason=reason)

        await decide(interaction, case, "blocked", block)
        if case.kind == "report" and case.job_id is not None:
            await remove_picture(bot, case.job_id)


class KeepButton(RowButton, template=r"case:keep:(?P<row_id>[0-9]+)"):
    """The reported picture stays."""

    prefix, label, style = "case:keep", "Keep the picture", GREEN

    async def act(self, interaction: Interaction) -> None:
        await decide(interaction, await _open_case(interaction, self.row_id), "kept")


class RemoveButton(RowButton, template=r"case:remove:(?P<row_id>[0-9]+)"):
    """The reported picture goes, in Discord and in the database."""

    prefix, label, style = "case:remove", "Remove the picture", RED

    async def act(self, interaction: Interaction) -> None:
        case = await _open_case(interaction, self.row_id)
        await decide(interaction, case, "removed")
        if case.job_id is not None:
            await remove_picture(cast("Bot", interaction.client), case.job_id)


class ApproveButton(RowButton, template=r"case:approve:(?P<row_id>[0-9]+)"):
    """The picture is shown."""

    prefix, label, emoji, style = "case:approve", "Show it", "✅", GREEN

    async def act(self, interaction: Interaction) -> None:
        await decide(interaction, await _open_case(interaction, self.row_id), "approved")
        cast("Bot", interaction.client).delivery.wake()


class RejectButton(RowButton, template=r"case:reject:(?P<row_id>[0-9]+)"):
    """The picture is not shown; its cost returns."""

    prefix, label, emoji, style = "case:reject", "Don't show it", "✖️", RED

    async def act(self, interaction: Interaction) -> None:
        case, bot = await _open_case(interaction, self.row_id), cast("Bot", interaction.client)

        async def withhold(connection: aiosqlite.Connection) -> None:
            if case.job_id is not None:
                await jobs.withhold(connection, case.job_id, "A moderator decided not to show this picture.")

        await decide(interaction, case, "removed", withhold)
        bot.delivery.wake()


async def remove_picture(bot: Bot, job_id: int) -> None:
    """Erase a job's pictures and every message that shows them."""
    job = await bot.service.delete(job_id, 0, is_moderator=True)
    places = await copies_of(bot.service.database, job_id)
    if job.message_id is not None:
        places.add((job.channel_id, job.message_id))
    for channel_id, message_id in places:
        await bot.delete_quietly(channel_id, message_id)


BUTTONS: tuple[type[RowButton], ...] = (
    AllowOnceButton,
    AllowHereButton,
    UpholdButton,
    BlockButton,
    KeepButton,
    RemoveButton,
    ApproveButton,
    RejectButton,
)
