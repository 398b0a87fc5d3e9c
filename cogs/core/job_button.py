"""A button under a job's message: it acts on the job that this very message shows, and on no other."""

from __future__ import annotations

from abc import abstractmethod

from cogs.core.bot import Interaction
from cogs.core.errors import RowButton
from domain import Job


class JobButton(RowButton, template=r"job:(?P<row_id>[0-9]+)"):
    """The row is the job. Subclasses say in `act_on` what a click does."""

    async def act(self, interaction: Interaction) -> None:
        message_id = interaction.message.id if interaction.message is not None else None
        jobs = interaction.client.service.jobs
        await self.act_on(interaction, await jobs.fetch_at(self.row_id, interaction.guild_id, message_id))

    @abstractmethod
    async def act_on(self, interaction: Interaction, job: Job) -> None:
        """What a click does; raises a UserError with the sentence to show."""
