"""Reporting a picture to the moderators: a button under it, and an entry in every message's Apps menu."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import discord
from discord import app_commands, ui
from discord.ext import commands

from cogs.core.errors import Modal, RowButton
from db import appeals, audit, jobs
from db.database import Database
from domain import Job, NotAllowed, NotFound

if TYPE_CHECKING:
    from cogs.core.bot import Bot

Interaction = discord.Interaction[Any]

MENU = "Report picture"


async def job_of_message(database: Database, message_id: int) -> Job | None:
    """The job that a message shows: its own, or as a challenge's entry, or on the starboard."""
    job = await jobs.fetch_by_message(database, message_id)
    if job is not None:
        return job
    row = await database.fetch_one(
        """SELECT job_id FROM starred WHERE message_id = :id
           UNION SELECT job_id FROM challenge_entries WHERE message_id = :id LIMIT 1""",
        {"id": message_id},
    )
    return await jobs.fetch(database, row["job_id"]) if row else None


async def copies_of(database: Database, job_id: int) -> set[tuple[int, int]]:
    """(channel, message) of every copy of a job's picture: entries in challenges, the starboard."""
    rows = await database.fetch_all(
        """SELECT channel_id, message_id FROM starred WHERE job_id = :id AND message_id IS NOT NULL
           UNION SELECT challenges.channel_id, challenge_entries.message_id FROM challenge_entries
           JOIN challenges ON challenges.id = challenge_id
           WHERE job_id = :id AND challenge_entries.message_id IS NOT NULL""",
        {"id": job_id},
    )
    return {(row["channel_id"], row["message_id"]) for row in rows}


class ReportButton(RowButton, template=r"report:open:(?P<row_id>[0-9]+)"):
    """Tell the moderators about a picture; the row is the job."""

    prefix, emoji, label = "report:open", "🚩", "Report"

    async def act(self, interaction: Interaction) -> None:
        await _ask(interaction, await cast("Bot", interaction.client).service.job(self.row_id))


async def _ask(interaction: Interaction, job: Job) -> None:
    if job.guild_id is None or job.guild_id != interaction.guild_id:
        raise NotAllowed("Reports go to a server's moderators, so they work only in the server the picture is in.")
    await interaction.response.send_modal(ReportModal(job))


class ReportModal(Modal, title="Report this picture"):
    """What is wrong with the picture."""

    def __init__(self, job: Job) -> None:
        super().__init__(custom_id=f"report:send:{job.id}")
        self.job = job
        self.reason = ui.TextInput[Any](custom_id="reason", style=discord.TextStyle.paragraph, max_length=500)
        self.add_item(
            ui.Label(
                text="What is wrong with it?",
                description="Only the moderators see this, and that it was you who reported.",
                component=self.reason,
            )
        )

    async def on_submit(self, interaction: Interaction) -> None:
        bot, job = cast("Bot", interaction.client), self.job
        assert job.guild_id is not None
        now = bot.service.clock()
        async with bot.service.database.transaction() as connection:
            case_id = await appeals.open_case(
                connection,
                "report",
                guild_id=job.guild_id,
                channel_id=job.channel_id,
                user_id=job.user_id,
                opened_by=interaction.user.id,
                now=now,
                job_id=job.id,
                statement=self.reason.value,
            )
            if case_id is None:
                raise NotAllowed("You reported this picture already; thank you.")
            await audit.record(
                connection,
                job.guild_id,
                interaction.user.id,
                "report.open",
                f"member:{job.user_id}",
                {"case": case_id, "job": job.id},
                now,
            )
        await interaction.response.send_message(
            "Thank you. The moderators will look at it, and I will tell you what they decide.", ephemeral=True
        )
        bot.rounds.wake()


class Report(commands.Cog):
    """The Apps menu's entry."""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot
        self._menu = app_commands.ContextMenu(name=MENU, callback=self.report)

    async def cog_load(self) -> None:
        self.bot.tree.add_command(self._menu)

    async def cog_unload(self) -> None:
        self.bot.tree.remove_command(self._menu.name, type=self._menu.type)

    @app_commands.guild_only()
    async def report(self, interaction: Interaction, message: discord.Message) -> None:
        """Report the picture in a message to the moderators"""
        job = await job_of_message(self.bot.service.database, message.id)
        if job is None:
            raise NotFound("I know no picture of mine in this message.")
        await _ask(interaction, job)


BUTTONS: tuple[type[RowButton], ...] = (ReportButton,)
