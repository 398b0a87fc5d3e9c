"""What the delivery of pictures reads and writes: which jobs are to be shown, where, as which files."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from db import appeals, jobs, pictures, prompt_channels
from domain import Job, ModelProfile, Outcome, OutcomeCode, Picture, SafetyLevel, Upload
from domain.prompt_channels import PromptMessage
from domain.settings import ChannelLevel
from engine.images.upload import make_upload
from service.context import Context, Topic
from service.jobs import Jobs
from service.settings import ServerSettings


class Deliveries:
    """A job is to be shown while its row says so; nothing else remembers it."""

    def __init__(self, context: Context, jobs_: Jobs, settings: ServerSettings, profile: ModelProfile) -> None:
        self._context = context
        self._jobs = jobs_
        self._settings = settings
        self._profile = profile

    async def fetch_undelivered(self) -> list[Job]:
        """Ended jobs that are to be shown; a picture that waits for a moderator's yes is not."""
        held = await appeals.fetch_held(self._context.database)
        return [job for job in await jobs.fetch_undelivered(self._context.database) if job.id not in held]

    async def attach_message(self, job_id: int, message_id: int) -> None:
        """Remember which Discord message shows the job."""
        async with self._context.writing_news() as (connection, news):
            await jobs.attach_message(connection, job_id, message_id)
            news.add(Topic.JOBS, job_id)

    async def count_stored(self, job_id: int) -> int:
        """How many of the job's pictures there are to be shown."""
        return await pictures.count_stored(self._context.database, job_id)

    async def mark_delivered(self, job_id: int, message_id: int | None, stored: int | None = None) -> None:
        """The job's end was shown in this message, or (None) never will be.

        With `stored`, how many pictures were there before: if one was erased meanwhile, the job is to be shown again.
        """
        async with self._context.writing_news() as (connection, news):
            await jobs.mark_delivered(connection, job_id, message_id, self._context.now(), stored)
            news.add(Topic.JOBS, job_id)

    async def judge_place_again(self, job: Job, channel_id: int, *, age_restricted: bool) -> Job:
        """The job, withheld if it was painted for an adult channel and its channel is none any more."""
        if job.place.level is not SafetyLevel.ADULT:
            return job
        channel = await self._settings.fetch_channel(job.guild_id or 0, channel_id)
        if channel.level is ChannelLevel.ADULT and age_restricted:
            return job
        async with self._context.writing() as connection:
            await jobs.withhold(connection, job.id, Outcome(OutcomeCode.PLACE_STRICTER))
        return await self._jobs.fetch(job.id)

    async def make_uploads(self, job_id: int, pictures: Sequence[Picture], limit_bytes: int) -> list[Upload]:
        """Those of a job's pictures that were released, as files of at most `limit_bytes` each."""
        scale = self._profile.display_scale
        return [
            await asyncio.to_thread(make_upload, picture.png, f"{job_id}-{picture.seed}", scale, limit_bytes)
            for picture in pictures
            if picture.png is not None
        ]

    async def make_first_upload(self, job_id: int, limit_bytes: int) -> Upload | None:
        """The first released picture of a job as a file of at most `limit_bytes`, None if they were erased."""
        facts = await self._jobs.fetch_facts(job_id)
        number = next((number for number, one in enumerate(facts, 1) if one.is_stored), None)
        picture = None if number is None else await self._jobs.fetch_one_picture(job_id, number)
        uploads = [] if picture is None else await self.make_uploads(job_id, [picture], limit_bytes)
        return uploads[0] if uploads else None

    async def find_prompt(self, job_id: int) -> PromptMessage | None:
        """The message in a prompt channel that asked for the job."""
        return await prompt_channels.fetch_message_of_job(self._context.database, job_id)
