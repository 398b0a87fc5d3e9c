"""The message of a finished job: its pictures, which of them the buttons mean, and the buttons.

Which picture is meant, or all of them, is kept in the message itself: pressing a number changes it for everybody. Each
further button carries its number with it, so that a press means what its member saw, however many press at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

import discord

from cogs.cases.appeals import PictureAppealButton
from cogs.cases.reports import ReportButton
from cogs.core.bot import Bot, Interaction
from cogs.core.channels import find_channel, parent_of
from cogs.core.checks import may_tidy_up
from cogs.core.errors import RowButton
from cogs.core.i18n import Translation, translation_for
from cogs.core.job_button import JobButton, PictureButton
from cogs.core.layout import Layout, layout, walk
from cogs.core.text import NOBODY
from cogs.imagine.all_buttons import DetailsAllButton, KeepAllButton, SendAllButton, UpscaleAllButton
from cogs.imagine.buttons import AgainButton, DeleteAllButton, DeleteButton, delete_messages
from cogs.imagine.cards import Finished, finished_card, shown_numbers
from cogs.imagine.form import EditButton, StartButton
from cogs.imagine.picture_buttons import DetailsButton, KeepButton, SendButton, UpscaleButton, VaryButton
from cogs.imagine.regions import RegionButton
from domain import Job, JobStatus, NotFound, PictureFacts

Rows = tuple[list[RowButton], ...]


class PickButton(PictureButton, template=r"job:pick:(?P<row_id>[0-9]+):(?P<number>[1-4])"):
    """Let the buttons mean this picture."""

    prefix = "job:pick"

    def __init__(self, row_id: int, number: int, *, is_chosen: bool = False) -> None:
        super().__init__(row_id, number)
        if is_chosen:
            self.item.style = discord.ButtonStyle.primary

    def say(self, words: Translation) -> None:
        self.item.label = str(self.number)

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        await _choose(interaction, job, self.number or 1)


class PickAllButton(JobButton, template=r"job:pick-all:(?P<row_id>[0-9]+)"):
    """Let the buttons mean all pictures."""

    prefix, label = "job:pick-all", "All"

    def __init__(self, row_id: int, *, is_chosen: bool = False) -> None:
        super().__init__(row_id)
        if is_chosen:
            self.item.style = discord.ButtonStyle.primary

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        await _choose(interaction, job, None)


async def _choose(interaction: Interaction, job: Job, number: int | None) -> None:
    """Show the message with buttons that mean this picture, or (None) all."""
    pictures = await interaction.client.service.jobs.fetch_facts(job.id)
    files = _names_in(interaction.message)
    if len(files) != len(shown_numbers(pictures)):
        raise NotFound("The pictures of this message are not stored any more.")
    view = await finished_layout(interaction.client, job, pictures, files, number)
    await interaction.response.edit_message(view=view, allowed_mentions=NOBODY)


class DeleteOneButton(PictureButton, template=r"job:erase:(?P<row_id>[0-9]+)(?::(?P<number>[1-4]))?"):
    """Erase one picture; the others stay."""

    prefix, label, emoji = "job:erase", "Delete", "🗑️"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        bot, number = interaction.client, self.number or 1
        jobs = bot.service.jobs
        before = shown_numbers(await jobs.fetch_facts(job.id))
        if number not in before:
            raise NotFound("This picture is not stored any more.")
        is_moderator = await may_tidy_up(interaction)
        # The row now asks for its message to be shown again, which the delivery does, also after a crash.
        are_others_left = await jobs.erase_one(job.id, number, interaction.user.id, is_moderator=is_moderator)
        await interaction.response.defer()
        if not are_others_left:
            await delete_messages(interaction, job)
        elif number == before[0]:  # the one that challenges and the starboard show
            for channel_id, message_id in await jobs.fetch_messages(job) - {(job.channel_id, job.message_id or 0)}:
                await bot.delete_quietly(channel_id, message_id)


async def finished_layout(
    bot: Bot, job: Job, pictures: Sequence[PictureFacts], files: Sequence[str], number: int | None = 1
) -> Layout:
    """The whole message; `files` are the attachments' names, one for each picture that is there, in order.

    `number` is the picture that the buttons mean, None for all.
    """
    service, numbers = bot.service, shown_numbers(pictures)
    words = await translation_for(bot, job.guild_id)
    shown = Finished(
        job=job,
        pictures=pictures,
        files=files,
        profile=service.queue.profile,
        reading=service.queue.read(job.request.prompt),
        number=number if number in numbers or (number is None and len(numbers) > 1) else numbers[0],
        parent=await service.jobs.find(job.parent_id) if job.parent_id is not None else None,
        is_spoiler=await _is_spoiler(bot, job),
    )
    return layout(finished_card(shown, words), *finished_rows(shown), words=words)


async def _is_spoiler(bot: Bot, job: Job) -> bool:
    if job.guild_id is None:
        return False
    channel_id = parent_of(await find_channel(bot, job)) or job.channel_id
    return (await bot.service.settings.fetch_channel(job.guild_id, channel_id)).spoiler


def finished_rows(shown: Finished) -> Rows:
    """The picker where there are several; what is made of the chosen picture; what else is done with it; the job."""
    job, numbers = shown.job, shown_numbers(shown.pictures)
    picker: list[RowButton] = [PickButton(job.id, one, is_chosen=one == shown.number) for one in numbers]
    picker.append(PickAllButton(job.id, is_chosen=shown.number is None))
    with_job: list[RowButton] = [AgainButton(job.id), EditButton(job.id)]
    with_job.append(DeleteAllButton(job.id) if len(numbers) > 1 else DeleteButton(job.id))
    if job.guild_id is not None:
        with_job.append(ReportButton(job.id))
    can_appeal = job.guild_id is not None and any(picture.is_withheld for picture in shown.pictures)
    appeal: list[RowButton] = [PictureAppealButton(job.id)] if can_appeal else []
    return (picker if len(numbers) > 1 else [], *_chosen_rows(shown, len(numbers)), with_job, appeal)


def _chosen_rows(shown: Finished, count: int) -> Rows:
    """What can be done with the chosen one of `count` pictures, or with all."""
    job = shown.job
    if shown.number is None:
        return ([UpscaleAllButton(job.id), KeepAllButton(job.id), SendAllButton(job.id), DetailsAllButton(job.id)],)
    number = shown.number if len(shown.pictures) > 1 else None
    to_make: list[RowButton] = [
        UpscaleButton(job.id, number),
        VaryButton(job.id, number),
        StartButton(job.id, number),
        RegionButton(job.id, number),
    ]
    to_have: list[RowButton] = [KeepButton(job.id, number), SendButton(job.id, number), DetailsButton(job.id, number)]
    if count > 1:
        to_have.append(DeleteOneButton(job.id, shown.number))
    return (to_make, to_have)


def ended_rows(job: Job) -> Rows:
    """A job that may simply be tried again can be edited; one that was refused or withheld only deleted."""
    if job.status in (JobStatus.CANCELLED, JobStatus.FAILED):
        return ([EditButton(job.id), DeleteButton(job.id)],)
    if job.status is JobStatus.WITHHELD and job.guild_id is not None:
        return ([PictureAppealButton(job.id), DeleteButton(job.id)],)
    return ([DeleteButton(job.id)],)


def stored_rows(job: Job) -> Rows:
    """Under a finished picture that Discord does not take as a file: what needs none."""
    return ([AgainButton(job.id), VaryButton(job.id, 1), EditButton(job.id), DeleteButton(job.id)],)


def _names_in(message: discord.Message | None) -> list[str]:
    """The files that a message's gallery shows, in order. Discord does not list them as attachments."""
    found: list[str] = []
    for component in walk(message.components if message is not None else ()):
        if isinstance(component, discord.MediaGalleryComponent):
            found += [urlsplit(item.media.url).path.rsplit("/", 1)[-1] for item in component.items]
    return [unquote(name) for name in found]


BUTTONS: tuple[type[RowButton], ...] = (PickButton, PickAllButton, DeleteOneButton)
