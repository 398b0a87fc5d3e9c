"""The one place where a failure becomes a sentence for a person.

discord.py has four borders at which an interaction can fail, and each has its own hook: slash commands and context
menus (the tree), views, modals, and dynamic items (whose errors would only be logged). All four call `reply_error`.
What a person can do about an error (read the terms, appeal) is in `Bot.remedies`, by the error's class.
"""

from __future__ import annotations

import logging
import re
import secrets
from abc import abstractmethod
from collections.abc import Awaitable
from typing import Any, Self, TypeVar

import discord
from discord import app_commands, ui

from cogs.core.answers import LOST
from cogs.core.bot import Answer, Interaction
from cogs.core.i18n import Translation
from cogs.core.text import NOBODY, SERVERS_ONLY
from domain import UserError

log = logging.getLogger(__name__)

# What broke may have broken before or after a picture was paid for; a job that ends without one gives its cost back.
UNEXPECTED = (
    "Something went wrong on our side. Nothing is charged but a picture that still appears. If it happens again, tell "
    "the moderators this reference: {reference}."
)
MAX_ROW_ID = 2**63 - 1
FORM_SECONDS = 6 * 3600.0

Field = TypeVar(
    "Field",
    ui.TextInput[Any],
    ui.Select[Any],
    ui.RoleSelect[Any],
    ui.ChannelSelect[Any],
    ui.FileUpload[Any],
    ui.RadioGroup[Any],
)


async def reply_error(interaction: Interaction, error: BaseException, /) -> None:
    """Tell the person, privately, what went wrong; unknown errors show a reference that the log shows too."""
    original = getattr(error, "original", error)
    answer = await _remedy_for(interaction, original) or Answer(content=_sentence_for(original))
    try:
        await answer_privately(interaction, answer)
    except LOST as failure:
        log.warning("could not tell user %d about an error: %s", interaction.user.id, failure)


async def _remedy_for(interaction: Interaction, original: BaseException) -> Answer | None:
    """What the error's class has beside its sentence; without it, whatever goes wrong there, the sentence is said."""
    remedy = interaction.client.remedies.get(type(original)) if isinstance(original, UserError) else None
    try:
        return await remedy(interaction, original) if remedy else None
    except Exception:
        log.exception("no remedy for %s", type(original).__name__)
        return None


async def answer_privately(interaction: Interaction, answer: Answer) -> None:
    """Say it to this person alone, whatever the interaction was answered with before."""
    message: dict[str, Any] = {"content": answer.content, "embed": answer.embed, "view": answer.view}
    given = {name: value for name, value in message.items() if value is not None}
    if interaction.response.type is discord.InteractionResponseType.deferred_channel_message:
        # "thinking" is public; the answer is for its member only.
        await interaction.delete_original_response()
    if interaction.response.is_done():
        await interaction.followup.send(**given, ephemeral=True, allowed_mentions=NOBODY)
    else:
        await interaction.response.send_message(**given, ephemeral=True, allowed_mentions=NOBODY)


def _sentence_for(original: BaseException) -> str:
    """Only a UserError's text is meant for people."""
    if isinstance(original, UserError):
        return str(original)
    if isinstance(original, app_commands.NoPrivateMessage):
        return SERVERS_ONLY
    if isinstance(original, app_commands.MissingPermissions):
        return "You need these permissions for that: " + ", ".join(original.missing_permissions).replace("_", " ") + "."
    if isinstance(original, app_commands.CheckFailure):
        return "You may not do that here."
    reference = secrets.token_hex(4)
    log.error("unexpected error (reference %s)", reference, exc_info=original)
    return UNEXPECTED.format(reference=reference)


class View(ui.View):
    """A view whose errors become sentences. `timeout=None`: the state of our buttons is in the database."""

    def __init__(self) -> None:
        super().__init__(timeout=None)

    async def on_error(self, interaction: discord.Interaction[Any], error: Exception, item: ui.Item[Any], /) -> None:
        await reply_error(interaction, error)


class Modal(ui.Modal):
    """A modal whose errors become sentences. Subclasses say in `act` what happens when it is sent.

    Each has a custom_id of its own: discord.py would take the form that somebody opened last, and forget it with the
    first that is sent. One that nobody sends is forgotten after a while.
    """

    def __init__(self) -> None:
        super().__init__(timeout=FORM_SECONDS)

    def ask(self, text: str, field: Field, description: str | None = None) -> Field:
        """Add a field below what is asked for, and return it; its value is there once the modal is sent."""
        self.add_item(ui.Label(text=text, description=description, component=field))
        return field

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        await self.act(interaction)

    @abstractmethod
    async def act(self, interaction: Interaction) -> None:
        """What sending it does; raises a UserError with the sentence to show."""

    async def on_error(self, interaction: discord.Interaction[Any], error: Exception, /) -> None:
        await reply_error(interaction, error)


class WordsModal(Modal):
    """A form about one row that asks for words. Subclasses give what is asked, and `act`, which reads `words`."""

    question: str
    hint: str
    name: str  # the field's custom_id
    max_length = 200
    is_long = False
    is_required = True

    def __init__(self, row_id: int, words: str | None = None) -> None:
        """`words` stand in it when it opens."""
        super().__init__()
        self.row_id = row_id
        style = discord.TextStyle.paragraph if self.is_long else discord.TextStyle.short
        self._field = self.ask(
            self.question,
            ui.TextInput[Any](
                custom_id=self.name,
                style=style,
                default=words,
                required=self.is_required,
                max_length=self.max_length,
            ),
            self.hint,
        )

    @property
    def words(self) -> str:
        """What was typed."""
        return self._field.value


async def or_reply(interaction: Interaction, act: Awaitable[None]) -> None:
    """Do what a dynamic item does: the border of those, whose errors discord.py would only log."""
    try:
        await act
    except Exception as error:  # noqa: BLE001 - the border
        await reply_error(interaction, error)


class RowButton(ui.DynamicItem[ui.Button[Any]], template=r"row:(?P<row_id>[0-9]+)"):
    """A button that never expires: its custom_id names a database row, its subclass says what a click does.

    Subclasses give a `template` with the group `row_id`, a `prefix` that matches it, and `act`.
    """

    prefix = "row"
    label: str | None = None
    emoji: str | None = None
    style = discord.ButtonStyle.secondary

    def __init__(self, row_id: int, *more: object) -> None:
        """`more` follows the row in the custom_id: discord.py compares the whole with the template at once."""
        self.row_id = row_id
        super().__init__(
            ui.Button(
                label=self.label,
                emoji=self.emoji,
                style=self.style,
                custom_id=":".join(map(str, (self.prefix, row_id, *more))),
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        # A forged number may have any length; no row has one of more than 63 bits.
        return cls(min(int(match["row_id"]), MAX_ROW_ID), *cls.read_more(match))

    @classmethod
    def read_more(cls, match: re.Match[str]) -> tuple[Any, ...]:
        """What follows the row in a custom_id, as the constructor takes it."""
        return ()

    def say(self, words: Translation) -> None:
        """Say the label in a server's language."""
        self.item.label = words(self.label) if self.label else None

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        await or_reply(interaction, self.act(interaction))

    @abstractmethod
    async def act(self, interaction: Interaction) -> None:
        """What a click does; raises a UserError with the sentence to show."""


def row_of(*buttons: RowButton, words: Translation | None = None) -> View:
    """The buttons side by side, with `words` in a server's language."""
    view = View()
    for button in buttons:
        if words is not None:
            button.say(words)
        view.add_item(button)
    return view
