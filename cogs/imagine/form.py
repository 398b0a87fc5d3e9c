"""One form for everything about a picture, filled in as it was: words, settings in a line, start picture and mask."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any

import discord
from discord import app_commands, ui

from cogs.core.bot import Cog, Interaction
from cogs.core.errors import Modal, RowButton
from cogs.core.job_button import JobButton, PictureButton
from cogs.imagine.attachments import read_attachment
from cogs.imagine.command import MAX_PROMPT_CHARACTERS
from cogs.imagine.submit import Typed, submit
from domain import Job, JobSource, NotFound, Request
from domain.refusals import Draft

MENU = "Remix"
MAX_SETTINGS_CHARACTERS = 300


class EditButton(JobButton, template=r"job:edit:(?P<row_id>[0-9]+)"):
    """Change anything; the seed stays unless it is changed."""

    prefix, label, emoji = "job:edit", "Edit", "✏️"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        await open_form(interaction, job, job.request)


class StartButton(PictureButton, template=r"job:start:(?P<row_id>[0-9]+)(?::(?P<number>[1-4]))?"):
    """Paint something else on from this picture."""

    prefix, label, emoji = "job:start", "Use as start", "🖼️"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        number = self.number or 1
        await open_form(interaction, job, await interaction.client.service.requests.started(job, number), number)


async def open_form(
    interaction: Interaction, job: Job, request: Request, number: int | None = None, *, mask: str | None = None
) -> None:
    """The form for a picture that is made from `job`, or from one of its pictures; `mask` names its mask."""
    settings = interaction.client.service.requests.settings_line(request)
    draft = Draft(request, settings, job.id, number)
    await interaction.response.send_modal(PictureForm(draft, number, mask))


class DraftButton(RowButton, template=r"form:(?P<row_id>[0-9]+)"):
    """Open the form for a request that was not accepted, filled in as it was. Subclasses say where it is kept."""

    label, emoji = "Edit", "✏️"

    async def act(self, interaction: Interaction) -> None:
        await interaction.response.send_modal(PictureForm(await self.fetch_draft(interaction)))

    @abstractmethod
    async def fetch_draft(self, interaction: Interaction) -> Draft:
        """What the form opens with. Raises NotFound or NotAllowed."""


class PictureForm(Modal, title="Change the picture"):
    """Nothing typed is lost: what can't be painted is answered with the sentence, and the form opens again filled."""

    def __init__(self, draft: Draft, number: int | None = None, mask: str | None = None) -> None:
        super().__init__()
        self.draft, self.request = draft, draft.request
        request, settings = draft.request, draft.settings
        self.prompt = self._ask_words("prompt", "Prompt", request.prompt)
        self.negative_prompt = self._ask_words(
            "negative_prompt", "Without (negative prompt)", request.negative_prompt, required=False
        )
        self.settings = self.ask(
            "Settings",
            ui.TextInput[Any](
                custom_id="settings",
                style=discord.TextStyle.paragraph,
                default=settings,
                required=False,
                max_length=MAX_SETTINGS_CHARACTERS,
            ),
            "Change what you like. An empty seed is a new one; a size may be portrait, square or landscape.",
        )
        start = "the start picture of before" if request.init_image is not None else "none"
        if number is not None:
            start = f"picture {number} of that message"
        self.start_picture = self._ask_file("start_picture", "Start picture", f"Empty: {start}.")
        mask = mask or "the mask of before" if request.mask_image is not None else "the whole picture changes"
        self.mask = self._ask_file("mask", "Mask: paint where it is white", f"Empty: {mask}.")

    def _ask_words(self, name: str, text: str, words: str, *, required: bool = True) -> ui.TextInput[Any]:
        field = ui.TextInput[Any](
            custom_id=name,
            style=discord.TextStyle.paragraph,
            default=words or None,
            required=required,
            max_length=_room_for(words),
        )
        return self.ask(text, field)

    def _ask_file(self, name: str, text: str, description: str) -> ui.FileUpload[Any]:
        return self.ask(text, ui.FileUpload[Any](custom_id=name, required=False, max_values=1), description)

    async def act(self, interaction: Interaction) -> None:
        await submit(
            interaction,
            self._read(interaction),
            source=JobSource.EDIT,
            parent_id=self.draft.parent_id,
            parent_number=self.draft.parent_number,
            typed=Typed(self._with_words(), self.settings.value),
        )

    def _with_words(self) -> Request:
        return replace(self.request, prompt=self.prompt.value, negative_prompt=self.negative_prompt.value)

    async def _read(self, interaction: Interaction) -> Request:
        files = [await read_attachment(next(iter(one.values), None)) for one in (self.start_picture, self.mask)]
        return interaction.client.service.requests.changed(
            self.request, self.prompt.value, self.negative_prompt.value, self.settings.value, (files[0], files[1])
        )


def _room_for(words: str) -> int:
    """Discord refuses a form whose own words are too long for it; those of prompt channels may be longer."""
    return max(MAX_PROMPT_CHARACTERS, len(words))


class Remix(Cog):
    """The Apps menu's entry, for any picture that one may see."""

    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    async def remix(self, interaction: Interaction, message: discord.Message) -> None:
        """Make a picture of your own out of somebody's"""
        job = await self.bot.service.jobs.find_shown(message.id)
        if job is None or job.guild_id != interaction.guild_id:
            raise NotFound("I did not paint that, or it is not stored any more.")
        await open_form(interaction, job, job.request)


BUTTONS: tuple[type[RowButton], ...] = (EditButton, StartButton)
