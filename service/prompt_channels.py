"""Prompt channels: opening and changing them, and what becomes of each message that is written in one."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from typing import Any

import aiosqlite

from db import audit, guild_settings, jobs, prompt_channels, quotas
from domain import InvalidRequest, Job, ModelProfile, NotFound, Origin, Request, RequestOptions
from domain.audit import AuditAction
from domain.places import EVERYWHERE
from domain.prompt_channels import (
    PromptChannel,
    PromptChannelChanges,
    PromptChannelDetails,
    PromptMessage,
    PromptStatus,
)
from domain.quotas import QuotaKind, QuotaRule, QuotaSubject
from domain.settings import GuildSettings
from engine.prepare import complete
from service.admission import Submit, Together
from service.context import Context, Topic
from service.jobs import Jobs
from service.settings import ServerSettings

log = logging.getLogger(__name__)


class PromptChannels:
    """Which channels are open is kept in memory, too: Discord tells us every message of every channel."""

    def __init__(
        self, context: Context, jobs_: Jobs, settings: ServerSettings, submit: Submit, profile: ModelProfile
    ) -> None:
        self._context = context
        self._jobs = jobs_
        self._settings = settings
        self._submit = submit
        self._profile = profile
        self._open: dict[int, PromptChannel] = {}

    # ---- which are open --------------------------------------------------------------------------------------------

    async def load(self) -> list[PromptChannel]:
        """Read again which channels are open; direct messages, which are not remembered, are among them."""
        channels = await prompt_channels.fetch_all(self._context.database)
        self._open = {channel.channel_id: channel for channel in channels if channel.guild_id != EVERYWHERE}
        return channels

    def find(self, channel_id: int) -> PromptChannel | None:
        """The open prompt channel with this id, as of the last `load` or change."""
        return self._open.get(channel_id)

    async def find_direct(self, channel_id: int) -> PromptChannel | None:
        """A member's direct messages, if the member has everything painted there."""
        return await prompt_channels.fetch(self._context.database, channel_id)

    async def fetch_details(self, guild_id: int, limit: int) -> list[PromptChannelDetails]:
        """The server's first prompt channels in the order in which they were opened."""
        channels = await prompt_channels.fetch_all(self._context.database, guild_id)
        return await self._details(guild_id, channels[:limit])

    async def _details(self, guild_id: int, channels: list[PromptChannel]) -> list[PromptChannelDetails]:
        rules = await quotas.fetch_rules(self._context.database, guild_id, self._context.now())
        of_channel = {rule.subject.id: rule for rule in rules if rule.subject.kind is QuotaKind.CHANNEL}
        return [
            PromptChannelDetails(
                channel=channel,
                quota=of_channel.get(channel.channel_id),
                level=(await self._settings.fetch_channel(guild_id, channel.channel_id)).level,
            )
            for channel in channels
        ]

    # ---- opening, changing, closing --------------------------------------------------------------------------------

    async def open(
        self,
        guild_id: int,
        channel_id: int,
        actor_id: int,
        changes: PromptChannelChanges,
        after_id: int | None = None,
    ) -> PromptChannelDetails:
        """Make every message in the channel a prompt. What is not chosen is the server's own preset and shape.

        `after_id` is the command's own id: what is written after it counts, also while the bot is away.
        Raises InvalidRequest if the channel is open already or a choice is not possible.
        """
        if await prompt_channels.fetch(self._context.database, channel_id) is not None:
            raise InvalidRequest(f"<#{channel_id}> is open already; `/channel edit` changes how it works.")
        settings = await self._settings.fetch(guild_id)
        channel = PromptChannel(
            channel_id=channel_id,
            guild_id=guild_id,
            opened_by=actor_id,
            preset=settings.preset,
            shape=settings.shape or "square",
            latest_message_id=after_id,
        )
        return await self._save(_changed(channel, changes), changes, actor_id, AuditAction.CHANNEL_OPEN, settings)

    async def edit(self, channel_id: int, actor_id: int, changes: PromptChannelChanges) -> PromptChannelDetails:
        """Change how an open channel works; its problem counts as solved. Raises NotFound or InvalidRequest."""
        channel = await prompt_channels.fetch(self._context.database, channel_id)
        if channel is None:
            raise _not_open(channel_id)
        settings = await self._settings.fetch(channel.guild_id)
        return await self._save(_changed(channel, changes), changes, actor_id, AuditAction.CHANNEL_EDIT, settings)

    async def close(self, guild_id: int, channel_id: int, actor_id: int) -> None:
        """Make messages in the channel only messages again. Raises NotFound."""
        now = self._context.now()
        async with self._context.writing(Topic.PROMPT_CHANNELS, Topic.AUDIT) as connection:
            if not await prompt_channels.close(connection, channel_id):
                raise _not_open(channel_id)
            await audit.record(
                connection, guild_id, actor_id, AuditAction.CHANNEL_CLOSE, f"channel:{channel_id}", {}, now
            )
        await self.load()

    async def forget_channel(self, channel_id: int) -> None:
        """The channel was deleted in Discord."""
        async with self._context.writing_news() as (connection, news):
            if not await prompt_channels.close(connection, channel_id):
                return
            news.add(Topic.PROMPT_CHANNELS)
        await self.load()

    async def _save(
        self,
        channel: PromptChannel,
        changes: PromptChannelChanges,
        actor_id: int,
        action: AuditAction,
        settings: GuildSettings,
    ) -> PromptChannelDetails:
        """The channel's rules, its quota and its level in one transaction, each with its audit row."""
        self.request_for(channel, "words")  # raises if the preset does not exist
        _require_allowed_shape(channel, settings)
        details = {"answer": channel.answer, "cooldown_seconds": channel.cooldown_seconds, "shape": channel.shape}
        now, target = self._context.now(), f"channel:{channel.channel_id}"
        async with self._context.writing(Topic.PROMPT_CHANNELS, Topic.SETTINGS, Topic.AUDIT) as connection:
            await prompt_channels.save(connection, channel, now)
            await audit.record(connection, channel.guild_id, actor_id, action, target, details, now)
            await _save_quota_and_level(connection, channel, changes, actor_id, now)
        await self.load()
        (saved,) = await self._details(channel.guild_id, [channel])
        return saved

    async def note_problem(self, channel: PromptChannel, problem: str) -> int | None:
        """Remember a problem. The channel in which moderators are to be told of it, None if there is none or they know.

        They hear of it once, until the prompt channel is edited.
        """
        async with self._context.writing() as connection:
            if not await prompt_channels.note_problem(connection, channel.channel_id, problem):
                return None
        log.warning("prompt channel %d: %s", channel.channel_id, problem)
        settings = await self._settings.fetch(channel.guild_id)
        return settings.review_channel_id or settings.audit_channel_id

    # ---- messages --------------------------------------------------------------------------------------------------

    async def claim(self, channel: PromptChannel, message_id: int, user_id: int) -> PromptStatus | None:
        """Claim a message for this process: `TAKEN`, or `COOLING` if its member must wait; None if it was before."""
        async with self._context.writing() as connection:
            return await prompt_channels.take_message(connection, channel, message_id, user_id, self._context.now())

    async def wait_until(self, channel: PromptChannel, message_id: int, user_id: int) -> datetime | None:
        """When a member who must wait may write again; None if they were told so in this cooldown already."""
        database, now = self._context.database, self._context.now()
        free_at = await prompt_channels.free_at(database, channel, user_id, now)
        if free_at is None:
            return None
        was_told = await prompt_channels.was_told_to_wait(database, channel, user_id, message_id, now)
        return None if was_told else free_at

    def request_for(self, channel: PromptChannel, prompt: str) -> Request:
        """A prompt's request by the channel's rules. Raises InvalidRequest if its preset does not exist (any more)."""
        options = RequestOptions(
            prompt=prompt,
            negative_prompt=channel.negative_prompt,
            shape=channel.shape,
            preset=channel.preset,
            seed=channel.seed,
        )
        return complete(options, self._profile)

    async def submit(self, message_id: int, request: Request, origin: Origin, replaced: Job | None = None) -> Job:
        """Accept what a claimed message asks for; the message becomes the job's in the same transaction.

        An open job that the new one takes the place of ends in it, too: a crash leaves either of them, never none.
        Raises a UserError, as `Service.submit` does; `replaced` goes on then.
        """

        async def take_back(connection: aiosqlite.Connection) -> None:
            if replaced is not None:
                await self._jobs.replace(connection, replaced.id)

        async def accept(connection: aiosqlite.Connection, job_id: int) -> None:
            await prompt_channels.accept_message(connection, message_id, job_id)

        job = await self._submit(request, origin, Together(first=take_back, then=accept))
        if replaced is not None:
            self._jobs.stop(replaced.id)
        return job

    async def may_paint_again(self, channel: PromptChannel, message: PromptMessage, *, is_waiting: bool) -> bool:
        """Whether an edited message may become a picture now: a cooldown holds for edits, too.

        Other words for a picture that still waits (`is_waiting`) are no further picture.
        """
        if is_waiting or not channel.cooldown_seconds:
            return True
        async with self._context.writing() as connection:
            return await prompt_channels.take_again(connection, channel, message, self._context.now())

    async def fetch_recent(self, channel_id: int, limit: int) -> list[PromptMessage]:
        """The channel's latest messages that became pictures, newest first."""
        return await prompt_channels.fetch_recent(self._context.database, channel_id, limit)

    async def mark_answered(self, message_id: int, reply_id: int) -> None:
        """The message got words instead of a picture."""
        async with self._context.writing() as connection:
            await prompt_channels.answer_message(connection, message_id, reply_id)

    async def find_message(self, message_id: int) -> PromptMessage | None:
        """What is known of a message; None if it never was a prompt."""
        return await prompt_channels.fetch_message(self._context.database, message_id)

    async def find_job(self, message: PromptMessage) -> Job | None:
        """The newest job that the message became, if any."""
        return None if message.job_id is None else await jobs.fetch(self._context.database, message.job_id)

    async def fetch_unfinished(self, channel_id: int) -> list[PromptMessage]:
        """Messages that were claimed when the process ended, and became nothing yet."""
        return await prompt_channels.fetch_unfinished(self._context.database, channel_id)

    async def forget(self, message: PromptMessage) -> set[tuple[int, int]]:
        """A deleted prompt takes its picture with it; (channel, message) of what else has to go from Discord."""
        shown = set[tuple[int, int]]() if message.reply_id is None else {(message.channel_id, message.reply_id)}
        if message.job_id is not None:
            job = await self._jobs.erase(message.job_id, message.user_id, is_moderator=True)
            shown |= await self._jobs.fetch_messages(job)
        async with self._context.writing() as connection:
            await prompt_channels.forget_message(connection, message.message_id)
        return shown


