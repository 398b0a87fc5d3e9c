"""The buttons under a job's message. They never expire: each carries the job's id, and the job is in the database."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

import discord
from discord import ui

from cogs.cases.appeals import PictureAppealButton
from cogs.cases.reports import ReportButton
from cogs.core.bot import Interaction
from cogs.core.checks import may_tidy_up
from cogs.core.errors import Modal, RowButton, View, row_of
from cogs.core.job_button import JobButton
from cogs.imagine.progress import CancelButton
from cogs.imagine.submit import submit
from domain import SEED_LIMIT, InvalidRequest, Job, JobSource, JobStatus


class DeleteButton(JobButton, template=r"job:delete:(?P<row_id>[0-9]+)"):
    """Erase the pictures and the message."""

    prefix, emoji, style = "job:delete", "🗑️", discord.ButtonStyle.secondary
    label = "Delete"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        jobs = interaction.client.service.jobs
        await jobs.erase(job.id, interaction.user.id, is_moderator=await may_tidy_up(interaction))
        await interaction.response.defer()
        messages = await jobs.fetch_messages(job)
        if interaction.message is not None:  # a lost answer may have kept the job's row from knowing it
            messages.add((interaction.message.channel.id, interaction.message.id))
        for channel_id, message_id in messages:
            await interaction.client.delete_quietly(channel_id, message_id)


class AgainButton(JobButton, template=r"job:again:(?P<row_id>[0-9]+)"):
    """Paint the request again, with a new seed, as a picture of the person who pressed."""

    prefix, label, emoji = "job:again", "Again", "🎲"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        wanted = interaction.client.service.requests.again(job)
        await submit(interaction, wanted, source=JobSource.AGAIN, parent_id=job.id)


class VaryButton(JobButton, template=r"job:vary:(?P<row_id>[0-9]+)"):
    """A variation: painted on from the picture itself."""

    prefix, label, emoji = "job:vary", "Vary", "🪄"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        wanted = interaction.client.service.requests.vary(job)
        await submit(interaction, wanted, source=JobSource.VARY, parent_id=job.id)


class EditButton(JobButton, template=r"job:edit:(?P<row_id>[0-9]+)"):
    """Change the words, keep the seed."""

    prefix, label, emoji = "job:edit", "Edit", "✏️"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        await interaction.response.send_modal(EditModal(job))


class EditModal(Modal, title="Change the picture"):
    """The prompt and the negative prompt, filled in as they were."""

    def __init__(self, job: Job) -> None:
        super().__init__(custom_id=f"job:edited:{job.id}")
        self.job = job
        paragraph, request = discord.TextStyle.paragraph, job.request
        self.prompt = self.ask(
            "Prompt",
            ui.TextInput[Any](custom_id="prompt", style=paragraph, default=request.prompt, max_length=1000),
        )
        self.negative_prompt = self.ask(
            "Without (negative prompt)",
            ui.TextInput[Any](
                custom_id="negative_prompt",
                style=paragraph,
                default=request.negative_prompt or None,
                required=False,
                max_length=1000,
            ),
        )
        self.seed = self.ask(
            "Seed",
            ui.TextInput[Any](custom_id="seed", default=str(request.seed), required=False, max_length=10),
            "Empty: a new one. The same seed keeps the composition.",
        )

    async def act(self, interaction: Interaction) -> None:
        request = replace(
            self.job.request,
            prompt=self.prompt.value,
            negative_prompt=self.negative_prompt.value,
            seed=_seed(self.seed.value),
        )
        await submit(interaction, request, source=JobSource.EDIT, parent_id=self.job.id)


def _seed(text: str) -> int:
    text = text.strip()
    if not text:
        return secrets.randbelow(SEED_LIMIT)
    if not text.isascii() or not text.isdigit():
        raise InvalidRequest(f"A seed is a whole number from 0 to {SEED_LIMIT - 1}, or empty for a new one.")
    return int(text)


def finished_buttons(job: Job, *, some_withheld: bool = False) -> View:
    """Five in the first row; a picture among several that was withheld can be appealed like a single one."""
    buttons: list[RowButton] = [AgainButton(job.id), VaryButton(job.id), EditButton(job.id), DeleteButton(job.id)]
    if job.guild_id is not None:
        buttons.append(ReportButton(job.id))
        if some_withheld:
            buttons.append(PictureAppealButton(job.id))
    return row_of(*buttons)


def ended_buttons(job: Job) -> View:
    """A job that may simply be tried again can be edited; one that was refused or withheld only deleted."""
    if job.status in (JobStatus.CANCELLED, JobStatus.FAILED):
        return row_of(EditButton(job.id), DeleteButton(job.id))
    if job.status is JobStatus.WITHHELD and job.guild_id is not None:
        return row_of(PictureAppealButton(job.id), DeleteButton(job.id))
    return row_of(DeleteButton(job.id))


BUTTONS: tuple[type[RowButton], ...] = (CancelButton, DeleteButton, AgainButton, VaryButton, EditButton)
