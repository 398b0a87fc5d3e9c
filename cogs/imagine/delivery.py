"""The delivery loop: shows the end of every job in its message, exactly once, whatever happened in between.

It works from rows alone (finished, not delivered) and with the bot's own token, so a crash or an expired interaction
changes nothing. What Discord refuses is judged by one table (cogs/core/answers.py): some of it passes, some of it means
that the member gets the picture elsewhere, some of it never will be taken; nothing is tried without an end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import discord

from cogs.core.answers import LOST, Meaning, meaning_of
from cogs.core.bot import Bot, Cog
from cogs.core.channels import find_channel, is_age_restricted, parent_of
from cogs.imagine.progress import Progress
from cogs.imagine.showing import Showing
from domain import Job, JobStatus, NotFound, SafetyLevel
from service import Topic

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 300.0
IDLE_SECONDS = 30.0
# After this a picture that Discord keeps refusing for passing reasons is not tried any more in its channel.
GIVE_UP_AFTER = timedelta(days=1)


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
        self._showing = Showing(bot)
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
        # Rows alone: a look for finished pictures at each painting step would find none.
        self.bot.service.topics.subscribe(Topic.JOBS, lambda _: self.wake())
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
        await self.bot.service.health.keep_going("delivery", self._turn)

    async def _turn(self) -> None:
        """Start what is to be shown, then wait for news or for the next retry."""
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
        task = asyncio.create_task(self._deliver_or_retry(job.id), name=f"deliver-{job.id}")
        self._running[job.id] = task
        task.add_done_callback(lambda _: self._done(job.id))

    def _done(self, job_id: int) -> None:
        self._running.pop(job_id, None)
        self.wake()

    def _patience(self) -> float:
        waits = [at - self._clock() for at in self._retry_at.values()]
        return max(min([IDLE_SECONDS, *waits]), 0.05)

    async def _deliver_or_retry(self, job_id: int) -> None:
        """One attempt; the border at which a failed delivery becomes a later one."""
        name = f"delivery of picture {job_id}"
        try:
            await self._progress.close(job_id)
            # The row may have changed (deleted, re-judged) since it was listed.
            await self._deliver(await self.bot.service.jobs.fetch(job_id))
        except NotFound:
            log.info("job %d was erased before it was shown", job_id)
        except Exception as error:  # noqa: BLE001 - the border
            failures = self._failures[job_id] = self._failures.get(job_id, 0) + 1
            delay = min(self._first_retry * 2 ** (failures - 1), LONGEST_RETRY_SECONDS)
            self._retry_at[job_id] = self._clock() + delay
            self.bot.service.health.note(name, error)
            return
        self._failures.pop(job_id, None)
        self._retry_at.pop(job_id, None)
        self.bot.service.health.solve(name)

    async def _deliver(self, job: Job) -> None:
        if job.delivered_at is not None:
            return
        stored = await self.bot.service.deliveries.count_stored(job.id)
        if job.status is JobStatus.DONE and stored == 0:
            await self._take_down(job)
            return
        channel = await find_channel(self.bot, job) if job.status is JobStatus.DONE else None
        job = await self._judge_place_again(job, channel)
        if await self._holds(job, channel):
            await self._showing.show_held(job)
            return
        try:
            message_id = await self._showing.show(job, search=self._may_have_message(job))
        except discord.HTTPException as error:
            message_id = await self._after_refusal(job, error)
        await self.bot.service.deliveries.mark_delivered(job.id, message_id, stored)

    async def _take_down(self, job: Job) -> None:
        """Take away whatever shows a job all of whose pictures were erased."""
        for channel_id, message_id in await self.bot.service.jobs.fetch_messages(job):
            await self.bot.delete_quietly(channel_id, message_id)
        await self.bot.service.deliveries.mark_delivered(job.id, None)

    def _may_have_message(self, job: Job) -> bool:
        """Whether a message may show the job of which its row does not know."""
        is_older = job.created_at < self._started_at
        return is_older or job.id in self._failures or self._progress.is_answer_unknown(job.id)

    # ---- what is true now ------------------------------------------------------------------------------------------

    async def _judge_place_again(self, job: Job, channel: object) -> Job:
        """A picture painted for an adult channel is not shown once Discord or the moderators say otherwise."""
        if job.status is not JobStatus.DONE or channel is None:
            return job
        channel_id = parent_of(channel) or job.channel_id
        return await self.bot.service.deliveries.judge_place_again(
            job, channel_id, age_restricted=is_age_restricted(channel)
        )

    async def _holds(self, job: Job, channel: object) -> bool:
        """Whether a finished picture waits for a moderator's yes."""
        if job.status is not JobStatus.DONE or job.guild_id is None:
            return False
        parent_id = parent_of(channel) or job.channel_id
        return await self.bot.service.cases.hold(job, (job.channel_id, parent_id))

    # ---- what Discord refuses --------------------------------------------------------------------------------------

    async def _after_refusal(self, job: Job, error: discord.HTTPException) -> int | None:
        """What the member gets instead; the id of the message that shows it. Raises what passes."""
        meaning = meaning_of(error)
        if meaning is Meaning.MESSAGE_GONE:
            log.info("job %d: its message was deleted, so nothing is posted", job.id)
            return None
        if meaning is Meaning.PASSING:
            if not self._is_given_up(job):
                raise error
            return await self._send_privately(job)
        log.info("job %d: Discord refused it (%s, code %d): %s", job.id, meaning.value, error.code, error.text)
        if meaning is Meaning.ELSEWHERE:
            return await self._send_privately(job)
        try:
            if meaning is Meaning.REPLACE:
                return await self._replace(job, self.bot.get_partial_messageable(job.channel_id))
            return await self._showing.show_without_file(job, error)
        except discord.HTTPException as second:
            if meaning_of(second) is Meaning.PASSING and not self._is_given_up(job):
                raise
            return await self._send_privately(job)

    def _is_given_up(self, job: Job) -> bool:
        finished_at = job.finished_at or job.created_at
        return self.bot.service.now() - finished_at > GIVE_UP_AFTER

    async def _replace(self, job: Job, channel: discord.abc.Messageable) -> int:
        """Post the end in a new message, and take the old one away: it would go on saying that the job waits."""
        message_id = await self._showing.post(job, channel)
        if job.message_id is not None:
            try:
                await self.bot.delete_quietly(job.channel_id, job.message_id)
            except LOST as error:  # the picture is there: a second attempt at all of it would post it twice
                log.warning("job %d: its first message may be left over: %s", job.id, error)
        return message_id

    async def _send_privately(self, job: Job) -> int | None:
        """The channel is gone or closed to us: the member gets the picture by direct message, if it may go there."""
        if job.status is not JobStatus.DONE or job.place.level is SafetyLevel.ADULT:
            log.info("job %d: its channel is closed to the bot; nothing is posted", job.id)
            return None
        try:
            user = self.bot.get_user(job.user_id) or await self.bot.fetch_user(job.user_id)
            return await self._replace(job, await user.create_dm())
        except discord.HTTPException as error:
            if meaning_of(error) is Meaning.PASSING and not self._is_given_up(job):
                raise
            log.info("job %d: neither its channel nor its member can be reached: %s", job.id, error)
            return None
