"""Prompt channels at work: every message becomes a picture; replies change it; edits and deletions are followed.
Direct messages are one, where their member chose that.

A message is claimed in the database before anything else, so it is painted once whatever is sent twice, and one that
was claimed when the process ended is taken up again. The picture itself comes by the delivery loop like any other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar
from weakref import WeakValueDictionary

import discord

from cogs.core.bot import Bot, Cog
from cogs.core.channels import place_of
from cogs.core.checks import may_moderate
from cogs.core.errors import RowButton, row_of
from cogs.core.i18n import translation_for
from cogs.core.text import NOBODY
from cogs.imagine.progress import Progress
from cogs.prompt_channels.buttons import TermsButton, WhyButton
from cogs.prompt_channels.prompt_text import changed, dressed, prompt_in
from domain import ConsentRequired, Job, JobSource, Origin, PromptRefused, Request, UserError
from domain.places import EVERYWHERE
from domain.prompt_channels import AnswerMode, OtherMessages, PromptChannel, PromptMessage, PromptStatus

log = logging.getLogger(__name__)

Done = TypeVar("Done")
Readable = discord.TextChannel | discord.PartialMessageable

CAUGHT_UP_MESSAGES = 100
MAX_THREAD_NAME = 60
THREAD_EXISTS = 160004  # Discord's code
WAIT = "Please wait a little: you can ask for the next picture here {when}."


class PromptMessages(Cog):
    """Listens where a prompt channel is open."""

    def __init__(self, bot: Bot) -> None:
        super().__init__(bot)
        self._is_caught_up = False
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def cog_load(self) -> None:
        await self.bot.service.prompt_channels.load()

    @property
    def needs_mention(self) -> bool:
        return not self.bot.intents.message_content

    # ---- what Discord tells ----------------------------------------------------------------------------------------

    @Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        channel = await self._channel_of(message.channel) if is_from_member(message) else None
        if channel is not None:
            await self._take(channel, message)

    @Cog.listener()
    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        message = payload.message
        # Our own pictures, which are edited every few seconds, have no text.
        channel = await self._channel_of(message.channel) if self._text(message) is not None else None
        if channel is not None:
            await self._follow_edit(channel, message)

    async def _follow_edit(self, channel: PromptChannel, message: discord.Message) -> None:
        async with self._one_at_a_time(message.id):
            row = await self.bot.service.prompt_channels.find_message(message.id)
            if row is not None:
                await self._repaint(channel, message, row)
                await self._take_hint_back(message, row)

    @Cog.listener()
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        await self._forget(payload.message_id)

    @Cog.listener()
    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        for message_id in payload.message_ids:
            await self._forget(message_id)

    @Cog.listener()
    async def on_ready(self) -> None:
        """Read what was written while the bot was away, and what it had begun with when it stopped."""
        for channel in await self.bot.service.prompt_channels.load():
            name = f"catching up with prompt channel {channel.channel_id}"
            try:
                await self._catch_up(channel)
            except discord.HTTPException as error:
                await self.complain(channel, f"I can't read <#{channel.channel_id}>: {error.text or error.status}.")
            except Exception as error:  # noqa: BLE001 - one channel must not keep the others waiting
                self.bot.service.health.note(name, error)
            else:
                self.bot.service.health.solve(name)
        self._is_caught_up = True

    async def _catch_up(self, channel: PromptChannel) -> None:
        place = self._place(channel)
        if place is None:
            return  # deleted, or not visible any more
        if not self._is_caught_up:
            for row in await self.bot.service.prompt_channels.fetch_unfinished(channel.channel_id):
                try:
                    message = await place.fetch_message(row.message_id)
                    await self._paint(channel, message, await self._parent_job(message))
                except discord.NotFound:
                    await self._forget(row.message_id)
            await self._follow_changes(channel, place)
        if channel.latest_message_id is None:
            return
        after = discord.Object(channel.latest_message_id)
        async for message in place.history(limit=CAUGHT_UP_MESSAGES, after=after, oldest_first=True):
            if is_from_member(message):
                await self._take(channel, message)

    def _place(self, channel: PromptChannel) -> Readable | None:
        if channel.guild_id == EVERYWHERE:  # direct messages, which discord.py does not know after a start
            return self.bot.get_partial_messageable(channel.channel_id, type=discord.ChannelType.private)
        place = self.bot.get_channel(channel.channel_id)
        return place if isinstance(place, discord.TextChannel) else None

    async def _follow_changes(self, channel: PromptChannel, place: Readable) -> None:
        """Prompts that were edited or deleted while the bot was away, among the channel's latest messages."""
        there = {message.id: message async for message in place.history(limit=CAUGHT_UP_MESSAGES)}
        oldest = min(there, default=0)
        for row in await self.bot.service.prompt_channels.fetch_recent(channel.channel_id, CAUGHT_UP_MESSAGES):
            message = there.get(row.message_id)
            if message is not None and message.edited_at is not None and self._text(message) is not None:
                await self._follow_edit(channel, message)
            elif message is None and row.message_id > oldest and await self._was_in(channel, row):
                await self._forget(row.message_id)

    async def _was_in(self, channel: PromptChannel, row: PromptMessage) -> bool:
        """Whether a message was written in the channel itself, not in a thread, whose messages its history lacks."""
        job = await self.bot.service.prompt_channels.find_job(row)
        return job is not None and job.channel_id in (channel.channel_id, row.message_id)

    def _one_at_a_time(self, message_id: int) -> asyncio.Lock:
        """An edit or a deletion waits until the message's own answer is there."""
        return self._locks.setdefault(message_id, asyncio.Lock())

    async def _channel_of(self, place: object) -> PromptChannel | None:
        """The prompt channel that a message is in, or that its thread belongs to."""
        if isinstance(place, discord.DMChannel):
            return await self.bot.service.prompt_channels.find_direct(place.id)
        channel_id = place.parent_id if isinstance(place, discord.Thread) else getattr(place, "id", 0)
        return self.bot.service.prompt_channels.find(channel_id)

    # ---- from message to job ---------------------------------------------------------------------------------------

    async def _take(self, channel: PromptChannel, message: discord.Message) -> None:
        """Claim a message and paint it, or deal with one that is no prompt."""
        if self._text(message) is None:
            await self._leave(channel, message)
            return
        parent = await self._parent_job(message)
        if isinstance(message.channel, discord.Thread) and parent is None:
            return  # talk about a picture
        claim = await self._until_written(
            message, lambda: self.bot.service.prompt_channels.claim(channel, message.id, message.author.id)
        )
        if claim is PromptStatus.TAKEN:
            async with self._one_at_a_time(message.id):
                await self._paint(channel, message, parent)
        elif claim is PromptStatus.COOLING:
            await self._ask_to_wait(channel, message)

    async def _until_written(self, message: discord.Message, write: Callable[[], Awaitable[Done]]) -> Done:
        """Nobody sends a message again because our storage was full or locked: it waits until that passes."""
        return await self.bot.service.health.until_written(f"reading message {message.id}", write)

    def _text(self, message: discord.Message) -> str | None:
        bot_id = self.bot.user.id if self.bot.user else 0
        # Without the intent, too, a bot is shown its direct messages.
        return prompt_in(message.content, bot_id, needs_mention=self.needs_mention and message.guild is not None)

    async def _leave(self, channel: PromptChannel, message: discord.Message) -> None:
        """Not a prompt: kept or deleted. Without the intent we can't tell, so nothing is deleted."""
        is_in_thread = isinstance(message.channel, discord.Thread)
        if channel.other_messages is not OtherMessages.DELETE or self.needs_mention or is_in_thread:
            return
        try:
            await message.delete()
        except discord.NotFound:
            log.info("message %d was deleted already", message.id)
        except discord.Forbidden:
            await self.complain(
                channel,
                f"I can't delete messages in <#{channel.channel_id}>: I am missing Manage Messages. "
                "Give me that permission, or let other messages stay with `/channel edit`.",
            )

    async def _paint(self, channel: PromptChannel, message: discord.Message, parent: Job | None) -> None:
        """Submit a claimed message; whatever comes of it, the message gets an answer. `parent` is `_parent_job`."""
        text = self._text(message)
        if text is None:
            return
        try:
            await self._submit(channel, message, self._request(channel, text, parent), parent)
        except UserError as error:
            await self._answer_error(message, error)
        except discord.Forbidden:
            await self.complain(
                channel,
                f"I can't answer in <#{channel.channel_id}>: I need View Channel, Send Messages, Embed Links, Attach "
                "Files, Read Message History and, for threads, Create Public Threads and Send Messages in Threads.",
            )

    def _request(self, channel: PromptChannel, text: str, parent: Job | None) -> Request:
        if parent is not None:
            return changed(parent.request, text, channel)
        return self.bot.service.prompt_channels.request_for(channel, dressed(text, channel))

    async def _parent_job(self, message: discord.Message) -> Job | None:
        """The picture that the message replies to."""
        if message.reference is None or message.reference.message_id is None:
            return None
        return await self.bot.service.jobs.find_by_message(message.reference.message_id)

    async def _submit(
        self,
        channel: PromptChannel,
        message: discord.Message,
        request: Request,
        parent: Job | None,
        shown_by: int | None = None,
        replaced: Job | None = None,
    ) -> None:
        """`shown_by` is our message that the new picture replaces, `replaced` its job if that is not finished."""
        is_edit = shown_by is not None or replaced is not None
        origin = replace(
            await self._origin(channel, message, parent),
            message_id=shown_by,
            request_id=None if is_edit else message.id,
        )
        try:
            job = await self._until_written(
                message, lambda: self.bot.service.prompt_channels.submit(message.id, request, origin, replaced)
            )
        except ConsentRequired as error:
            button = TermsButton(error.pending_id)
            await self._answer(message, "Before your first picture, please read the rules.", button)
            return
        progress = self.bot.cog(Progress)
        if shown_by is not None:
            progress.follow(job)
        elif _opens_thread(channel, message):
            with progress.showing(job.id):
                await _open_thread(message, request.prompt[:MAX_THREAD_NAME] or "Picture")
        else:
            await progress.show_reply(message, job)

    async def _origin(self, channel: PromptChannel, message: discord.Message, parent: Job | None) -> Origin:
        author, guild = await self._author(message), message.guild
        member = author if isinstance(author, discord.Member) else None
        # A thread that is opened from a message bears the message's id.
        channel_id = message.id if _opens_thread(channel, message) else message.channel.id
        return Origin(
            user_id=author.id,
            place=place_of(message.channel, channel.guild_id or None, channel_id),
            locale=str(guild.preferred_locale) if guild else "en",
            source=JobSource.MESSAGE,
            parent_id=parent.id if parent else None,
            role_ids=tuple(role.id for role in member.roles) if member else (),
            filesize_limit=guild.filesize_limit if guild else None,
            parent_channel_id=channel.channel_id if channel_id != channel.channel_id else None,
            is_moderator=member is not None and may_moderate(member.guild_permissions),
        )

    async def _author(self, message: discord.Message) -> discord.Member | discord.User:
        """The author with their roles, which Discord leaves out of messages that are read later."""
        if isinstance(message.author, discord.Member) or message.guild is None:
            return message.author
        try:
            return await message.guild.fetch_member(message.author.id)
        except discord.NotFound:
            return message.author

    # ---- answers in words ------------------------------------------------------------------------------------------

    async def _answer_error(self, message: discord.Message, error: UserError) -> None:
        """In public nothing of a refused prompt is repeated; its author can read why."""
        if isinstance(error, PromptRefused) and error.decision_id is not None:
            await self._answer(message, "I can't paint this one.", WhyButton(error.decision_id))
        else:
            await self._answer(message, str(error))

    async def _answer(self, message: discord.Message, text: str, *buttons: RowButton) -> None:
        words = await translation_for(self.bot, message.guild.id if message.guild else None)
        await self.bot.rate_limit.take(message.channel.id)
        try:
            reply = await message.reply(
                words(text),
                view=row_of(*buttons, words=words),
                nonce=f"a-{message.id}",
                mention_author=False,
                allowed_mentions=NOBODY,
            )
        except discord.Forbidden:
            raise  # the channel's moderators hear of it
        except discord.HTTPException as error:
            log.info("message %d could not be answered: %s", message.id, error)
            return
        await self._until_written(message, lambda: self.bot.service.prompt_channels.mark_answered(message.id, reply.id))

    async def _ask_to_wait(self, channel: PromptChannel, message: discord.Message) -> None:
        """Once per cooldown; further messages in it are left alone."""
        free_at = await self.bot.service.prompt_channels.wait_until(channel, message.id, message.author.id)
        if free_at is not None and self.bot.rate_limit.try_take(message.channel.id):
            words = await translation_for(self.bot, channel.guild_id or None)
            text = words(WAIT, when=f"<t:{int(free_at.timestamp()) + 1}:R>")
            await message.reply(text, mention_author=False, allowed_mentions=NOBODY)

    async def complain(self, channel: PromptChannel, problem: str) -> None:
        """Tell the moderators about a problem, once until the channel is edited."""
        where = await self.bot.service.prompt_channels.note_problem(channel, problem)
        if where is not None and await self.bot.post(where, problem) is None:
            log.warning("the moderators of server %d can't be told", channel.guild_id)

    # ---- edits and deletions ---------------------------------------------------------------------------------------

    async def _repaint(self, channel: PromptChannel, message: discord.Message, row: PromptMessage) -> None:
        """An edited message: its picture's seed, the new words, in the same message of ours."""
        job = await self.bot.service.prompt_channels.find_job(row)
        parent = await self._parent_job(message)
        if job is None:
            if await self._may_paint_again(channel, message, row, is_waiting=row.status is PromptStatus.TAKEN):
                await self._paint(channel, message, parent)
            return
        new = self._request(channel, self._text(message) or "", parent)
        request = replace(job.request, prompt=new.prompt)
        if request.prompt == job.request.prompt:
            return  # Discord also calls it an edit when it has loaded a preview
        if not await self._may_paint_again(channel, message, row, is_waiting=job.status.is_open):
            return
        replaced = job if job.status.is_open else None
        if replaced is not None:
            await self.bot.cog(Progress).close(replaced.id)
        try:
            await self._submit(channel, message, request, parent, shown_by=job.message_id, replaced=replaced)
        except UserError as error:
            if replaced is not None:
                await self._take_back(replaced)
            await self._answer_error(message, error)

    async def _may_paint_again(
        self, channel: PromptChannel, message: discord.Message, row: PromptMessage, *, is_waiting: bool
    ) -> bool:
        """Whether an edit counts now; who must wait is told so."""
        if await self.bot.service.prompt_channels.may_paint_again(channel, row, is_waiting=is_waiting):
            return True
        await self._ask_to_wait(channel, message)
        return False

    async def _take_back(self, job: Job) -> None:
        """The words that a picture waited for are gone."""
        await self.bot.service.jobs.take_back(job.id)
        if job.message_id is not None:
            await self.bot.delete_quietly(job.channel_id, job.message_id)

    async def _take_hint_back(self, message: discord.Message, before: PromptMessage) -> None:
        """Once an edit is painted, what we said about the words before it is wrong."""
        row = await self.bot.service.prompt_channels.find_message(message.id)
        if row is not None and row.status is PromptStatus.ACCEPTED and before.reply_id is not None:
            await self.bot.delete_quietly(message.channel.id, before.reply_id)

    async def _forget(self, message_id: int) -> None:
        """A deleted prompt takes its picture with it."""
        async with self._one_at_a_time(message_id):
            row = await self.bot.service.prompt_channels.find_message(message_id)
            shown = await self.bot.service.prompt_channels.forget(row) if row else ()
            for channel_id, shown_id in shown:
                await self.bot.delete_quietly(channel_id, shown_id)


def is_from_member(message: discord.Message) -> bool:
    """Whether a person wrote the message, to be read."""
    kinds = (discord.MessageType.default, discord.MessageType.reply)
    return not message.author.bot and message.type in kinds


async def _open_thread(message: discord.Message, name: str) -> None:
    """Open the message's thread, which may be there although we never heard so."""
    try:
        await message.create_thread(name=name)
    except discord.HTTPException as error:
        if error.code != THREAD_EXISTS:
            raise


def _opens_thread(channel: PromptChannel, message: discord.Message) -> bool:
    return channel.answer is AnswerMode.THREAD and not isinstance(message.channel, discord.Thread)
