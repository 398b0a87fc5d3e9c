"""Buttons under a job's message: they act on the job that this very message shows, and on no other."""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import Any

from cogs.core.bot import Interaction
from cogs.core.errors import RowButton
from cogs.core.i18n import Translation
from domain import Job


class JobButton(RowButton, template=r"job:(?P<row_id>[0-9]+)"):
    """The row is the job. Subclasses say in `act_on` what a click does."""

    async def act(self, interaction: Interaction) -> None:
        await self.act_on(interaction, await fetch_job(interaction, self.row_id))

    @abstractmethod
    async def act_on(self, interaction: Interaction, job: Job) -> None:
        """What a click does; raises a UserError with the sentence to show."""


class PictureButton(JobButton, template=r"picture:(?P<row_id>[0-9]+)(?::(?P<number>[1-4]))?"):
    """One of a job's pictures: `number`, counted from 1, stands in the custom_id and on the button.

    None where a job has one picture, and under messages of before pictures were told apart.
    """

    def __init__(self, row_id: int, number: int | None = None, *more: object) -> None:
        super().__init__(row_id, *(() if number is None else (number, *more)))
        self.number = number

    @classmethod
    def read_more(cls, match: re.Match[str]) -> tuple[Any, ...]:
        return (int(match["number"]) if match["number"] else None,)

    def say(self, words: Translation) -> None:
        super().say(words)
        if self.number is not None and self.item.label:
            self.item.label = f"{self.item.label} {self.number}"


async def fetch_job(interaction: Interaction, job_id: int) -> Job:
    """The job that a button means. Raises NotFound if its message never showed it.

    A private answer stands where the job's own message does.
    """
    jobs, message = interaction.client.service.jobs, interaction.message
    if message is not None and message.flags.ephemeral:
        return await jobs.fetch_in(job_id, interaction.guild_id, interaction.channel_id)
    return await jobs.fetch_at(job_id, interaction.guild_id, message.id if message is not None else None)
