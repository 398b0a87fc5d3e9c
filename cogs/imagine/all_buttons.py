"""What members do with all pictures of a job at once: enlarge them, keep them, have them sent, read about them.

As with one picture, what costs is asked for twice: the first press says privately what all of it costs.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from cogs.core.bot import Interaction
from cogs.core.errors import RowButton
from cogs.core.job_button import JobButton
from cogs.core.text import NOBODY, plural
from cogs.imagine.cards import shown_numbers
from cogs.imagine.picture_buttons import FACTORS, details_message, keep, offer, send
from cogs.imagine.submit import submit
from domain import Job, JobSource, NotFound
from domain.quotas import credits_in_words


class UpscaleAllButton(JobButton, template=r"job:upscale-all:(?P<row_id>[0-9]+)"):
    """Each of them larger, as one job."""

    prefix, label, emoji = "job:upscale-all", "Upscale all", "🔍"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        requests = interaction.client.service.requests
        request = await requests.upscaled_all(job, min(FACTORS) / 100)
        prices = {percent: requests.price(replace(request, upscale=percent / 100)) for percent in FACTORS}
        buttons = [
            UpscaleAllByButton(job.id, percent, f"{name} ({credits_in_words(prices[percent])} for all)")
            for percent, name in FACTORS.items()
        ]
        which = plural(request.images, "picture")
        await offer(interaction, f"{which}, each {requests.upscaling}:", *buttons)


class UpscaleAllByButton(JobButton, template=r"job:upscale-all-by:(?P<row_id>[0-9]+):(?P<percent>[0-9]{1,3})"):
    """Upscale all by so many hundredths."""

    prefix, emoji = "job:upscale-all-by", "🔍"

    def __init__(self, row_id: int, percent: int, label: str | None = None) -> None:
        super().__init__(row_id, percent)
        self.percent = percent
        self.item.label = label or f"{percent} %"

    @classmethod
    def read_more(cls, match: re.Match[str]) -> tuple[Any, ...]:
        return (int(match["percent"]),)

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        wanted = interaction.client.service.requests.upscaled_all(job, self.percent / 100)
        await submit(interaction, wanted, source=JobSource.UPSCALE, parent_id=job.id)


class KeepAllButton(JobButton, template=r"job:keep-all:(?P<row_id>[0-9]+)"):
    """Keep all of them, or none any more where all are kept."""

    prefix, label, emoji = "job:keep-all", "Keep all", "⭐"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        await keep(interaction, job, await _numbers(interaction, job))


class SendAllButton(JobButton, template=r"job:send-all:(?P<row_id>[0-9]+)"):
    """Their own files in one direct message."""

    prefix, label, emoji = "job:send-all", "Send me all", "✉️"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        await send(interaction, job, await _numbers(interaction, job))


class DetailsAllButton(JobButton, template=r"job:details-all:(?P<row_id>[0-9]+)"):
    """The seed of each picture, and what is the same for all."""

    prefix, label, emoji = "job:details-all", "Details of all", "🧾"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        requests = interaction.client.service.requests
        details = [await requests.details(job, number) for number in await _numbers(interaction, job)]
        content, files = details_message(job, details)
        await interaction.response.send_message(content, files=files, ephemeral=True, allowed_mentions=NOBODY)


async def _numbers(interaction: Interaction, job: Job) -> list[int]:
    """The pictures that are there, counted from 1. Raises NotFound if none is."""
    numbers = shown_numbers(await interaction.client.service.jobs.fetch_facts(job.id))
    if not numbers:
        raise NotFound("These pictures are not stored any more.")
    return numbers


BUTTONS: tuple[type[RowButton], ...] = (
    UpscaleAllButton,
    UpscaleAllByButton,
    KeepAllButton,
    SendAllButton,
    DetailsAllButton,
)
