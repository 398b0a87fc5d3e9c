"""/preferences: what a member chooses for themselves, in every server. Each button says what it switches to."""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import Any

from discord import app_commands

from cogs.core.bot import Cog, Interaction
from cogs.core.errors import RowButton, View, row_of
from domain import NotAllowed
from domain.notices import ANNOUNCED_IN_WORDS
from domain.settings import MemberSettings

PANEL = """\
**Your preferences**, in every server and seen by nobody else
🔔 Mention me once when a picture is ready that took more than {waited}: **{notices}**
-# A server's moderators can switch that off for their server. In direct messages there is none: they tell you anyway.
🖌️ Paint what I write to this bot in direct messages: **{painting}**
-# Each message there is then a prompt and costs what `/imagine` costs; one that begins with // is not.
"""


class SwitchButton(RowButton, template=r"me:switch:(?P<row_id>[0-9]+):(?P<is_on>[01])"):
    """Switch something on or off; the row is the member. Subclasses have both labels, and say what is switched."""

    labels: tuple[str, str]

    def __init__(self, row_id: int, is_on: bool) -> None:
        super().__init__(row_id, int(is_on))
        self.is_on = is_on
        self.item.label = self.labels[is_on]

    @classmethod
    def read_more(cls, match: re.Match[str]) -> tuple[Any, ...]:
        return (match["is_on"] == "1",)

    async def act(self, interaction: Interaction) -> None:
        if interaction.user.id != self.row_id:
            raise NotAllowed("These are somebody else's preferences; `/preferences` shows yours.")
        chosen = await self.switch(interaction)
        await interaction.response.edit_message(content=panel(chosen), view=panel_view(self.row_id, chosen))

    @abstractmethod
    async def switch(self, interaction: Interaction) -> MemberSettings:
        """Write it; what the member has chosen now."""


class NoticesButton(SwitchButton, template=r"me:notices:(?P<row_id>[0-9]+):(?P<is_on>[01])"):
    """Be told of pictures that took long."""

    prefix, emoji, labels = "me:notices", "🔔", ("Never mention me", "Mention me")

    async def switch(self, interaction: Interaction) -> MemberSettings:
        return await interaction.client.service.members.switch_notices(self.row_id, is_on=self.is_on)


class PaintMessagesButton(SwitchButton, template=r"me:paint:(?P<row_id>[0-9]+):(?P<is_on>[01])"):
    """Have direct messages painted."""

    prefix, emoji, labels = "me:paint", "🖌️", ("Don't paint my messages", "Paint my messages")

    async def switch(self, interaction: Interaction) -> MemberSettings:
        channel = await interaction.user.create_dm()
        return await interaction.client.service.members.switch_painting(
            self.row_id, channel.id, interaction.id, is_on=self.is_on
        )


def panel(chosen: MemberSettings) -> str:
    return PANEL.format(waited=ANNOUNCED_IN_WORDS, notices=_yes(chosen.notices), painting=_yes(chosen.paint_messages))


def panel_view(user_id: int, chosen: MemberSettings) -> View:
    return row_of(NoticesButton(user_id, not chosen.notices), PaintMessagesButton(user_id, not chosen.paint_messages))


def _yes(is_on: bool) -> str:
    return "yes" if is_on else "no"


class Preferences(Cog):
    """The panel."""

    @app_commands.command()
    async def preferences(self, interaction: Interaction) -> None:
        """What I do for you: mentions, and painting your direct messages"""
        chosen = await self.bot.service.members.fetch_settings(interaction.user.id)
        view = panel_view(interaction.user.id, chosen)
        await interaction.response.send_message(panel(chosen), view=view, ephemeral=True)


BUTTONS: tuple[type[RowButton], ...] = (NoticesButton, PaintMessagesButton)
