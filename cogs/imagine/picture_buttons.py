"""What members do with one finished picture: enlarge it, vary it, have it sent, read everything about it.

Whatever costs is asked for twice: the first press says privately what there is and what each costs, the second paints.
"""

from __future__ import annotations

import io
import re
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
    """A second, larger pass over the very picture."""

    prefix, label, emoji = "job:upscale", "Upscale", "🔍"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        requests, number = interaction.client.service.requests, self.number or 1
        request = await requests.upscaled(job, number, min(FACTORS) / 100)
        prices = {percent: requests.price(replace(request, upscale=percent / 100)) for percent in FACTORS}
        buttons = [
            UpscaleByButton(job.id, number, percent, f"{name} ({credits_in_words(prices[percent])})")
            for percent, name in FACTORS.items()
        ]
        await _offer(interaction, f"Picture {number}, painted once more with a second, larger pass:", *buttons)


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
        await _offer(interaction, question, *buttons, VaryCustomButton(job.id, number))


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


class SendButton(PictureButton, template=r"job:send:(?P<row_id>[0-9]+)(?::(?P<number>[1-4]))?"):
    """The picture's own file by direct message, as it was painted."""

    prefix, label, emoji = "job:send", "Send me", "✉️"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        if job.place.level is SafetyLevel.ADULT:
            raise NotAllowed("Pictures of age-restricted channels are not sent by direct message.")
        number = self.number or 1
        png = await interaction.client.service.requests.fetch_file(job, number)
        await interaction.response.defer(ephemeral=True, thinking=True)
        file = discord.File(io.BytesIO(png), f"{job.id}-{number}.png")
        about = f"Picture {job.id}, {link_to(job)}. AI-generated."
        answer = "It is in your direct messages."
        if not await interaction.client.send_privately(interaction.user.id, about, file=file):
            answer = "I can't write to you: your privacy settings don't let this server's members send you messages."
        await interaction.followup.send(answer, ephemeral=True, allowed_mentions=NOBODY)


class DetailsButton(PictureButton, template=r"job:details:(?P<row_id>[0-9]+)(?::(?P<number>[1-4]))?"):
    """Seed, all words, model, lineage."""

    prefix, label, emoji = "job:details", "Details", "🧾"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        details = await interaction.client.service.requests.details(job, self.number or 1)
        content, files = details_message(job, details)
        await interaction.response.send_message(content, files=files, ephemeral=True, allowed_mentions=NOBODY)


def details_message(job: Job, details: Details) -> tuple[str, list[discord.File]]:
    """The text, and what is too long for it as a file."""
    lines = [
        f"**Picture {job.id}, number {details.number}** by <@{job.user_id}>, {details.width}×{details.height}",
        f"Model {details.model.name}, SHA-256 `{details.model.sha256[:16]}`, {details.model.dtype}",
    ]
    if details.parent is not None:
        which = f"picture {job.parent_number} of " if job.parent_number else ""
        lines.append(f"Made from {which}{link_to(details.parent, ENGLISH)} by <@{details.parent.user_id}>")
    lines.append("Paste this into `/imagine` for the same picture again:")
    if job.request.init_image is not None:
        lines[-1] = "It was painted on from a picture; **Edit** keeps that. Its words and settings:"
    block = copyable(details.parameters)
    if sum(map(len, lines)) + len(block) <= MAX_CONTENT:
        return "\n".join([*lines, block]), []
    return "\n".join(lines), [discord.File(io.BytesIO(details.parameters.encode()), f"{job.id}-{details.number}.txt")]


async def vary(interaction: Interaction, job: Job, number: int, strength: float) -> None:
    """Paint on from one of the job's pictures."""
    wanted = interaction.client.service.requests.varied(job, number, strength)
    await submit(interaction, wanted, source=JobSource.VARY, parent_id=job.id, parent_number=number)


async def _offer(interaction: Interaction, question: str, *buttons: RowButton) -> None:
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
    SendButton,
    DetailsButton,
)