def _changed(channel: PromptChannel, changes: PromptChannelChanges) -> PromptChannel:
    chosen: dict[str, Any] = {
        "prefix": changes.prefix,
        "suffix": changes.suffix,
        "negative_prompt": changes.negative_prompt,
        "shape": changes.shape,
        "cooldown_seconds": changes.cooldown_seconds,
        "answer": changes.answer,
        "other_messages": changes.other_messages,
    }
    changed = replace(channel, **{name: value for name, value in chosen.items() if value is not None})
    if changes.preset is not None:
        changed = replace(changed, preset=changes.preset or None)
    if changes.seed is not None:
        changed = replace(changed, seed=None if changes.seed < 0 else changes.seed)
    return changed


def _require_allowed_shape(channel: PromptChannel, settings: GuildSettings) -> None:
    if settings.allowed_shapes and channel.shape not in settings.allowed_shapes:
        raise InvalidRequest(
            f"This server allows these sizes only: {', '.join(settings.allowed_shapes)}. Choose one of them as the "
            "channel's shape, or allow more in `/settings panel`."
        )


async def _save_quota_and_level(
    connection: aiosqlite.Connection,
    channel: PromptChannel,
    changes: PromptChannelChanges,
    actor_id: int,
    now: datetime,
) -> None:
    """Write the rows that `/quota set channel` and `/settings panel` write."""
    if changes.per_hour is not None:
        rule = QuotaRule(
            guild_id=channel.guild_id,
            subject=QuotaSubject(QuotaKind.CHANNEL, channel.channel_id),
            per_hour=changes.per_hour,
            reason="a prompt channel's quota",
            actor_id=actor_id,
            set_at=now,
        )
        await quotas.set_rule(connection, rule)
    if changes.level is not None:
        await guild_settings.change(
            connection, channel.guild_id, actor_id, now, channel_id=channel.channel_id, level=changes.level
        )


def _not_open(channel_id: int) -> NotFound:
    return NotFound(f"<#{channel_id}> is no prompt channel; `/channel list` shows them.")
