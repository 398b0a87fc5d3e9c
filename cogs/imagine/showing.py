"""A job's end as a message: edited into the job's own message, or posted where that is lost or can't be edited.

Editing is idempotent. A job without a known message is posted with a nonce, after looking for one that carries its
buttons already.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import discord

from cogs.core.answers import Meaning, meaning_of, why_without_file
from cogs.core.bot import Bot
from cogs.core.files import picture_file
from cogs.core.i18n import translation_for
from cogs.core.layout import Layout, as_edit, layout, walk
from cogs.core.text import NOBODY
from cogs.imagine.cards import ended_card, held_card, unshown_card
from cogs.imagine.finished import ended_rows, finished_layout, stored_rows
from domain import Job, JobStatus, NotFound, Upload

log = logging.getLogger(__name__)

# How many messages after the request are looked through for one that lost its row.
SEARCHED_MESSAGES = 200
# How far this machine's clock may be ahead of Discord's; for what has no id of Discord's to begin at.
CLOCK_TOLERANCE = timedelta(minutes=10)
SHRINK_ON_413 = 0.4
MAX_UPLOADS = 5

Send = Callable[[Layout, list[discord.File]], Awaitable[int]]


class Showing:
    """Every method returns the id of the message, or raises what Discord answered."""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot

    async def show(self, job: Job, *, search: bool) -> int:
        """Edit the job's message; without one, post it. `search`: one may be there of which we do not know."""
        message_id = job.message_id or (await self._find_message(job) if search else None)
        if message_id is None:
            return await self.post(job, self.bot.get_partial_messageable(job.channel_id))
        return await self._with_pictures(job, self._editor(job, message_id))

    async def post(self, job: Job, channel: discord.abc.Messageable) -> int:
        """A new message. It mentions nobody: members who waited long get a separate notice."""
        return await self._with_pictures(job, await self._poster(job, channel))

    async def show_without_file(self, job: Job, error: discord.HTTPException) -> int:
        """Say why the picture is not there, in the job's message or a new one."""
        words = await translation_for(self.bot, job.guild_id)
        card = unshown_card(job, why_without_file(error, job.status), words)
        channel = self.bot.get_partial_messageable(job.channel_id)
        send = self._editor(job, job.message_id) if job.message_id else await self._poster(job, channel)
        return await send(layout(card, *stored_rows(job), words=words), [])

    async def show_held(self, job: Job) -> None:
        """Say that a moderator looks first. If this fails the picture still waits, only without these words."""
        if job.message_id is None:
            return
        words = await translation_for(self.bot, job.guild_id)
        try:
            held = layout(held_card(job, words), *ended_rows(job), words=words)
            await self._editor(job, job.message_id)(held, [])
        except discord.HTTPException as error:
            if meaning_of(error) is Meaning.PASSING:
                raise
            log.info("job %d: its message can't be edited: %s", job.id, error)

    # ---- ways of sending -------------------------------------------------------------------------------------------

    def _editor(self, job: Job, message_id: int) -> Send:
        message = self.bot.get_partial_messageable(job.channel_id).get_partial_message(message_id)

        async def edit(view: Layout, files: list[discord.File]) -> int:
            await self.bot.rate_limit.take(job.channel_id)
            await message.edit(**as_edit(view, files))
            return message_id

        return edit

    async def _poster(self, job: Job, channel: discord.abc.Messageable) -> Send:
        answers = await self._answered_message(job)
        reference: dict[str, Any] = {"reference": answers} if answers else {}

        async def send(view: Layout, files: list[discord.File]) -> int:
            await self.bot.rate_limit.take(job.channel_id)
            message = await channel.send(
                files=files,
                view=view,
                nonce=f"job-{job.id}",
                **reference,
                allowed_mentions=NOBODY,
            )
            return message.id

        return send

    async def _with_pictures(self, job: Job, send: Send) -> int:
        """Show the end of the job; pictures that Discord finds too large are made smaller and sent again.

        Raises NotFound if they are erased meanwhile. `send` waits for the channel's rate limit itself: pictures take a
        while to be made ready, and a turn that was taken before that would be used together with somebody's later one.
        """
        if job.status is not JobStatus.DONE:
            words = await translation_for(self.bot, job.guild_id)
            return await send(layout(ended_card(job, words), *ended_rows(job), words=words), [])
        pictures = await self.bot.service.jobs.fetch_pictures(job.id)
        if not any(picture.png for picture in pictures):
            raise NotFound("These pictures were erased while they were to be shown.")
        facts = [picture.facts for picture in pictures]
        limit = job.filesize_limit or discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES
        for attempt in range(MAX_UPLOADS):
            uploads = await self.bot.service.deliveries.make_uploads(job.id, pictures, limit)
            names = [upload.filename for upload in uploads]
            view = await finished_layout(self.bot, job, facts, names)
            try:
                return await send(view, _files(job, uploads))
            except discord.HTTPException as error:
                if meaning_of(error) is not Meaning.TOO_LARGE or attempt == MAX_UPLOADS - 1:
                    raise
                # Discord's limits change; what it just refused is what we know.
                limit = int(max(len(upload.data) for upload in uploads) * SHRINK_ON_413)
                log.info("job %d: Discord found the pictures too large, next try with %d bytes", job.id, limit)
        raise AssertionError("the last attempt returns or raises")

    async def _answered_message(self, job: Job) -> discord.MessageReference | None:
        """The message in a prompt channel that this job answers; in a thread of its own there is none."""
        prompt = await self.bot.service.deliveries.find_prompt(job.id)
        if prompt is None or prompt.message_id == job.channel_id:
            return None
        return discord.MessageReference(
            message_id=prompt.message_id, channel_id=job.channel_id, fail_if_not_exists=False
        )

    async def _find_message(self, job: Job) -> int | None:
        """The message that carries this job's buttons, if its id was lost in a crash or an error.

        It comes after the interaction or message that asked for it, whose id is Discord's own clock.
        """
        after_id = job.request_id or id_before(job.created_at)
        return await find_own_message(self.bot, job.channel_id, after_id, lambda message: _carries(message, job.id))


def id_before(moment: datetime) -> int:
    """An id that Discord gave before this moment, even if this machine's clock is ahead by `CLOCK_TOLERANCE`."""
    return discord.utils.time_snowflake(moment - CLOCK_TOLERANCE)


async def find_own_message(
    bot: Bot, channel_id: int, after_id: int, is_wanted: Callable[[discord.Message], bool]
) -> int | None:
    """The first of our messages after that id which is wanted, among some that follow it."""
    channel, after = bot.get_partial_messageable(channel_id), discord.Object(after_id)
    async for message in channel.history(limit=SEARCHED_MESSAGES, after=after, oldest_first=True):
        if bot.user is not None and message.author.id == bot.user.id and is_wanted(message):
            return message.id
    return None


def _files(job: Job, uploads: Sequence[Upload]) -> list[discord.File]:
    return [picture_file(job, upload) for upload in uploads]


def _carries(message: discord.Message, job_id: int) -> bool:
    """Whether one of the message's buttons belongs to the job (custom_id `job:<verb>:<id>`, perhaps with more)."""
    return any(
        (custom_id := getattr(component, "custom_id", None) or "").startswith("job:")
        and custom_id.split(":")[2:3] == [str(job_id)]
        for component in walk(message.components)
    )
