"""Reporting a picture to the moderators: a button under it, and an entry in every message's Apps menu."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands, ui

from cogs.core.bot import Cog, Interaction
from cogs.core.errors import WordsModal
from cogs.core.job_button import JobButton
from domain import Job

MENU = "Report picture"


class ReportButton(JobButton, template=r"report:open:(?P<row_id>[0-9]+)"):
    """Tell the moderators about a picture; the row is the job."""

    prefix, emoji, label = "report:open", "🚩", "Report"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        await interaction.client.service.cases.require_reportable(job.id, interaction.guild_id)
        await interaction.response.send_modal(ReportModal(job.id))


class ReportModal(WordsModal, title="Report this picture"):
    """What is wrong with the picture."""

    name, question = "reason", "What is wrong with it?"
    hint = "Only the moderators see this, and that it was you who reported."
    max_length, is_long = 500, True

    async def act(self, interaction: Interaction) -> None:
        await interaction.client.service.cases.report(
            self.row_id, interaction.user.id, interaction.guild_id, self.words
        )
        await interaction.response.send_message(
            "Thank you. The moderators will look at it, and I will tell you what they decide.", ephemeral=True
        )


class Report(Cog):
    """The Apps menu's entry."""

    @app_commands.guild_only()
    async def report(self, interaction: Interaction, message: discord.Message) -> None:
        """Report the picture in a message to the moderators"""
        job_id = await self.bot.service.cases.find_reportable(message.id, interaction.guild_id)
        await interaction.response.send_modal(ReportModal(job_id))


BUTTONS: tuple[type[ui.DynamicItem[Any]], ...] = (ReportButton,)
