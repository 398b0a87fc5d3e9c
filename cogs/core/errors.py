"""The one place where a failure becomes a sentence for a person.

discord.py has four borders at which an interaction can fail, and each has its own hook: slash commands and context
menus (the tree), views, modals, and dynamic items (whose errors would only be logged). All four call `reply_error`.
"""

from __future__ import annotations

import logging
import re
import secrets
from abc import abstractmethod
from collections.abc import Awaitable
from typing import Any, Self

import discord
from discord import app_commands, ui

from cogs.core.text import NOBODY
from domain import PromptRefused, UserError
from engine.policy.wording import grounds

log = logging.getLogger(__name__)


async def reply_error(interaction: discord.Interaction[Any], error: BaseException) -> None:
    """Tell the person, privately, what went wrong; unknown errors show a reference that the log shows too."""
    remedy = _remedy_for(interaction, error)
    sentence = _sentence_for(error, is_private=interaction.guild_id is None)
    try:
        if interaction.response.type is discord.InteractionResponseType.deferred_channel_message:
            # "thinking" is public; the error is for its member only.
            await interaction.delete_original_response()
        if interaction.response.is_done():
            await interaction.followup.send(sentence, ephemeral=True, allowed_mentions=NOBODY, view=remedy)
        else:
            await interaction.response.send_message(sentence, ephemeral=True, allowed_mentions=NOBODY, view=remedy)
    except discord.HTTPException as failure:
        log.warning("could not tell user %d about an error: %s", interaction.user.id, failure)


def _sentence_for(error: BaseException, *, is_private: bool) -> str:
    """Walk to the original error; only a UserError's text is meant for people."""
    original = getattr(error, "original", error)
    if isinstance(original, PromptRefused) and is_private:  # no moderator could look at an appeal
        return grounds(original.verdict.clause or "", appealable=False)
    if isinstance(original, UserError):
        return str(original)
    if isinstance(original, app_commands.NoPrivateMessage):
        return "This works in servers only, not in direct messages."
    if isinstance(original, app_commands.MissingPermissions):
        return "You need these permissions for that: " + ", ".join(original.missing_permissions).replace("_", " ") + "."
    if isinstance(original, app_commands.CheckFailure):
        return "You may not do that here."
    reference = secrets.token_hex(4)
    log.error("unexpected error (reference %s)", reference, exc_info=original)
    return (
        "Something went wrong on our side; nothing was charged. If it happens again, tell the moderators this "
        f"reference: {reference}."
    )


def _remedy_for(interaction: discord.Interaction[Any], error: BaseException) -> ui.View:
    """What the person can press about it: Appeal under a refusal."""
    return interaction.client.remedy_for(interaction, getattr(error, "original", error)) or discord.utils.MISSING


class Tree(app_commands.CommandTree[Any]):
    """The command tree whose errors become sentences."""

    async def on_error(self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError, /) -> None:
        await reply_error(interaction, error)


class View(ui.View):
    """A view whose errors become sentences. `timeout=None`: the state of our buttons is in the database."""

    def __init__(self) -> None:
        super().__init__(timeout=None)

    async def on_error(self, interaction: discord.Interaction[Any], error: Exception, item: ui.Item[Any], /) -> None:
        await reply_error(interaction, error)


class Modal(ui.Modal):
    """A modal whose errors become sentences."""

    async def on_error(self, interaction: discord.Interaction[Any], error: Exception, /) -> None:
        await reply_error(interaction, error)


async def or_reply(interaction: discord.Interaction[Any], act: Awaitable[None]) -> None:
    """Do what a dynamic item does: the border of those, whose errors discord.py would only log."""
    try:
        await act
    except Exception as error:  # noqa: BLE001 - the border
        await reply_error(interaction, error)


class RowButton(ui.DynamicItem[ui.Button[Any]], template=r"row:(?P<row_id>[0-9]+)"):
    """A button that works for ever: its custom_id names a database row, its subclass says what a click does.

    Subclasses give a `template` with the group `row_id`, a `prefix` that matches it, and `act`.
    """

    prefix = "row"
    label: str | None = None
    emoji: str | None = None
    style = discord.ButtonStyle.secondary

    def __init__(self, row_id: int) -> None:
        self.row_id = row_id
        super().__init__(
            ui.Button(
                label=self.label,
                emoji=self.emoji,
                style=self.style,
                custom_id=f"{self.prefix}:{row_id}",
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(int(match["row_id"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        await or_reply(interaction, self.act(interaction))

    @abstractmethod
    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """What a click does; raises a UserError with the sentence to show."""
