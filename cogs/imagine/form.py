"""One form for everything about a picture, filled in as it was, on two pages: Discord takes five fields a page.

The first page has the words and what is changed most; it paints, or keeps everything as a draft and shows privately the
way to the second. A draft is in the database, so nothing typed is lost when a page is closed, refused, or forgotten.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import discord
from discord import ui

from cogs.core.bot import Answer, Bot, Cog, Interaction
from cogs.core.channels import origin_of
from cogs.core.colours import BLUE
from cogs.core.errors import Modal, RowButton, answer_privately, row_of
from cogs.core.job_button import JobButton, PictureButton
from cogs.core.text import copyable, plural
from cogs.imagine.attachments import read_attachment
from cogs.imagine.form_fields import (
    file_field,
    images_choice,
    numbers_field,
    preset_menu,
    radio,
    scheduler_menu,
    size_menu,
    words_field,
)
from cogs.imagine.submit import Typed, in_time, keep, submit
from domain import InvalidRequest, Job, JobSource, NotFound, Request, RequestOptions
from domain.forms import FormFields
from domain.quotas import credits_in_words
from domain.refusals import Draft

MENU = "Remix"
PAINT, MORE = "paint", "more"


class Page(Modal):
    """A page of the form. Subclasses add their fields; `_fields` and `_words` give what they say now."""

    def __init__(self, bot: Bot, draft: Draft, mask: str | None = None) -> None:
        """`mask` names the request's mask, where that is none that the member gave."""
        super().__init__()
        self.draft, self.request = draft, draft.request
        self.shown = bot.service.requests.fields(draft)
        self.mask_name = mask
        self.start_picture: ui.FileUpload[Any] | None = None
        self.mask: ui.FileUpload[Any] | None = None

    def _ask_start_picture(self) -> None:
        empty = "none"
        if self.request.init_image is not None:
            number = self.draft.parent_number
            empty = "the one that is there" if number is None else f"picture {number} of that message"
        self.start_picture = self.ask("Start picture", file_field("start_picture"), f"Empty: {empty}.")

    def _ask_mask(self) -> None:
        empty = self.mask_name or "the one that is there"
        if self.request.mask_image is None:
            empty = "the whole picture changes"
        self.mask = self.ask("Mask: paint where it is white", file_field("mask"), f"Empty: {empty}.")

    def _words(self) -> tuple[str, str]:
        return self.request.prompt, self.request.negative_prompt

    @abstractmethod
    def _fields(self) -> FormFields:
        """The settings as they stand now, with those of the other page."""

    async def paint(self, interaction: Interaction) -> None:
        await _paint(interaction, self.draft, self._read(interaction), self._typed(interaction))

    def _typed(self, interaction: Interaction) -> Typed:
        prompt, negative_prompt = self._words()
        wanted = replace(self.request, prompt=prompt, negative_prompt=negative_prompt)
        return Typed(wanted, interaction.client.service.requests.settings_of(self._fields()))

    async def _read(self, interaction: Interaction) -> Request:
        files = [await _read_file(field) for field in (self.start_picture, self.mask)]
        requests = interaction.client.service.requests
        settings = requests.settings_of(self._fields())
        return requests.changed(self.request, *self._words(), settings, (files[0], files[1]))


