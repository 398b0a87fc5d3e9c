"""The one button under a job that is not finished."""

from __future__ import annotations

from cogs.core.bot import Interaction
from cogs.core.checks import may_tidy_up
from cogs.core.errors import View, row_of
from cogs.core.job_button import JobButton
from domain import Job


class CancelButton(JobButton, template=r"job:cancel:(?P<row_id>[0-9]+)"):
    """Take an open job back."""

    prefix, label, emoji = "job:cancel", "Cancel", "✖️"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        await interaction.client.service.jobs.cancel(
            job.id, interaction.user.id, is_moderator=await may_tidy_up(interaction)
        )
        await interaction.response.defer()


def open_buttons(job: Job) -> View:
    return row_of(CancelButton(job.id))
