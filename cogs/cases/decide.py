"""The buttons on a case's card: what moderators decide, once."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import discord
from discord import ui

from cogs.core.bot import Interaction
from cogs.core.checks import require_moderator
from cogs.core.errors import RowButton, View, WordsModal, row_of
from domain.cases import CaseFile, CaseKind, CaseStatus, Decider
from service.case_decisions import CaseDecisions, Messages

RED, GREEN = discord.ButtonStyle.danger, discord.ButtonStyle.success


def case_buttons(file: CaseFile) -> View:
    """What can be decided about a case; nothing once it is decided."""
    return row_of(*(_BUTTONS[file.case.kind, end](file.case.id) for end in file.choices))


def _decisions(interaction: Interaction) -> CaseDecisions:
    return interaction.client.service.cases.decisions


async def _decider(interaction: Interaction) -> Decider:
    """The moderator who pressed. Raises NotAllowed for everybody else."""
    guild_id, card = await require_moderator(interaction), interaction.message
    place = (card.channel.id, card.id) if card is not None else None
    return Decider(user_id=interaction.user.id, guild_id=guild_id, card=place)


async def _finish(interaction: Interaction, messages: Messages = frozenset()) -> None:
    """The card itself shows the decision; `messages` show a picture that was erased."""
    if not interaction.response.is_done():
        await interaction.response.defer()
    for channel_id, message_id in messages:
        await interaction.client.delete_quietly(channel_id, message_id)


class DecideButton(RowButton, template=r"case:decide:(?P<row_id>[0-9]+)"):
    """Decides a case with one press; subclasses say how."""

    async def act(self, interaction: Interaction) -> None:
        messages = await self.decide(_decisions(interaction), await _decider(interaction))
        await _finish(interaction, messages or frozenset())

    @abstractmethod
    async def decide(self, decisions: CaseDecisions, decider: Decider) -> Messages | None:
        """Decide, and return the messages that show a picture which is gone now."""


class AllowOnceButton(DecideButton, template=r"case:once:(?P<row_id>[0-9]+)"):
    """This member may have this very request painted, once."""

    prefix, label, style = "case:once", "Allow once", GREEN

    async def decide(self, decisions: CaseDecisions, decider: Decider) -> None:
        await decisions.allow_once(self.row_id, decider)


class AllowHereButton(RowButton, template=r"case:here:(?P<row_id>[0-9]+)"):
    """A phrase no longer counts for house rules in this server."""

    prefix, label = "case:here", "Allow here from now on"

    async def act(self, interaction: Interaction) -> None:
        guild_id = await require_moderator(interaction)
        phrase = await _decisions(interaction).suggest_phrase(self.row_id, guild_id)
        await interaction.response.send_modal(AllowHereModal(self.row_id, phrase[: AllowHereModal.max_length]))


class AllowHereModal(WordsModal, title="Allow here from now on"):
    """Which phrase; filled in with what the policy found."""

    name, question = "phrase", "Phrase"
    hint = "Only house rules overlook it, only in this server. /review revoke takes it back."

    async def act(self, interaction: Interaction) -> None:
        await _decisions(interaction).allow_here(self.row_id, await _decider(interaction), self.words)
        await _finish(interaction)


class UpholdButton(DecideButton, template=r"case:uphold:(?P<row_id>[0-9]+)"):
    """The refusal stands."""

    prefix, label = "case:uphold", "Uphold"

    async def decide(self, decisions: CaseDecisions, decider: Decider) -> None:
        await decisions.uphold(self.row_id, decider)


class BlockButton(RowButton, template=r"case:block:(?P<row_id>[0-9]+)"):
    """The member may not paint in this server any more."""

    prefix, label, style = "case:block", "Block member", RED

    async def act(self, interaction: Interaction) -> None:
        guild_id = await require_moderator(interaction)
        await _decisions(interaction).require_open(self.row_id, guild_id)
        await interaction.response.send_modal(BlockModal(self.row_id))


class BlockModal(WordsModal, title="Block this member"):
    """Why; the member reads it."""

    name, question, hint = "reason", "Reason", "The member reads it. /unblock lifts the block."

    async def act(self, interaction: Interaction) -> None:
        decider = await _decider(interaction)
        await _finish(interaction, await _decisions(interaction).block(self.row_id, decider, self.words))


class KeepButton(DecideButton, template=r"case:keep:(?P<row_id>[0-9]+)"):
    """The reported picture stays."""

    prefix, label, style = "case:keep", "Keep the picture", GREEN

    async def decide(self, decisions: CaseDecisions, decider: Decider) -> None:
        await decisions.keep(self.row_id, decider)


class RemoveButton(DecideButton, template=r"case:remove:(?P<row_id>[0-9]+)"):
    """The reported picture goes, in Discord and in the database."""

    prefix, label, style = "case:remove", "Remove the picture", RED

    async def decide(self, decisions: CaseDecisions, decider: Decider) -> Messages:
        return await decisions.remove(self.row_id, decider)


class ApproveButton(DecideButton, template=r"case:approve:(?P<row_id>[0-9]+)"):
    """The picture is shown."""

    prefix, label, emoji, style = "case:approve", "Show it", "✅", GREEN

    async def decide(self, decisions: CaseDecisions, decider: Decider) -> None:
        await decisions.approve(self.row_id, decider)


class RejectButton(DecideButton, template=r"case:reject:(?P<row_id>[0-9]+)"):
    """The picture is not shown; its cost returns."""

    prefix, label, emoji, style = "case:reject", "Don't show it", "✖️", RED

    async def decide(self, decisions: CaseDecisions, decider: Decider) -> None:
        await decisions.reject(self.row_id, decider)


_BUTTONS: dict[tuple[CaseKind, CaseStatus], type[RowButton]] = {
    (CaseKind.APPEAL, CaseStatus.ALLOWED_ONCE): AllowOnceButton,
    (CaseKind.APPEAL, CaseStatus.ALLOWED_HERE): AllowHereButton,
    (CaseKind.APPEAL, CaseStatus.UPHELD): UpholdButton,
    (CaseKind.APPEAL, CaseStatus.BLOCKED): BlockButton,
    (CaseKind.REPORT, CaseStatus.KEPT): KeepButton,
    (CaseKind.REPORT, CaseStatus.REMOVED): RemoveButton,
    (CaseKind.REPORT, CaseStatus.BLOCKED): BlockButton,
    (CaseKind.APPROVAL, CaseStatus.APPROVED): ApproveButton,
    (CaseKind.APPROVAL, CaseStatus.REMOVED): RejectButton,
}
BUTTONS: tuple[type[ui.DynamicItem[Any]], ...] = tuple(dict.fromkeys(_BUTTONS.values()))
