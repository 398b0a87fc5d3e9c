"""What members do with one finished picture: enlarge it, vary it, keep it, have it sent, read everything about it.

Whatever costs is asked for twice: the first press says privately what there is and what each costs, the second paints.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import discord
from discord import ui

from cogs.core.bot import Interaction
from cogs.core.errors import Modal, RowButton, row_of
from cogs.core.i18n import ENGLISH
from cogs.core.job_button import PictureButton
from cogs.core.text import NOBODY, copyable, plural
from cogs.imagine.cards import link_to
from cogs.imagine.submit import submit
from domain import InvalidRequest, Job, JobSource, NotAllowed, SafetyLevel
from domain.details import Details
from domain.quotas import credits_in_words

MAX_CONTENT = 1900
VARIATIONS = {35: "Subtle", 60: "Strong"}
FACTORS = {150: "1.5×", 200: "2×"}


class UpscaleButton(PictureButton, template=r"job:upscale:(?P<row_id>[0-9]+)(?::(?P<number>[1-4]))?"):
    """The very picture, larger."""

    prefix, label, emoji = "job:upscale", "Upscale", "🔍"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        requests, number = interaction.client.service.requests, self.number or 1
        request = await requests.upscaled(job, number, min(FACTORS) / 100)
        prices = {percent: requests.price(replace(request, upscale=percent / 100)) for percent in FACTORS}
        buttons = [
            UpscaleByButton(job.id, number, percent, f"{name} ({credits_in_words(prices[percent])})")
            for percent, name in FACTORS.items()
        ]
        await offer(interaction, f"Picture {number}, {requests.upscaling}:", *buttons)


class VaryButton(PictureButton, template=r"job:vary:(?P<row_id>[0-9]+)(?::(?P<number>[1-4]))?"):
    """A variation: painted on from the picture itself."""

    prefix, label, emoji = "job:vary", "Vary", "🪄"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        requests, number = interaction.client.service.requests, self.number or 1
        request = await requests.varied(job, number, min(VARIATIONS) / 100)
        prices = {percent: requests.price(replace(request, strength=percent / 100)) for percent in VARIATIONS}
        buttons = [
            VaryByButton(job.id, number, percent, f"{name} ({credits_in_words(prices[percent])})")
            for percent, name in VARIATIONS.items()
        ]
        question = f"{plural(request.images, 'picture')}, painted on from picture {number}. How much may change?"
        await offer(interaction, question, *buttons, VaryCustomButton(job.id, number))


class ChoiceButton(PictureButton, template=r"job:choice:(?P<row_id>[0-9]+):(?P<number>[1-4]):(?P<percent>[0-9]{1,3})"):
    """One of the choices in a private answer; `percent` is its strength or factor."""

    def __init__(self, row_id: int, number: int, percent: int, label: str | None = None) -> None:
        super().__init__(row_id, number, percent)
        self.percent = percent
        self.item.label = label or f"{percent} %"

    @classmethod
    def read_more(cls, match: re.Match[str]) -> tuple[Any, ...]:
        return (*super().read_more(match), int(match["percent"]))


class UpscaleByButton(
    ChoiceButton, template=r"job:upscale-by:(?P<row_id>[0-9]+):(?P<number>[1-4]):(?P<percent>[0-9]{1,3})"
):
    """Upscale by so many hundredths."""

    prefix, emoji = "job:upscale-by", "🔍"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        number = self.number or 1
        wanted = interaction.client.service.requests.upscaled(job, number, self.percent / 100)
        await submit(interaction, wanted, source=JobSource.UPSCALE, parent_id=job.id, parent_number=number)


class VaryByButton(ChoiceButton, template=r"job:vary-by:(?P<row_id>[0-9]+):(?P<number>[1-4]):(?P<percent>[0-9]{1,3})"):
    """Vary with a strength of so many hundredths."""

    prefix, emoji = "job:vary-by", "🪄"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        await vary(interaction, job, self.number or 1, self.percent / 100)


class VaryCustomButton(PictureButton, template=r"job:vary-own:(?P<row_id>[0-9]+)(?::(?P<number>[1-4]))?"):
    """Ask how much may change."""

    prefix, label, emoji = "job:vary-own", "Another strength…", "🎚️"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        await interaction.response.send_modal(StrengthModal(job, self.number or 1))


class StrengthModal(Modal, title="Vary the picture"):
    """How much may change, as a number."""

    def __init__(self, job: Job, number: int) -> None:
        super().__init__()
        self.job, self.number = job, number
        self.strength = self.ask(
            "How much may change?",
            ui.TextInput[Any](custom_id="strength", default="0.5", max_length=5),
            "From 0.1 (nearly nothing) to 1 (everything). More costs a little more.",
        )

    async def act(self, interaction: Interaction) -> None:
        await vary(interaction, self.job, self.number, _strength(self.strength.value))


class KeepButton(PictureButton, template=r"job:keep:(?P<row_id>[0-9]+)(?::(?P<number>[1-4]))?"):
    """Keep the picture for the member who presses, or no longer."""

    prefix, label, emoji = "job:keep", "Keep", "⭐"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        await keep(interaction, job, [self.number or 1])


async def keep(interaction: Interaction, job: Job, numbers: Sequence[int]) -> None:
    """Keep these of the job's pictures, or no longer, and say privately which it is."""
    is_kept = await interaction.client.service.kept_pictures.toggle(interaction.user.id, job.id, numbers)
    answer = "Kept. The mark goes with the picture; ⭐ once more takes it back."
    if len(numbers) > 1:
        answer = f"Kept. All {len(numbers)} marks go with their pictures; ⭐ once more takes them back."
    if not is_kept:
        answer = "No longer kept."
    await interaction.response.send_message(answer, ephemeral=True)


