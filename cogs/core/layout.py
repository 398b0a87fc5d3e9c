"""Messages of Discord's newer components: a container of texts, pictures and rows of buttons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import discord
from discord import ui

from cogs.core.errors import RowButton, reply_error
from cogs.core.i18n import ENGLISH, Translation
from cogs.core.text import NOBODY

Card = ui.Container[Any]


class Layout(ui.LayoutView):
    """A message whose errors become sentences. `timeout=None`: the state of our buttons is in the database."""

    def __init__(self, *items: ui.Item[Any]) -> None:
        super().__init__(timeout=None)
        for item in items:
            self.add_item(item)

    async def on_error(self, interaction: discord.Interaction[Any], error: Exception, item: ui.Item[Any], /) -> None:
        await reply_error(interaction, error)


def layout(card: Card, *rows: Sequence[RowButton], words: Translation = ENGLISH) -> Layout:
    """The card with rows of buttons at its foot, each of five at most; empty rows are left out."""
    for row in rows:
        if row:
            for button in row:
                button.say(words)
            card.add_item(ui.ActionRow[Any](*row))
    return Layout(card)


def as_edit(view: Layout, files: Sequence[discord.File] = ()) -> dict[str, Any]:
    """What turns a message into this one, also one with an embed, from before there were these components."""
    return {"content": None, "embed": None, "attachments": list(files), "view": view, "allowed_mentions": NOBODY}


def walk(components: Iterable[Any]) -> Iterator[Any]:
    """Every component of a message, at any depth."""
    for component in components:
        yield component
        yield from walk(getattr(component, "children", ()))


def text(content: str) -> ui.TextDisplay[Any]:
    """A paragraph in Discord's Markdown."""
    return ui.TextDisplay(content)


def small(content: str) -> ui.TextDisplay[Any]:
    """Lines in small print."""
    return ui.TextDisplay("\n".join(f"-# {line}" for line in content.splitlines()))


def gallery(items: Sequence[discord.MediaGalleryItem]) -> ui.MediaGallery[Any]:
    """One to ten pictures."""
    return ui.MediaGallery(*items)
