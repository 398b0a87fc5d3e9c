"""The live messages: a waiting job's place, a running job's percent and preview, newest only, never too often.

Each open job has one `Live` entry. A tick compares what its message shows with what it should show and starts at most
one edit per job; what became stale meanwhile is simply never sent. The end of a job is not shown here but by
delivery.py, which first takes the entry away (`close`), so that no late edit can overwrite a finished picture.
"""

from __future__ import annotations

import asyncio
import heapq
import io
import logging
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import discord

from cogs.core.answers import LOST
from cogs.core.bot import Bot, Cog, Interaction
from cogs.core.channels import find_channel, parent_of
from cogs.core.checks import may_tidy_up
from cogs.core.errors import RowButton
from cogs.core.i18n import Translation, translation_for
from cogs.core.job_button import JobButton
from cogs.core.layout import Card, Layout, as_edit, layout
from cogs.core.text import NOBODY
from cogs.imagine.cards import PREVIEW, painting_card, waiting_card
from domain import Job

log = logging.getLogger(__name__)

# Somebody far back in the queue needs no news with every picture; this much longer per place.
SECONDS_PER_PLACE = 0.5
MAX_EDITS_AT_ONCE = 8
# Of those who wait, so many are looked at in one tick, and each at least so often.
MAX_LOOKS, LONGEST_LOOK_SECONDS = 64, 120.0
FOLLOWED_AT_ONCE = 50
# A changed estimate is worth an edit only if it moved by this share (and Discord counts down by itself).
DUE_TOLERANCE_SECONDS = 15
REMEMBERED_DELETIONS = 200


@dataclass(slots=True)
class Live:
    """One open job's message. `interaction` edits it on the member's own rate limit while its token lives."""

    job: Job
    interaction: Interaction | None = None
    shown: tuple[object, ...] | None = None
    edited_at: float = float("-inf")
    look_at: float = 0.0  # when it is looked at next
    editing: asyncio.Task[None] | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_closed: bool = False
    needs_approval: bool | None = None  # None: not looked up yet


class CancelButton(JobButton, template=r"job:cancel:(?P<row_id>[0-9]+)"):
    """Take an open job back."""

    prefix, label, emoji = "job:cancel", "Cancel", "✖️"

    async def act_on(self, interaction: Interaction, job: Job) -> None:
        await interaction.client.service.jobs.cancel(
            job.id, interaction.user.id, is_moderator=await may_tidy_up(interaction)
        )
        await interaction.response.defer()


def open_layout(job: Job, card: Card, words: Translation) -> Layout:
    """The message of a job that is not finished."""
    return layout(card, [CancelButton(job.id)], words=words)