class SendButton(PictureButton, template=r"job:send:(?P<row_id>[0-9]+)(?::(?P<number>[1-4]))?"):
    """The picture's own file by direct message, as it was painted."""

    prefix, label, emoji = "job:send", "Send me", "✉️"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        await send(interaction, job, [self.number or 1])


async def send(interaction: Interaction, job: Job, numbers: Sequence[int]) -> None:
    """These of the job's pictures in one direct message. Raises NotAllowed, or NotFound if one is erased."""
    if job.place.level is SafetyLevel.ADULT:
        raise NotAllowed("Pictures of age-restricted channels are not sent by direct message.")
    requests = interaction.client.service.requests
    pngs = {number: await requests.fetch_file(job, number) for number in numbers}
    await interaction.response.defer(ephemeral=True, thinking=True)
    files = [discord.File(io.BytesIO(png), f"{job.id}-{number}.png") for number, png in pngs.items()]
    about = f"Picture {job.id}, {link_to(job)}. AI-generated."
    answer = "It is in your direct messages." if len(files) == 1 else "They are in your direct messages."
    if not await interaction.client.send_privately(interaction.user.id, about, files=files):
        answer = "I can't write to you: your privacy settings don't let this server's members send you messages."
    await interaction.followup.send(answer, ephemeral=True, allowed_mentions=NOBODY)


class DetailsButton(PictureButton, template=r"job:details:(?P<row_id>[0-9]+)(?::(?P<number>[1-4]))?"):
    """Seed, all words, model, lineage."""

    prefix, label, emoji = "job:details", "Details", "🧾"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        details = await interaction.client.service.requests.details(job, self.number or 1)
        content, files = details_message(job, [details])
        await interaction.response.send_message(content, files=files, ephemeral=True, allowed_mentions=NOBODY)


def details_message(job: Job, pictures: Sequence[Details]) -> tuple[str, list[discord.File]]:
    """The text about pictures of one job, and what is too long for it as a file."""
    first, numbers = pictures[0], ", ".join(str(one.number) for one in pictures)
    which = f"number {numbers}" if len(pictures) == 1 else f"numbers {numbers}"
    lines = [
        f"**Picture {job.id}, {which}** by <@{job.user_id}>, {first.width}×{first.height}",
        f"Model {first.model.name}, SHA-256 `{first.model.sha256[:16]}`, {first.model.dtype}",
    ]
    if first.parent is not None:
        of = f"picture {job.parent_number} of " if job.parent_number else ""
        lines.append(f"Made from {of}{link_to(first.parent, ENGLISH)} by <@{first.parent.user_id}>")
    lines.append("Paste this into `/imagine` for the same picture again:")
    if len(pictures) > 1:
        lines[-1] = "Paste one of these into `/imagine` for that picture again:"
    if job.request.init_image is not None:
        lines[-1] = "It was painted on from a picture; **Edit** keeps that. Its words and settings:"
    blocks = [copyable(one.parameters) for one in pictures]
    if sum(map(len, [*lines, *blocks])) <= MAX_CONTENT:
        return "\n".join([*lines, *blocks]), []
    texts = "\n\n".join(one.parameters for one in pictures)
    return "\n".join(lines), [discord.File(io.BytesIO(texts.encode()), f"{job.id}-{numbers.replace(', ', '-')}.txt")]


async def vary(interaction: Interaction, job: Job, number: int, strength: float) -> None:
    """Paint on from one of the job's pictures."""
    wanted = interaction.client.service.requests.varied(job, number, strength)
    await submit(interaction, wanted, source=JobSource.VARY, parent_id=job.id, parent_number=number)


async def offer(interaction: Interaction, question: str, *buttons: RowButton) -> None:
    await interaction.response.send_message(question, view=row_of(*buttons), ephemeral=True)


def _strength(typed: str) -> float:
    try:
        strength = float(typed.strip().replace(",", "."))
    except ValueError:
        strength = 0.0
    if not 0.1 <= strength <= 1.0:
        raise InvalidRequest("The strength is a number from 0.1 to 1, such as 0.5.")
    return strength


BUTTONS: tuple[type[RowButton], ...] = (
    UpscaleButton,
    UpscaleByButton,
    VaryButton,
    VaryByButton,
    VaryCustomButton,
    KeepButton,
    SendButton,
    DetailsButton,
)
