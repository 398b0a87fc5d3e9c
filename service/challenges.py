"""Challenges: moderators start and end them, members enter a picture and vote, rows say what is still to post."""

from __future__ import annotations

from datetime import datetime, timedelta

import aiosqlite

from db import audit, challenges, jobs, pictures
from domain import InvalidRequest, Job, JobStatus, NotAllowed, NotFound
from domain.audit import AuditAction
from domain.challenges import MAX_THEMES, Challenge, ChallengeEntry, ChallengeStatus, Victory
from service.context import Context, Topic


class Challenges:
    """A challenge ends because its row says so; what is over takes neither entries nor votes."""

    def __init__(self, context: Context) -> None:
        self._context = context

    # ---- moderators ------------------------------------------------------------------------------------------------

    async def start(
        self, guild_id: int, channel_id: int, actor_id: int, themes: str, length: timedelta, repeat: timedelta | None
    ) -> int:
        """Begin a challenge now and return its number; with `repeat` the themes (parted by |) take turns.

        Raises InvalidRequest without a theme, with too many, or if it would come back before it has ended.
        """
        parts = tuple(part.strip() for part in themes.split("|") if part.strip())
        if not parts:
            raise InvalidRequest("Please give a theme.")
        if len(parts) > MAX_THEMES:
            raise InvalidRequest(f"A challenge takes at most {MAX_THEMES} themes, and these are {len(parts)}.")
        if repeat is not None and repeat < length:
            raise InvalidRequest("It can't come back before it has ended: `every` must be at least as long as `ends`.")
        now = self._context.now()
        async with self._context.writing(Topic.CHALLENGES, Topic.AUDIT) as connection:
            challenge_id = await challenges.start(
                connection,
                guild_id=guild_id,
                channel_id=channel_id,
                themes=parts,
                created_by=actor_id,
                starts_at=now,
                ends_at=now + length,
                repeat=repeat,
            )
            details, target = {"challenge": challenge_id}, f"channel:{channel_id}"
            await audit.record(connection, guild_id, actor_id, AuditAction.CHALLENGE_START, target, details, now)
        return challenge_id

    async def end(self, guild_id: int, challenge_id: int, actor_id: int, *, with_winners: bool) -> None:
        """End a challenge now, for good. Raises NotFound if the server has no open challenge of this number."""
        now = self._context.now()
        found = await challenges.fetch(self._context.database, challenge_id)
        if found is None or found.guild_id != guild_id or found.status is not ChallengeStatus.OPEN:
            raise _no_open_challenge()
        async with self._context.writing(Topic.CHALLENGES, Topic.AUDIT) as connection:
            if with_winners:
                has_ended = await challenges.end_now(connection, challenge_id, now)
            else:
                has_ended = await challenges.cancel(connection, challenge_id)
            if not has_ended:  # its time came meanwhile
                raise _no_open_challenge()
            details = {"challenge": challenge_id, "winners": with_winners}
            await audit.record(connection, guild_id, actor_id, AuditAction.CHALLENGE_END, "server", details, now)

    # ---- looking ---------------------------------------------------------------------------------------------------

    async def fetch_open(self, guild_id: int) -> list[Challenge]:
        """The server's challenges that are not over, those that have not begun included."""
        return await challenges.fetch_open(self._context.database, guild_id)

    async def fetch_victories(self, guild_id: int) -> list[Victory]:
        """The server's hall of fame, newest first."""
        return await challenges.fetch_victories(self._context.database, guild_id)

    # ---- members ---------------------------------------------------------------------------------------------------

    async def fetch_enterable(self, guild_id: int, user_id: int, limit: int) -> list[Job]:
        """The member's pictures that can be entered, newest first. Raises NotFound if there are none."""
        found = await jobs.fetch_enterable(self._context.database, guild_id, user_id, limit)
        if not found:
            raise NotFound("You have no pictures here yet. Paint one with `/imagine`, then press Enter again.")
        return found

    async def find_for_message(self, guild_id: int, message_id: int) -> tuple[Challenge, Job]:
        """The running challenge that ends first, and the job that the message shows. Raises NotFound."""
        job = await jobs.fetch_shown(self._context.database, message_id)
        running = await challenges.fetch_open(self._context.database, guild_id, self._context.now())
        if job is None:
            raise NotFound("I know no picture of mine in this message.")
        if not running:
            raise NotFound("No challenge is running at the moment.")
        return running[0], job

    async def find(self, challenge_id: int, job_id: int) -> tuple[Challenge, Job]:
        """A challenge and a picture that a member chose for it. Raises NotFound."""
        challenge = await challenges.fetch(self._context.database, challenge_id)
        job = await jobs.fetch(self._context.database, job_id)
        if challenge is None or job is None:
            raise NotFound("This challenge or this picture is not stored any more.")
        return challenge, job

    async def enter(self, challenge: Challenge, job: Job, user_id: int, *, may_be_shown: bool) -> ChallengeEntry:
        """Enter a member's own picture. `may_be_shown`: whether the challenge's channel admits it.

        Raises NotAllowed or NotFound with the reason.
        """
        await self._require_enterable(challenge, job, user_id)
        if not may_be_shown:
            raise NotAllowed(
                f"This picture was made in a channel that allows more than <#{challenge.channel_id}> does, for example "
                "an age-restricted one, so it can't be shown in this challenge."
            )
        now = self._context.now()
        async with self._context.writing(Topic.CHALLENGES) as connection:
            entry = await challenges.enter(connection, challenge.id, user_id, job.id, now)
            if entry is None:
                await _require_open(connection, challenge.id, now)
                raise NotAllowed(
                    "You have an entry in this challenge already; take it back first to enter another picture."
                )
        return entry

    async def _require_enterable(self, challenge: Challenge, job: Job, user_id: int) -> None:
        if job.user_id != user_id or job.guild_id != challenge.guild_id:
            raise NotAllowed("You can enter pictures only that you asked for yourself, in this server.")
        is_finished = job.status is JobStatus.DELIVERED
        if not is_finished or not await pictures.is_stored(self._context.database, job.id):
            raise NotFound("This picture is not finished, or not stored any more.")

    async def withdraw(self, challenge_id: int, user_id: int) -> tuple[int, int] | None:
        """Take the member's entry back, with the votes for it; (channel, message) that shows it, if one does.

        Raises NotFound if there is no entry, or the challenge is over.
        """
        async with self._context.writing(Topic.CHALLENGES) as connection:
            await _require_open(connection, challenge_id, self._context.now())
            entry = await challenges.withdraw(connection, challenge_id, user_id)
            if entry is None:
                raise NotFound("You have no entry in this challenge.")
        challenge = await challenges.fetch(self._context.database, challenge_id)
        if challenge is None or not entry.message_id:
            return None
        return challenge.channel_id, entry.message_id

    async def vote(self, entry_id: int, user_id: int) -> ChallengeEntry:
        """Give the member's single vote to an entry; an earlier vote moves. Raises NotFound or NotAllowed."""
        now = self._context.now()
        async with self._context.writing() as connection:
            entry = await challenges.find_entry(connection, entry_id)
            if entry is None:
                raise NotFound("This entry was taken back.")
            await _require_open(connection, entry.challenge_id, now)
            if not await challenges.vote(connection, entry, user_id, now):
                raise NotAllowed("This is your own entry; please vote for another one.")
        return entry

    # ---- what is due -----------------------------------------------------------------------------------------------

    async def end_due(self) -> None:
        """Close what is over; recurring challenges open their next round in the same transaction."""
        async with self._context.writing_news() as (connection, news):
            if await challenges.end_due(connection, self._context.now()):
                news.add(Topic.CHALLENGES)

    async def fetch_unannounced(self) -> list[Challenge]:
        """Challenges that have begun and are not announced yet."""
        return await challenges.fetch_unannounced(self._context.database, self._context.now())

    async def fetch_unposted_entries(self) -> list[tuple[Challenge, ChallengeEntry]]:
        """Entries that nobody can see yet, each with its challenge."""
        database = self._context.database
        found = [
            (await challenges.fetch(database, entry.challenge_id), entry)
            for entry in await challenges.fetch_unposted_entries(database)
        ]
        return [(challenge, entry) for challenge, entry in found if challenge is not None]

    async def fetch_unreported(self) -> list[tuple[Challenge, list[ChallengeEntry]]]:
        """Ended challenges whose winners are not posted yet, each with its entries."""
        database = self._context.database
        return [
            (challenge, await challenges.fetch_entries(database, challenge.id))
            for challenge in await challenges.fetch_unreported(database)
        ]

    async def mark_announced(self, challenge_id: int, message_id: int) -> None:
        """The announcement was posted, or (0) never will be."""
        async with self._context.writing() as connection:
            await challenges.mark_announced(connection, challenge_id, message_id)

    async def mark_posted(self, entry_id: int, message_id: int) -> None:
        """The entry was posted, or (0) never will be."""
        async with self._context.writing() as connection:
            await challenges.mark_posted(connection, entry_id, message_id)

    async def mark_reported(self, challenge_id: int, message_id: int) -> None:
        """The winners were posted, or (0) never will be."""
        async with self._context.writing() as connection:
            await challenges.mark_reported(connection, challenge_id, message_id)


def _no_open_challenge() -> NotFound:
    return NotFound("There is no open challenge with this number; `/challenges` shows them.")


async def _require_open(connection: aiosqlite.Connection, challenge_id: int, now: datetime) -> None:
    """Raise NotFound unless entries and votes count now."""
    if not await challenges.is_open(connection, challenge_id, now):
        raise NotFound("This challenge is over.")
