"""The buttons under a job's message. They never expire: each carries the job's id, and the job is in the database."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import discord
from discord import ui

from cogs.cases.appeals import PictureAppealButton
from cogs.cases.reports import ReportButton, copies_of
from cogs.core.checks import may_tidy_up
from cogs.core.errors import Modal, RowButton, View
from cogs.imagine.submit import paint
from domain import SEED_LIMIT, InvalidRequest, Job, JobStatus, NotFound, Request

if TYPE_CHECKING:
    from cogs.core.bot import Bot
    from service import Service

Interaction = discord.Interaction[Any]

VARIATION_STRENGTH = 0.6


def _service(interaction: Interaction) -> Service:
    return cast("Bot", interaction.client).service


class CancelButton(RowButton, template=r"job:cancel:(?P<row_id>[0-9]+)"):
    """Take an open job back."""

    prefix, label, emoji = "job:cancel", "Cancel", "✖️"

    async def act(self, interaction: Interaction) -> None:
        await _service(interaction).cancel(
            self.row_id, interaction.user.id, is_moderator=await may_tidy_up(interaction)
        )
        await interaction.response.defer()


class DeleteButton(RowButton, template=r"job:delete:(?P<row_id>[0-9]+)"):
    """Erase the pictures and the message."""

    prefix, emoji, style = "job:delete", "🗑️", discord.ButtonStyle.secondary
    label = "Delete"

    async def act(self, interaction: Interaction) -> None:
        await _service(interaction).delete(
            self.row_id, interaction.user.id, is_moderator=await may_tidy_up(interaction)
        )
        await interaction.response.defer()
        bot = cast("Bot", interaction.client)
        places = await copies_of(bot.service.database, self.row_id)
        if interaction.message is not None:
            places.add((interaction.message.channel.id, interaction.message.id))
        for channel_id, message_id in places:
            await bot.delete_quietly(channel_id, message_id)


class AgainButton(RowButton, template=r"job:again:(?P<row_id>[0-9]+)"):
    """The same request with a new seed, as a picture of one's own."""

    prefix, label, emoji = "job:again", "Again", "🎲"

    async def act(self, interaction: Interaction) -> None:
        async def build() -> Request:
            job = await _service(interaction).job(self.row_id)
            return replace(job.request, seed=secrets.randbelow(SEED_LIMIT))

        await paint(interaction, build(), source="again", parent_id=self.row_id)


class VaryButton(RowButton, template=r"job:vary:(?P<row_id>[0-9]+)"):
    """A variation: painted on from the picture itself."""

    prefix, label, emoji = "job:vary", "Vary", "🪄"

    async def act(self, interaction: Interaction) -> None:
        async def build() -> Request:
            service = _service(interaction)
            job = await service.job(self.row_id)
            start = next((picture.png for picture in await service.pictures(job.id) if picture.png), None)
            if start is None:
                raise NotFound("This picture is not stored any more, so it can't be varied.")
            return replace(
                job.request,
                init_image=start,
                mask_image=None,
                strength=VARIATION_STRENGTH,
                upscale=1.0,
                seed=secrets.randbelow(SEED_LIMIT),
            )

        await paint(interaction, build(), source="vary", parent_id=self.row_id)


class EditButton(RowButton, template=r"job:edit:(?P<row_id>[0-9]+)"):
    """Change the words, keep the seed."""

    prefix, label, emoji = "job:edit", "Edit", "✏️"

    async def act(self, interaction: Interaction) -> None:
        job = await _service(interaction).job(self.row_id)
        await interaction.response.send_modal(EditModal(job))


class EditModal(Modal, title="Change the picture"):
    """The prompt and the negative prompt, filled in as they were."""

    def __init__(self, job: Job) -> None:
        super().__init__(custom_id=f"job:edited:{job.id}")
        self.job = job
        self.prompt = ui.TextInput[Any](
            custom_id="prompt", style=discord.TextStyle.paragraph, default=job.request.prompt, max_length=1000
        )
        self.negative_prompt = ui.TextInput[Any](
            custom_id="negative_prompt",
            style=discord.TextStyle.paragraph,
            default=job.request.negative_prompt or None,
            required=False,
            max_length=1000,
        )
        self.seed = ui.TextInput[Any](custom_id="seed", default=str(job.request.seed), required=False, max_length=10)
        self.add_item(ui.Label(text="Prompt", component=self.prompt))
        self.add_item(ui.Label(text="Without (negative prompt)", component=self.negative_prompt))
        self.add_item(
            ui.Label(
                text="Seed", description="Empty: a new one. The same seed keeps the composition.", component=self.seed
            )
        )

    async def on_submit(self, interaction: Interaction) -> None:
        request = replace(
            self.job.request,
            prompt=self.prompt.value,
            negative_prompt=self.negative_prompt.value,
            seed=_seed(self.seed.value),
        )
        await paint(interaction, request, source="edit", parent_id=self.job.id)


def _seed(text: str) -> int:
    text = text.strip()
    if not text:
        return secrets.randbelow(SEED_LIMIT)
    if not text.isascii() or not text.isdigit():
        raise InvalidRequest(f"A seed is a whole number from 0 to {SEED_LIMIT - 1}, or empty for a new one.")
    return int(text)


def open_buttons(job: Job) -> View:
    return _row(CancelButton(job.id))


def finished_buttons(job: Job, *, some_withheld: bool = False) -> View:
    """Five in the first row; a picture among several that was withheld can be appealed like a single one."""
    buttons: list[RowButton] = [AgainButton(job.id), VaryButton(job.id), EditButton(job.id), DeleteButton(job.id)]
    if job.guild_id is not None:
        buttons.append(ReportButton(job.id))
        if some_withheld:
            buttons.append(PictureAppealButton(job.id))
    return _row(*buttons)


def ended_buttons(job: Job) -> View:
    """A job that may simply be tried again can be edited; one that was refused or withheld only deleted."""
    if job.status in (JobStatus.CANCELLED, JobStatus.FAILED):
        return _row(EditButton(job.id), DeleteButton(job.id))
    if job.status is JobStatus.WITHHELD and job.guild_id is not None:
        return _row(PictureAppealButton(job.id), DeleteButton(job.id))
    return _row(DeleteButton(job.id))


def _row(*buttons: RowButton) -> View:
    view = View()
    for button in buttons:
        view.add_item(button)
    return view


BUTTONS: tuple[type[RowButton], ...] = (CancelButton, DeleteButton, AgainButton, VaryButton, EditButton)
