"""How members take part in a challenge: entering a picture, taking it back, voting."""

from __future__ import annotations

import re
from typing import Any

import discord
from discord import ui

from cogs.core.bot import Interaction
from cogs.core.channels import may_be_shown
from cogs.core.errors import RowButton, View, or_reply
from domain import Job
from domain.challenges import Challenge

# Discord's limit for the options of a menu.
MAX_OFFERED = 25


async def enter(interaction: Interaction, challenge: Challenge, job: Job) -> None:
    """Enter a member's own picture, if the challenge's channel may show it."""
    bot = interaction.client
    entry = await bot.service.challenges.enter(
        challenge, job, interaction.user.id, may_be_shown=await may_be_shown(bot, job, challenge.channel_id)
    )
    await interaction.response.send_message(
        f"Your picture is entry {entry.number}. Nobody sees whose it is until the end.", ephemeral=True
    )


class EnterButton(RowButton, template=r"challenge:enter:(?P<row_id>[0-9]+)"):
    """Offers the member's own pictures; the row is the challenge."""

    prefix, label, style = "challenge:enter", "Enter", discord.ButtonStyle.primary

    async def act(self, interaction: Interaction) -> None:
        offered = await interaction.client.service.challenges.fetch_enterable(
            interaction.guild_id or 0, interaction.user.id, MAX_OFFERED
        )
        view = View()
        view.add_item(PictureSelect(self.row_id, offered))
        await interaction.response.send_message(
            "Which picture do you enter? (Another way: a picture's ⋯ → Apps → Enter in challenge.)",
            view=view,
            ephemeral=True,
        )


class PictureSelect(ui.DynamicItem[ui.Select[Any]], template=r"challenge:picture:(?P<row_id>[0-9]+)"):
    """A member's pictures, newest first."""

    def __init__(self, challenge_id: int, offered: list[Job]) -> None:
        self.challenge_id = challenge_id
        options = [
            discord.SelectOption(label=(job.request.prompt or "a picture")[:100], value=str(job.id)) for job in offered
        ] or [discord.SelectOption(label="none", value="0")]
        super().__init__(ui.Select(custom_id=f"challenge:picture:{challenge_id}", options=options))

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> PictureSelect:
        return cls(int(match["row_id"]), [])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        await or_reply(interaction, self._choose(interaction))

    async def _choose(self, interaction: Interaction) -> None:
        chosen = int(next(iter(self.item.values), "0"))
        challenge, job = await interaction.client.service.challenges.find(self.challenge_id, chosen)
        await enter(interaction, challenge, job)


class WithdrawButton(RowButton, template=r"challenge:withdraw:(?P<row_id>[0-9]+)"):
    """Takes the member's entry back; the row is the challenge."""

    prefix, label = "challenge:withdraw", "Take my entry back"

    async def act(self, interaction: Interaction) -> None:
        bot = interaction.client
        shown = await bot.service.challenges.withdraw(self.row_id, interaction.user.id)
        await interaction.response.send_message("Your entry is taken back.", ephemeral=True)
        if shown is not None:
            await bot.delete_quietly(*shown)


class VoteButton(RowButton, template=r"challenge:vote:(?P<row_id>[0-9]+)"):
    """Gives the member's vote to this entry; the row is the entry."""

    prefix, label, emoji = "challenge:vote", "Vote", "🗳️"

    async def act(self, interaction: Interaction) -> None:
        entry = await interaction.client.service.challenges.vote(self.row_id, interaction.user.id)
        await interaction.response.send_message(
            f"Your vote is for entry {entry.number}. Until the end you can give it to another one.", ephemeral=True
        )


BUTTONS: tuple[type[ui.DynamicItem[Any]], ...] = (EnterButton, PictureSelect, WithdrawButton, VoteButton)