class Progress(Cog):
    """Keeps every open job's message up to date."""

    def __init__(
        self,
        bot: Bot,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(bot)
        self._interval = bot.edit_interval_seconds
        self._clock = clock
        self._when_shown: Callable[[], None] = lambda: None
        self._lives: dict[int, Live] = {}
        # A heap of (moment, job): asking for ten thousand places at each tick would hold everybody up.
        self._looks: list[tuple[float, int]] = []
        self._editing: set[asyncio.Task[None]] = set()
        # Open jobs of an earlier process whose messages are not followed yet.
        self._earlier_ids: list[int] = []
        # Jobs that ended lately: a row that was read before that must not be followed.
        self._closed: set[int] = set()
        self._showing: set[int] = set()
        self._unknown: set[int] = set()
        # A message may be deleted before we have heard which one it is.
        self._deleted: deque[int] = deque(maxlen=REMEMBERED_DELETIONS)
        self._changed = asyncio.Event()
        self._loop_task: asyncio.Task[None] | None = None

    async def cog_load(self) -> None:
        self._earlier_ids = await self.bot.service.jobs.fetch_open_ids()
        await self._follow_some()
        self.bot.service.subscribe(lambda _: self._changed.set())
        self._loop_task = asyncio.create_task(self._keep_up(), name="progress")

    async def cog_unload(self) -> None:
        edits = [live.editing for live in self._lives.values() if live.editing is not None]
        for task in (self._loop_task, *edits):
            if task is not None:
                task.cancel()
        await asyncio.gather(*filter(None, (self._loop_task, *edits)), return_exceptions=True)

    # ---- used by others --------------------------------------------------------------------------------------------

    async def show(self, interaction: Interaction, job: Job) -> None:
        """Answer the interaction with the job's message and remember which message that is."""
        with self.showing(job.id):
            standing = self.bot.service.queue.standing(job.id)
            words = await translation_for(self.bot, job.guild_id)
            card = waiting_card(job, standing, self.bot.service.now(), words)
            message_id = await self._answer(interaction, open_layout(job, card, words))
            if message_id is None:  # the finished picture is the answer; a first message that is there is found then
                self._unknown.add(job.id)
                return
            await self._attach(job.id, message_id)
            live = Live(replace(job, message_id=message_id), interaction, edited_at=self._clock())
            self._add(live)
            await self._take_back_if_deleted(live)

    async def show_reply(self, message: discord.Message, job: Job) -> None:
        """Answer a message with the job's message, if the channel has room for one more now.

        In a burst there is none; then the finished picture is the answer (the delivery loop replies to the message).
        Raises discord.Forbidden where the bot may not answer.
        """
        if not self.bot.rate_limit.try_take(message.channel.id):
            self._when_shown()
            return
        with self.showing(job.id):
            words = await translation_for(self.bot, job.guild_id)
            card = waiting_card(job, self.bot.service.queue.standing(job.id), self.bot.service.now(), words)
            try:
                reply = await message.reply(
                    view=open_layout(job, card, words),
                    nonce=f"job-{job.id}",
                    mention_author=False,
                    allowed_mentions=NOBODY,
                )
            except discord.Forbidden:
                raise  # the channel's moderators hear of it; the delivery loop finds another way for the picture
            except LOST as error:  # the reply may be there all the same; then the finished picture finds it
                log.info("job %d could not be shown as a reply: %s", job.id, error)
                self._unknown.add(job.id)
                return
            await self._attach(job.id, reply.id)
            live = Live(replace(job, message_id=reply.id), edited_at=self._clock())
            self._add(live)
            await self._take_back_if_deleted(live)

    async def _answer(self, interaction: Interaction, view: Layout) -> int | None:
        """Answer with the card; the id of the message it became, or None if we do not hear of one.

        The job is accepted and paid for, whatever Discord says now: nothing here is an error of the request.
        """
        try:
            if interaction.response.is_done():
                message = await interaction.edit_original_response(**as_edit(view))
                return message.id
            response = await interaction.response.send_message(view=view, allowed_mentions=NOBODY)
            return response.message_id or (await interaction.original_response()).id
        except LOST as error:
            log.info("the first answer to interaction %d was lost: %s", interaction.id, error)
        try:
            return (await interaction.original_response()).id
        except LOST:
            return None

    def follow(self, job: Job) -> None:
        """Keep a message up to date that shows the job already."""
        self._add(Live(job))
        self._changed.set()

    def _add(self, live: Live) -> None:
        self._lives[live.job.id] = live
        self._look_again(live, self._clock())

    async def _follow_some(self) -> None:
        """The next messages of an earlier process. A job that ends while its row is read is not followed."""
        self._closed.clear()
        some, self._earlier_ids = self._earlier_ids[:FOLLOWED_AT_ONCE], self._earlier_ids[FOLLOWED_AT_ONCE:]
        for job in await self.bot.service.jobs.fetch_open_some(some):
            if job.message_id is not None and job.id not in self._closed and job.id not in self._lives:
                self._add(Live(job))
                await self._take_back_if_deleted(self._lives[job.id])

    def when_shown(self, listener: Callable[[], None]) -> None:
        """Call `listener` when a job's first message is there, or will not come."""
        self._when_shown = listener

    @contextmanager
    def showing(self, job_id: int) -> Generator[None]:
        """While the job's first message, or the thread for it, is on its way."""
        self._showing.add(job_id)
        try:
            yield
        finally:
            self._showing.discard(job_id)
            self._changed.set()
            self._when_shown()

    def is_being_shown(self, job_id: int) -> bool:
        """Whether the job's first message is on its way; the delivery must not post a second one."""
        return job_id in self._showing

    def is_answer_unknown(self, job_id: int) -> bool:
        """Whether Discord may have taken the job's first message without our hearing of it."""
        return job_id in self._unknown

    async def _attach(self, job_id: int, message_id: int) -> None:
        attach = self.bot.service.deliveries.attach_message
        await self.bot.service.health.until_written(
            f"noting the message of picture {job_id}", lambda: attach(job_id, message_id)
        )

    async def close(self, job_id: int) -> None:
        """No more live edits for this job; returns when the last one is through."""
        self._closed.add(job_id)
        live = self._lives.pop(job_id, None)
        if live is None:
            return
        live.is_closed = True
        async with live.lock:
            return

    # ---- the loop --------------------------------------------------------------------------------------------------

    async def _keep_up(self) -> None:
        await self.bot.service.health.keep_going("progress", self._turn)

    async def _turn(self) -> None:
        if self._earlier_ids:
            await self._follow_some()
            self._changed.set()
        await self._changed.wait()
        self._changed.clear()
        self._closed.clear()
        self._tick()
        await asyncio.sleep(0 if self._earlier_ids else min(self._interval, 0.5))
        if self._lives:
            self._changed.set()

    def _tick(self) -> None:
        """Start an edit for each message that is out of date and whose turn it is; painting ones first."""
        service, now = self.bot.service, self._clock()
        due = [live for live in self._lives_to_look_at(now) if not _is_editing(live) and self._is_due(live, now)]
        due.sort(key=lambda live: (service.dispatch.progress(live.job.id) is None, live.edited_at))
        for live in due[: max(MAX_EDITS_AT_ONCE - len(self._editing), 0)]:
            live.editing = asyncio.create_task(self._edit(live), name=f"edit-{live.job.id}")
            self._editing.add(live.editing)
            live.editing.add_done_callback(self._editing.discard)

    def _lives_to_look_at(self, now: float) -> list[Live]:
        """What is being painted, and the waiting jobs that may be worth an edit by now; never all of them."""
        painting = self.bot.service.dispatch.painting
        found = [live for job_id in painting if (live := self._lives.get(job_id)) is not None]
        for _ in range(MAX_LOOKS):
            if not self._looks or self._looks[0][0] > now:
                break
            look_at, job_id = heapq.heappop(self._looks)
            live = self._lives.get(job_id)
            if live is None or live.look_at != look_at:
                continue  # it has ended, or another look is planned
            patience = self._patience(live)
            wait = live.edited_at + patience - now
            self._look_again(live, now + min(wait if wait > 0 else patience, LONGEST_LOOK_SECONDS))
            if job_id not in painting:
                found.append(live)
        return found

    def _look_again(self, live: Live, at: float) -> None:
        live.look_at = at
        heapq.heappush(self._looks, (at, live.job.id))

    def _patience(self, live: Live) -> float:
        standing = self.bot.service.queue.standing(live.job.id)
        return self._interval + (standing.ahead * SECONDS_PER_PLACE if standing else 0)

    def _is_due(self, live: Live, now: float) -> bool:
        return now - live.edited_at >= self._patience(live) and self._wanted(live) != live.shown

    def _wanted(self, live: Live) -> tuple[object, ...] | None:
        """A key that differs when the message is worth an edit."""
        progress = self.bot.service.dispatch.progress(live.job.id)
        if progress is not None:
            return ("painting", progress.step, id(progress.preview))
        standing = self.bot.service.queue.standing(live.job.id)
        if standing is None:  # the engine does not have it yet, or not any more
            return live.shown
        due = self.bot.service.now().timestamp() + standing.wait_seconds
        return ("waiting", standing.ahead, round(due / DUE_TOLERANCE_SECONDS) if standing.ahead else 0)

    async def _edit(self, live: Live) -> None:
        async with live.lock:
            if live.is_closed:
                return
            wanted, progress = self._wanted(live), self.bot.service.dispatch.progress(live.job.id)
            if wanted == live.shown:
                return  # it ended, or went on, since the look
            live.shown, live.edited_at = wanted, self._clock()
            words = await translation_for(self.bot, live.job.guild_id)
            if progress is not None:
                if progress.preview is not None and await self._needs_approval(live):
                    progress = replace(progress, preview=None)
                card, preview = painting_card(live.job, progress, words), progress.preview
            else:
                standing = self.bot.service.queue.standing(live.job.id)
                card, preview = waiting_card(live.job, standing, self.bot.service.now(), words), None
            files = [discord.File(io.BytesIO(preview), PREVIEW)] if preview else []
            try:
                await self._send(live, open_layout(live.job, card, words), files)
            except LOST as error:
                # The token may have died (after 15 minutes, or with the message): go on with the bot's own.
                live.interaction = None
                log.info("progress of job %d could not be shown: %s", live.job.id, error)

    async def _needs_approval(self, live: Live) -> bool:
        """Whether nothing of a picture, no preview either, may be seen in its channel before a moderator's yes."""
        if live.job.guild_id is None:
            return False
        if live.needs_approval is None:
            channel_id = live.job.channel_id
            try:
                parent_id = parent_of(await find_channel(self.bot, live.job)) or channel_id
            except LOST:
                return True  # until we know
            live.needs_approval = await self.bot.service.settings.needs_approval(channel_id, parent_id)
        return live.needs_approval

    async def _send(self, live: Live, view: Layout, files: list[discord.File]) -> None:
        if live.interaction is not None and not live.interaction.is_expired():
            await live.interaction.edit_original_response(**as_edit(view, files))
        elif live.job.message_id is not None and self.bot.rate_limit.try_take(live.job.channel_id):
            message = self.bot.get_partial_messageable(live.job.channel_id).get_partial_message(live.job.message_id)
            await message.edit(**as_edit(view, files))

    @Cog.listener()
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """Somebody took the message away: an open job behind it is taken back, its cost returns."""
        await self._take_back({payload.message_id})

    @Cog.listener()
    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """Many messages went at once, as when moderators clear a channel."""
        await self._take_back(payload.message_ids)

    async def _take_back(self, message_ids: set[int]) -> None:
        self._deleted.extend(message_ids)
        for live in list(self._lives.values()):
            await self._take_back_if_deleted(live)

    async def _take_back_if_deleted(self, live: Live) -> None:
        if live.job.message_id in self._deleted:
            await self.close(live.job.id)  # an ended job has no delivery that would close it
            await self.bot.service.jobs.erase(live.job.id, live.job.user_id)


def _is_editing(live: Live) -> bool:
    return live.editing is not None and not live.editing.done()


BUTTONS: tuple[type[RowButton], ...] = (CancelButton,)
