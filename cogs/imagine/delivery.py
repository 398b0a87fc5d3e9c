"""The delivery loop: shows the end of every job in its message, exactly once, whatever happened in between.

It works from rows alone (finished, not delivered) and with the bot's own token, so a crash or an expired interaction
changes nothing. Editing the job's message is idempotent. A job without a known message is posted with a nonce, after
looking through the channel's latest messages for one that carries the job's buttons already.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import discord

from cogs.core.bot import Bot, Cog
from cogs.core.channels import is_age_restricted, parent_of
from cogs.core.i18n import translation_for
from cogs.core.text import NOBODY
from cogs.imagine.buttons import ended_buttons, finished_buttons
from cogs.imagine.cards import ended_card, finished_card, held_card
from cogs.imagine.progress import Progress
from domain import Job, JobStatus, SafetyLevel, Upload

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 300.0
IDLE_SECONDS = 30.0
# How far back a message that lost its row is looked for.
SEARCHED_MESSAGES = 100
SHRINK_ON_413 = 0.4
MAX_UPLOADS = 5

UNKNOWN_MESSAGE = 10008

Send = Callable[[discord.Embed, list[discord.File], discord.ui.View], Awaitable[int]]


class Delivery(Cog):
    """Posts what is finished and not delivered, one task a job, until each is done."""

    def __init__(
        self,
        bot: Bot,
        progress: Progress,
        clock: Callable[[], float] = time.monotonic,
        first_retry_seconds: float = FIRST_RETRY_SECONDS,
    ) -> None:
        super().__init__(bot)
        self._progress = progress
        self._clock = clock
        self._first_retry = first_retry_seconds
        self._wake = asyncio.Event()
        self._started_at = datetime.max.replace(tzinfo=UTC)
        self._running: dict[int, asyncio.Task[None]] = {}
        self._failures: dict[int, int] = {}
        self._retry_at: dict[int, float] = {}
        self._loop_task: asyncio.Task[None] | None = None

    async def cog_load(self) -> None:
        self._started_at = self.bot.service.now()
        self._progress.when_shown(self.wake)
        self.bot.service.subscribe(lambda _: self.wake())
        self._loop_task = asyncio.create_task(self._run(), name="delivery")

    async def cog_unload(self) -> None:
        tasks = [task for task in (self._loop_task, *self._running.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self) -> None:
        """Look for finished jobs now."""
        self._wake.set()

    async def _run(self) -> None:
        await self.bot.wait_until_ready()
        while True:
            self._wake.clear()
            for job in await self.bot.service.deliveries.fetch_undelivered():
                self._start(job)
            # Not wait_for: on Python 3.11 it can swallow a cancellation that comes together with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience()):
                    await self._wake.wait()

    def _start(self, job: Job) -> None:
        is_too_early = self._retry_at.get(job.id, 0.0) > self._clock()
        if job.id in self._running or is_too_early or self._progress.is_being_shown(job.id):
            return
        task = asyncio.create_task(self._deliver_or_retry(job), name=f"deliver-{job.id}")
        self._running[job.id] = task
        task.add_done_callback(lambda _: self._done(job.id))

    def _done(self, job_id: int) -> None:
        self._running.pop(job_id, None)
        self.wake()

    def _patience(self) -> float:
        waits = [at - self._clock() for at in self._retry_at.values()]
        return max(min([IDLE_SECONDS, *waits]), 0.05)

    async def _deliver_or_retry(self, job: Job) -> None:
        """One attempt; the border at which a failed delivery becomes a later one."""
        try:
            await self._progress.close(job.id)
            # The row may have changed (deleted, re-judged) since it was listed.
            await self._deliver(await self.bot.service.jobs.fetch(job.id))
        except Exception:
            failures = self._failures[job.id] = self._failures.get(job.id, 0) + 1
            delay = min(self._first_retry * 2 ** (failures - 1), LONGEST_RETRY_SECONDS)
            self._retry_at[job.id] = self._clock() + delay
            log.warning("delivery of job %d failed, next try in %.0f s", job.id, delay, exc_info=True)
        else:
            self._failures.pop(job.id, None)
            self._retry_at.pop(job.id, None)

    async def _deliver(self, job: Job) -> None:
        if job.delivered_at is not None:
            return
        job = await self._judge_place_again(job)
        if await self._holds(job):
            await self._show_held(job)
            return
        try:
            message_id = await self._show(job)
        except discord.NotFound as error:
            if error.code == UNKNOWN_MESSAGE:
                log.info("job %d: its message was deleted, so nothing is posted", job.id)
                message_id = None
            else:
                message_id = await self._send_privately(job)
        except discord.Forbidden:
            message_id = await self._send_privately(job)
        await self.bot.service.deliveries.mark_delivered(job.id, message_id)

    async def _judge_place_again(self, job: Job) -> Job:
        """A picture painted for an adult channel is not shown once Discord or the moderators say otherwise."""
        channel = self.bot.get_channel(job.channel_id)
        if job.status is not JobStatus.DONE or channel is None:
            return job
        channel_id = parent_of(channel) or job.channel_id
        return await self.bot.service.deliveries.judge_place_again(
            job, channel_id, age_restricted=is_age_restricted(channel)
        )

    async def _holds(self, job: Job) -> bool:
        """Whether a finished picture waits for a moderator's yes."""
        if job.status is not JobStatus.DONE or job.guild_id is None:
            return False
        parent_id = parent_of(self.bot.get_channel(job.channel_id)) or job.channel_id
        return await self.bot.service.cases.hold(job, (job.channel_id, parent_id))

    # ---- showing ---------------------------------------------------------------------------------------------------

    async def _show(self, job: Job) -> int:
        message_id = job.message_id or await self._find_message(job)
        channel = self.bot.get_partial_messageable(job.channel_id)
        if message_id is None:
            return await self._post(job, channel)
        message = channel.get_partial_message(message_id)

        async def edit(embed: discord.Embed, files: list[discord.File], view: discord.ui.View) -> int:
            await self.bot.rate_limit.take(job.channel_id)
            await message.edit(embed=embed, attachments=files, view=view, allowed_mentions=NOBODY)
            return message_id

        return await self._with_pictures(job, edit)

    async def _show_held(self, job: Job) -> None:
        """Say that a moderator looks first. If this fails the picture still waits, only without these words."""
        if job.message_id is None:
            return
        message = self.bot.get_partial_messageable(job.channel_id).get_partial_message(job.message_id)
        words = await translation_for(self.bot, job.guild_id)
        try:
            await message.edit(
                embed=held_card(job, words),
                attachments=[],
                view=words.labels(ended_buttons(job)),
                allowed_mentions=NOBODY,
            )
        except (discord.Forbidden, discord.NotFound):
            log.info("job %d: its message can't be edited", job.id)

    async def _post(self, job: Job, channel: discord.abc.Messageable) -> int:
        answers = await self._answered_message(job)
        reference: dict[str, Any] = {"reference": answers} if answers else {}

        async def send(embed: discord.Embed, files: list[discord.File], view: discord.ui.View) -> int:
            await self.bot.rate_limit.take(job.channel_id)
            message = await channel.send(
                f"<@{job.user_id}>",
                embed=embed,
                files=files,
                view=view,
                nonce=f"job-{job.id}",
                **reference,
                allowed_mentions=discord.AllowedMentions(users=[discord.Object(job.user_id)]),
            )
            return message.id

        return await self._with_pictures(job, send)

    async def _with_pictures(self, job: Job, send: Send) -> int:
        """Show the end of the job; pictures that Discord finds too large are made smaller and sent again.

        `send` waits for the channel's pace itself: pictures take a while to be made ready, and a turn that was taken
        before that would be used together with somebody's later one.
        """
        pictures = await self.bot.service.jobs.fetch_pictures(job.id) if job.status is JobStatus.DONE else []
        words = await translation_for(self.bot, job.guild_id)
        if not any(picture.png for picture in pictures):
            return await send(ended_card(job, words), [], words.labels(ended_buttons(job)))
        service = self.bot.service
        card = finished_card(job, pictures, service.queue.profile, service.queue.read(job.request.prompt), words)
        limit = job.filesize_limit or discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES
        for _ in range(MAX_UPLOADS):
            uploads = await service.deliveries.make_uploads(job.id, limit)
            try:
                some_withheld = any(picture.png is None for picture in pictures)
                view = words.labels(finished_buttons(job, some_withheld=some_withheld))
                return await send(card, _files(job, uploads), view)
            except discord.HTTPException as error:
                if error.status != 413:
                    raise
                # Discord's limits change; what it just refused is what we know.
                limit = int(max(len(upload.data) for upload in uploads) * SHRINK_ON_413)
                log.info("job %d: Discord found the pictures too large, next try with %d bytes", job.id, limit)
        return await send(ended_card(job, words), [], words.labels(ended_buttons(job)))

    async def _answered_message(self, job: Job) -> discord.MessageReference | None:
        """The message in a prompt channel that this job answers; in a thread of its own there is none."""
        prompt = await self.bot.service.deliveries.find_prompt(job.id)
        if prompt is None or prompt.message_id == job.channel_id:
            return None
        return discord.MessageReference(
            message_id=prompt.message_id, channel_id=job.channel_id, fail_if_not_exists=False
        )

    async def _find_message(self, job: Job) -> int | None:
        """The message that already carries this job's buttons, if its id was lost in a crash or an error."""
        if job.created_at >= self._started_at and job.id not in self._failures:
            return None
        channel = self.bot.get_channel(job.channel_id)
        if not isinstance(channel, discord.abc.Messageable):
            return None
        after = discord.Object(discord.utils.time_snowflake(job.created_at))
        async for message in channel.history(limit=SEARCHED_MESSAGES, after=after):
            if self.bot.user is not None and message.author.id == self.bot.user.id and _carries(message, job.id):
                return message.id
        return None

    async def _send_privately(self, job: Job) -> int | None:
        """The channel is gone or closed to us: the member gets the picture by direct message, if it may go there."""
        if job.status is not JobStatus.DONE or job.place.level is SafetyLevel.ADULT:
            log.info("job %d: its channel is closed to the bot; nothing is posted", job.id)
            return None
        try:
            user = self.bot.get_user(job.user_id) or await self.bot.fetch_user(job.user_id)
            return await self._post(job, await user.create_dm())
        except (discord.Forbidden, discord.NotFound):
            log.info("job %d: neither its channel nor its member can be reached", job.id)
            return None


def _files(job: Job, uploads: Sequence[Upload]) -> list[discord.File]:
    alt = f"AI-generated picture for the prompt: {job.request.prompt}"[:1000]
    return [discord.File(io.BytesIO(upload.data), upload.filename, description=alt) for upload in uploads]


def _carries(message: discord.Message, job_id: int) -> bool:
    """Whether one of the message's buttons belongs to the job (custom_id `job:<verb>:<id>`)."""
    return any(
        isinstance(button, discord.Button)
        and (button.custom_id or "").startswith("job:")
        and (button.custom_id or "").endswith(f":{job_id}")
        for row in message.components
        if isinstance(row, discord.ActionRow)
        for button in row.children
    )