class WordsPage(Page, title="Change the picture"):
    """Words, shape and number, and whether that is all; a mask in the shape's place where one is asked for."""

    def __init__(self, bot: Bot, draft: Draft, mask: str | None = None, *, asks_for_mask: bool = False) -> None:
        super().__init__(bot, draft, mask)
        request, profile = self.request, bot.service.queue.profile
        self.prompt = self.ask("Prompt", words_field("prompt", request.prompt))
        without = words_field("negative_prompt", request.negative_prompt, required=False)
        self.negative_prompt = self.ask("Without (negative prompt)", without)
        self.size: ui.Select[Any] | None = None
        if asks_for_mask:
            self._ask_mask()
        else:
            self.size = self.ask("Shape", size_menu(self.shown.size, profile))
        price = _price(bot, replace(request, images=1))
        each = f"As it stands, {price} each." if price else None
        self.images = self.ask("Pictures", images_choice(self.shown.images, profile), each)
        labels = {PAINT: "Paint it", MORE: "More settings first"}
        more = "Preset, scheduler, steps, guidance, seed, files; nothing is charged for looking."
        then = radio("then", labels, PAINT, **{PAINT: self._summary(bot), MORE: more})
        self.then = self.ask("And then", then)

    def _summary(self, bot: Bot) -> str:
        """What the second page holds now, as far as there is room."""
        scheduler = bot.service.queue.schedulers.get(self.shown.scheduler, self.shown.scheduler)
        preset = f"{self.shown.preset} preset, " if self.request.preset else ""
        return f"With {preset}{scheduler}, {self.shown.numbers}"[:100]

    def _words(self) -> tuple[str, str]:
        return self.prompt.value, self.negative_prompt.value

    def _fields(self) -> FormFields:
        size = next(iter(self.size.values), self.shown.size) if self.size is not None else self.shown.size
        return replace(self.shown, size=size, images=self.images.value or self.shown.images)

    async def act(self, interaction: Interaction) -> None:
        if self.then.value == MORE:
            await in_time(interaction, self._keep(interaction))
        else:
            await self.paint(interaction)

    async def _keep(self, interaction: Interaction) -> None:
        origin = origin_of(interaction, JobSource.EDIT, self.draft.parent_id, self.draft.parent_number)
        draft_id, request = await keep(interaction, self._read(interaction), origin, self._typed(interaction))
        await answer_privately(interaction, kept_answer(interaction.client, request, draft_id))


class SettingsPage(Page, title="More settings, then paint"):
    """How it is painted, and from which files; the shape too, where the first page had the mask."""

    def __init__(self, bot: Bot, draft: Draft) -> None:
        super().__init__(bot, draft)
        queue = bot.service.queue
        profile = queue.profile
        self.preset = self.ask("Preset", preset_menu(self.shown.preset, queue.presets))
        self.scheduler = self.ask("Scheduler", scheduler_menu(self.shown.scheduler, queue.schedulers))
        limits = (
            f"Steps 1–{profile.max_steps}, guidance 1–{profile.max_guidance_scale:g}, upscale "
            f"1–{profile.max_upscale:g}, strength up to 1. An empty seed is a new one."
        )
        self.numbers = self.ask("Numbers", numbers_field(self.shown.numbers), limits)
        self._ask_start_picture()
        self._ask_mask()

    def _fields(self) -> FormFields:
        preset, scheduler = (next(iter(one.values), "") for one in (self.preset, self.scheduler))
        return replace(self.shown, preset=preset, scheduler=scheduler, numbers=self.numbers.value)

    async def act(self, interaction: Interaction) -> None:
        await self.paint(interaction)


async def _paint(
    interaction: Interaction, draft: Draft, wanted: Request | Coroutine[Any, Any, Request], typed: Typed
) -> None:
    """Submit what became of a draft, as made from the picture that the draft was."""
    await submit(
        interaction,
        wanted,
        source=JobSource.EDIT,
        parent_id=draft.parent_id,
        parent_number=draft.parent_number,
        typed=typed,
    )


async def _read_file(field: ui.FileUpload[Any] | None) -> bytes | None:
    return await read_attachment(next(iter(field.values), None)) if field is not None else None


# ---- what opens it -------------------------------------------------------------------------------------------------


async def open_form(
    interaction: Interaction,
    job: Job,
    request: Request,
    number: int | None = None,
    *,
    mask: str | None = None,
    asks_for_mask: bool = False,
) -> None:
    """The form for a picture that is made from `job`, or from one of its pictures; `mask` names its mask."""
    settings = interaction.client.service.requests.settings_line(request)
    draft = Draft(request, settings, job.id, number)
    page = WordsPage(interaction.client, draft, mask, asks_for_mask=asks_for_mask)
    await interaction.response.send_modal(page)


class EditButton(JobButton, template=r"job:edit:(?P<row_id>[0-9]+)"):
    """Change anything; the seed stays unless it is changed."""

    prefix, label, emoji = "job:edit", "Edit", "✏️"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        await open_form(interaction, job, job.request)


class StartButton(PictureButton, template=r"job:start:(?P<row_id>[0-9]+)(?::(?P<number>[1-4]))?"):
    """Paint something else on from this picture."""

    prefix, label, emoji = "job:start", "Use as start", "🖼️"
    asks_for_mask = False

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        number = self.number or 1
        request = await interaction.client.service.requests.started(job, number)
        await open_form(interaction, job, request, number, asks_for_mask=self.asks_for_mask)


