"""Buttons that mean a whole job. They never expire: each carries the job's id, and the job is in the database."""

from __future__ import annotations

import discord

from cogs.core.bot import Interaction
from cogs.core.checks import may_tidy_up
from cogs.core.errors import RowButton
from cogs.core.job_button import JobButton
from cogs.imagine.submit import submit
from domain import Job, JobSource


class DeleteButton(JobButton, template=r"job:delete:(?P<row_id>[0-9]+)"):
    """Erase all pictures, and the message."""

    prefix, label, emoji, style = "job:delete", "Delete", "🗑️", discord.ButtonStyle.secondary

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        jobs = interaction.client.service.jobs
        await jobs.erase(job.id, interaction.user.id, is_moderator=await may_tidy_up(interaction))
        await interaction.response.defer()
        await delete_messages(interaction, job)


class DeleteAllButton(DeleteButton, template=r"job:delete:(?P<row_id>[0-9]+)"):
    """Erase all pictures, and the message, where one of them can be erased alone, too."""

    label = "Delete all"


class AgainButton(JobButton, template=r"job:again:(?P<row_id>[0-9]+)"):
    """Paint the request again, with a new seed, as a picture of the person who pressed."""

    prefix, label, emoji = "job:again", "Again", "🎲"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        wanted = interaction.client.service.requests.again(job)
        await submit(interaction, wanted, source=JobSource.AGAIN, parent_id=job.id)


async def delete_messages(interaction: Interaction, job: Job) -> None:
    """Take away whatever shows the job."""
    messages = await interaction.client.service.jobs.fetch_messages(job)
    if interaction.message is not None:  # a lost answer may have kept the job's row from knowing it
        messages.add((interaction.message.channel.id, interaction.message.id))
    for channel_id, message_id in messages:
        await interaction.client.delete_quietly(channel_id, message_id)


BUTTONS: tuple[type[RowButton], ...] = (DeleteButton, AgainButton)
