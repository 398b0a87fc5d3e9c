"""Edit region: which part of a picture is painted again is chosen by name, and seen before it costs anything.

Everything is asked for privately. Each message keeps in its custom_ids what was chosen so far (job, picture, region).
"""

from __future__ import annotations

import io
import re
from typing import Any, Self

import discord
from discord import ui

from cogs.core.bot import Interaction
from cogs.core.errors import MAX_ROW_ID, View, or_reply, row_of
from cogs.core.job_button import PictureButton, fetch_job
from cogs.core.text import NOBODY, plural
from cogs.imagine.form import StartButton, open_form
from domain import InvalidRequest, Job
from domain.quotas import credits_in_words
from domain.regions import Region

PREVIEW = "region.webp"


class RegionButton(PictureButton, template=r"job:region:(?P<row_id>[0-9]+)(?::(?P<number>[1-4]))?"):
    """Paint again what is in one part of the picture."""

    prefix, label, emoji = "job:region", "Edit region", "🖌️"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        content, view = _question(job, self.number or 1)
        await interaction.response.send_message(content, view=view, ephemeral=True)


class RegionSelect(ui.DynamicItem[ui.Select[Any]], template=r"job:regions:(?P<row_id>[0-9]+):(?P<number>[1-4])"):
    """The regions, by name."""

    def __init__(self, job_id: int, number: int) -> None:
        self.job_id, self.number = job_id, number
        options = [discord.SelectOption(label=region.label, value=region) for region in Region]
        options[-1].description = "Everything but the centre"
        super().__init__(
            ui.Select(custom_id=f"job:regions:{job_id}:{number}", placeholder="Choose a region", options=options)
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(min(int(match["row_id"]), MAX_ROW_ID), int(match["number"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        await or_reply(interaction, self._choose(interaction))

    async def _choose(self, interaction: Interaction) -> None:
        job, region = await fetch_job(interaction, self.job_id), _region(next(iter(self.item.values), ""))
        await show_preview(interaction, job, self.number, region)


class OwnMaskButton(StartButton, template=r"job:own-mask:(?P<row_id>[0-9]+)(?::(?P<number>[1-4]))?"):
    """The form of "Use as start", with the mask on its first page."""

    prefix, label, emoji = "job:own-mask", "My own mask file", "🎭"
    asks_for_mask = True


class RegionFormButton(
    PictureButton, template=r"job:region-form:(?P<row_id>[0-9]+):(?P<number>[1-4]):(?P<region>[a-z-]{1,20})"
):
    """The form, filled in with the picture and the region's mask."""

    prefix, label, style = "job:region-form", "Change the words and paint", discord.ButtonStyle.primary

    def __init__(self, row_id: int, number: int, region: str) -> None:
        super().__init__(row_id, number, region)
        self.region = region

    @classmethod
    def read_more(cls, match: re.Match[str]) -> tuple[Any, ...]:
        return (*super().read_more(match), match["region"])

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        number, region = self.number or 1, _region(self.region)
        request = await interaction.client.service.requests.in_region(job, number, region)
        mask = f"the region {region.label.lower()}"
        await open_form(interaction, job, request, number, mask=mask, asks_for_mask=True)


class OtherRegionButton(PictureButton, template=r"job:region-other:(?P<row_id>[0-9]+):(?P<number>[1-4])"):
    """Back to the question."""

    prefix, label = "job:region-other", "Other region"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        content, view = _question(job, self.number or 1)
        await interaction.response.edit_message(content=content, view=view, attachments=[], allowed_mentions=NOBODY)


async def show_preview(interaction: Interaction, job: Job, number: int, region: Region) -> None:
    """The question becomes the picture with the region tinted, and what painting there costs."""
    requests = interaction.client.service.requests
    request = await requests.in_region(job, number, region)
    preview = await requests.preview_region(request, region)
    alt = f"Picture {number} with the region {region.label.lower()} tinted, AI-generated"
    file = discord.File(io.BytesIO(preview), PREVIEW, description=alt)
    await interaction.response.edit_message(
        content=(
            f"**{region.label}** of picture {number}: what is tinted is painted again, the rest stays. "
            f"{plural(request.images, 'picture')} as it is: {credits_in_words(requests.price(request))}. "
            "Nothing is charged yet."
        ),
        attachments=[file],
        view=row_of(RegionFormButton(job.id, number, region), OtherRegionButton(job.id, number)),
        allowed_mentions=NOBODY,
    )


def _question(job: Job, number: int) -> tuple[str, View]:
    view = View()
    view.add_item(RegionSelect(job.id, number))
    view.add_item(OwnMaskButton(job.id, number))
    return f"Which part of picture {number} is painted again? I show it to you before it costs anything.", view


def _region(name: str) -> Region:
    """Raises InvalidRequest for a name that a forged message made up."""
    try:
        return Region(name)
    except ValueError:
        raise InvalidRequest("There is no such region.") from None


BUTTONS: tuple[type[ui.DynamicItem[Any]], ...] = (
    RegionButton,
    RegionSelect,
    OwnMaskButton,
    RegionFormButton,
    OtherRegionButton,
)