class Remix(Cog):
    """The Apps menu's entry, for any picture that one may see."""

    async def remix(self, interaction: Interaction, message: discord.Message) -> None:
        """Make a picture of your own out of somebody's"""
        job = await self.bot.service.jobs.find_shown(message.id)
        if job is None or job.guild_id != interaction.guild_id:
            raise NotFound("I did not paint that, or it is not stored any more.")
        await open_form(interaction, job, job.request)


# ---- drafts --------------------------------------------------------------------------------------------------------


class DraftButton(RowButton, template=r"form:(?P<row_id>[0-9]+)"):
    """Open the form for a request that is kept, filled in as it was. Subclasses say where it is kept."""

    label, emoji = "Edit", "✏️"

    async def act(self, interaction: Interaction) -> None:
        draft = await self.fetch_draft(interaction)
        await interaction.response.send_modal(WordsPage(interaction.client, draft))

    @abstractmethod
    async def fetch_draft(self, interaction: Interaction) -> Draft:
        """What the form opens with. Raises NotFound or NotAllowed."""


class EditDraftButton(DraftButton, template=r"draft:edit:(?P<row_id>[0-9]+)"):
    """The first page for a draft, which is the row."""

    prefix = "draft:edit"

    async def fetch_draft(self, interaction: Interaction) -> Draft:
        drafts = interaction.client.service.drafts
        return await drafts.fetch(self.row_id, interaction.user.id, interaction.guild_id, interaction.channel_id or 0)


class MoreSettingsButton(EditDraftButton, template=r"draft:more:(?P<row_id>[0-9]+)"):
    """The second page for a draft."""

    prefix, label, emoji = "draft:more", "More settings", "🎚️"

    async def act(self, interaction: Interaction) -> None:
        draft = await self.fetch_draft(interaction)
        await interaction.response.send_modal(SettingsPage(interaction.client, draft))


class PaintDraftButton(EditDraftButton, template=r"draft:paint:(?P<row_id>[0-9]+)"):
    """Paint a draft as it stands."""

    prefix, label, emoji, style = "draft:paint", "Paint it", "🎨", discord.ButtonStyle.primary

    async def act(self, interaction: Interaction) -> None:
        draft = await self.fetch_draft(interaction)
        request = draft.request
        requests = interaction.client.service.requests
        wanted = requests.changed(request, request.prompt, request.negative_prompt, draft.settings)
        await _paint(interaction, draft, wanted, Typed(request, draft.settings))


def kept_answer(bot: Bot, request: Request, draft_id: int) -> Answer:
    """A request as it stands between the two pages, what it costs, and the ways on."""
    price = _price(bot, request)
    embed = discord.Embed(title="Your words", description=words_of(request, _settings(bot, request)), colour=BLUE)
    buttons = (MoreSettingsButton(draft_id), EditDraftButton(draft_id), PaintDraftButton(draft_id))
    costs = f" Painting it costs {price}." if price else ""
    sentence = f"Changing is free.{costs} I keep your newest three for a day."
    return Answer(content=sentence, embed=embed, view=row_of(*buttons))


def _settings(bot: Bot, request: Request) -> str:
    """Everything but the words, to read."""
    scheduler = bot.service.queue.schedulers.get(request.scheduler, request.scheduler)
    parts = [f"{request.width}×{request.height}", plural(request.images, "picture"), scheduler]
    if request.preset:
        parts.append(f"{request.preset} preset")
    numbers = bot.service.requests.fields(Draft(request, bot.service.requests.settings_line(request))).numbers
    files = {"with a start picture": request.init_image, "with a mask": request.mask_image}
    return " · ".join([*parts, *numbers.split(", "), *(name for name, file in files.items() if file is not None)])


def _price(bot: Bot, request: Request) -> str | None:
    """None for what can't be painted as it stands: a form opens for that, too."""
    try:
        return credits_in_words(bot.service.requests.price(request))
    except InvalidRequest:
        return None


def words_of(request: Request | RequestOptions, settings: str = "") -> str:
    """A request's words as they can be copied, and its settings below them."""
    words = f"**Prompt**\n{copyable(request.prompt)}"
    if request.negative_prompt:
        words += f"\n**Without**\n{copyable(request.negative_prompt)}"
    return f"{words}\n{settings}" if settings else words


BUTTONS: tuple[type[RowButton], ...] = (EditButton, StartButton, EditDraftButton, MoreSettingsButton, PaintDraftButton)
