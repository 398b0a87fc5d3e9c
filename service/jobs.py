"""What people and the engine do to a job: looking at it, taking it back, erasing it, ending it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Protocol

import aiosqlite

from db import audit, challenges, jobs, picture_sweep, pictures, prompt_channels, starboard
from domain import Job, JobStatus, NotAllowed, NotFound, Outcome, OutcomeCode, Picture, PictureFacts
from domain.audit import AuditAction
from service.context import Context, Topic
from service.health import STORAGE_ERRORS

log = logging.getLogger(__name__)


class Cancellable(Protocol):
    """The part of a backend that takes jobs back."""

    def cancel(self, job_id: int) -> bool: ...


class Jobs:
    """The rows are the truth; every change of one is announced with its id."""

    def __init__(self, context: Context, backend: Cancellable) -> None:
        self._context = context
        self._backend = backend
        self._deleting: asyncio.Task[None] | None = None
        self._has_erased = False

    # ---- looking ---------------------------------------------------------------------------------------------------

    async def fetch(self, job_id: int) -> Job:
        """The job. Raises NotFound if it is not stored (any more)."""
        job = await jobs.fetch(self._context.database, job_id)
        if job is None:
            raise NotFound("This picture is not stored any more.")
        return job

    async def find(self, job_id: int) -> Job | None:
        """The job, if it is stored."""
        return await jobs.fetch(self._context.database, job_id)

    async def fetch_in(self, job_id: int, guild_id: int | None, channel_id: int | None) -> Job:
        """The job of a private answer's button: only in the channel that shows it. Raises NotFound."""
        job = await self.fetch(job_id)
        if (job.guild_id, job.channel_id) != (guild_id, channel_id):
            raise NotFound("This picture is not stored any more.")
        return job

    async def fetch_at(self, job_id: int, guild_id: int | None, message_id: int | None) -> Job:
        """The job that a button under a message names. Raises NotFound if the message never showed it.

        After a restored backup an old message may name a job that is somebody else's now. While the job's message is
        not written down, its server has to do.
        """
        job = await self.fetch(job_id)
        is_here = job.guild_id == guild_id if job.message_id is None else job.message_id == message_id
        if not is_here:
            raise NotFound("This picture is not stored any more.")
        return job

    async def fetch_open(self, user_id: int | None = None) -> list[Job]:
        """Jobs that the engine still owes work for, of one member or all, oldest first."""
        return await jobs.fetch_open(self._context.database, user_id)

    async def fetch_open_ids(self) -> list[int]:
        """The ids of all open jobs, oldest first."""
        return await jobs.fetch_open_ids(self._context.database)

    async def fetch_open_some(self, ids: Sequence[int]) -> list[Job]:
        """Those of these jobs that are still open, oldest first, without their start pictures."""
        return await jobs.fetch_open_some(self._context.database, ids, with_files=False)

    async def fetch_pictures(self, job_id: int) -> list[Picture]:
        """The finished pictures; one that was withheld or erased has no file."""
        return await jobs.fetch_pictures(self._context.database, job_id)

    async def fetch_facts(self, job_id: int) -> list[PictureFacts]:
        """What is known of the finished pictures; their files are not read."""
        return await pictures.fetch_facts(self._context.database, job_id)

    async def fetch_one_picture(self, job_id: int, number: int) -> Picture | None:
        """One of a job's pictures, counted from 1; the others' files are not read."""
        return await pictures.fetch_at(self._context.database, job_id, number - 1)

    async def find_by_message(self, message_id: int) -> Job | None:
        """The job whose own message this is."""
        return await jobs.fetch_by_message(self._context.database, message_id)

    async def find_shown(self, message_id: int) -> Job | None:
        """The job that a message shows: its own, or as a challenge's entry, or on the starboard."""
        return await jobs.fetch_shown(self._context.database, message_id)

    async def fetch_messages(self, job: Job) -> set[tuple[int, int]]:
        """(channel, message) of all that shows the job: its own message, challenge entries and the starboard."""
        database = self._context.database
        copies = await challenges.fetch_copies(database, job.id) | await starboard.fetch_copies(database, job.id)
        return copies if job.message_id is None else copies | {(job.channel_id, job.message_id)}

    # ---- people act ------------------------------------------------------------------------------------------------

    async def cancel(self, job_id: int, user_id: int, *, is_moderator: bool = False) -> None:
        """Take an open job back; its cost returns. Raises NotAllowed, or NotFound if it is over already."""
        job = await self._fetch_own(job_id, user_id, is_moderator)
        is_own = user_id == job.user_id
        code = OutcomeCode.CANCELLED if is_own else OutcomeCode.CANCELLED_BY_MODERATOR
        if not await self.end(job_id, JobStatus.CANCELLED, Outcome(code), moderator_id=None if is_own else user_id):
            raise NotFound("This picture is finished already, so there is nothing to cancel.")
        self.stop(job_id)

    async def cancel_all(self, actor_id: int, *, user_id: int | None = None, guild_id: int | None = None) -> int:
        """Take back what is open of a member, in one server or (None) everywhere; returns how many.

        By a moderator, or by the member.
        """
        cancelled = 0
        for job in await self.fetch_open(user_id):
            if guild_id is None or job.guild_id == guild_id:
                with contextlib.suppress(NotFound):  # it was finished meanwhile
                    await self.cancel(job.id, actor_id, is_moderator=True)
                    cancelled += 1
        return cancelled

    async def replace(self, connection: aiosqlite.Connection, job_id: int) -> None:
        """Take an open job back without a word: something newer takes its place in its message."""
        now = self._context.now()
        if await jobs.end(connection, job_id, JobStatus.CANCELLED, Outcome(OutcomeCode.REPLACED), now):
            await jobs.mark_delivered(connection, job_id, None, now)

    def stop(self, job_id: int) -> None:
        """Let the engine drop a job that was ended."""
        self._backend.cancel(job_id)

    async def take_back(self, job_id: int) -> None:
        """End an open job without a word: nobody wants it any more."""
        async with self._context.writing() as connection:
            await self.replace(connection, job_id)
        self.stop(job_id)

    async def erase(self, job_id: int, user_id: int, *, is_moderator: bool = False) -> Job:
        """Erase a job's pictures for good; an open job is cancelled first. Raises NotAllowed or NotFound."""
        job = await self._fetch_own(job_id, user_id, is_moderator)
        if job.status.is_open:
            with contextlib.suppress(NotFound):
                await self.cancel(job_id, user_id, is_moderator=is_moderator)
        async with self._context.writing_news() as (connection, news):
            if await self.erase_in(connection, job, user_id):
                news.add(Topic.JOBS, job_id)
            if user_id != job.user_id:
                news.add(Topic.AUDIT)
        self.delete_erased_soon()
        return job

    async def erase_one(self, job_id: int, number: int, user_id: int, *, is_moderator: bool = False) -> bool:
        """Erase one of a job's pictures (counted from 1) for good; whether others are left. Raises as `erase`.

        The message is shown again without it, whatever happens to this process.
        """
        job = await self._fetch_own(job_id, user_id, is_moderator)
        async with self._context.writing_news() as (connection, news):
            news.add(Topic.JOBS, job_id)
            are_others_left = await jobs.erase_picture(connection, job_id, number - 1)
            if not are_others_left:
                await self.erase_in(connection, job, user_id)
            else:
                await jobs.deliver_again(connection, job_id)
                if user_id != job.user_id:
                    await audit.record_about_job(
                        connection, job_id, user_id, AuditAction.JOB_DELETE_ONE, self._context.now()
                    )
            if user_id != job.user_id:
                news.add(Topic.AUDIT)
        self.delete_erased_soon()
        return are_others_left

    async def erase_in(self, connection: aiosqlite.Connection, job: Job, user_id: int) -> bool:
        """Erase an ended job's pictures in the caller's transaction; somebody who is not its member is written down.

        `delete_erased_soon` after the commit deletes the bytes. Whether it was painted: then its row asks for its
        messages to be taken away, which the delivery does, also after a crash.
        """
        now = self._context.now()
        await jobs.erase_pictures(connection, job.id)
        was_painted = await jobs.deliver_again(connection, job.id)
        if not was_painted:
            await jobs.mark_delivered(connection, job.id, None, now)
        if user_id != job.user_id:
            await audit.record_about_job(connection, job.id, user_id, AuditAction.JOB_DELETE, now)
        return was_painted

    def delete_erased_soon(self) -> None:
        """Delete the bytes of erased pictures in the background: thousands take longer than a member should wait."""
        self._has_erased = True
        if self._deleting is None or self._deleting.done():
            self._deleting = asyncio.create_task(self._delete_all(), name="deleting erased pictures")

    async def _delete_all(self) -> None:
        while self._has_erased:
            self._has_erased = False
            await self.delete_erased()

    async def finish_deleting(self, patience_seconds: float | None = None) -> None:
        """Wait until the bytes of what was erased are deleted; what is left after the wait the next start deletes."""
        if self._deleting is not None:
            await asyncio.wait({self._deleting}, timeout=patience_seconds)
            self._deleting.cancel()
            await asyncio.gather(self._deleting, return_exceptions=True)

    async def delete_erased(self) -> None:
        """Delete the bytes of erased pictures now. What fails is logged, and done again with the retention."""
        try:
            await picture_sweep.collect(self._context.database)
        except STORAGE_ERRORS:
            log.exception("the bytes of an erased picture can't be deleted now; it is tried again within the hour")

    async def _fetch_own(self, job_id: int, user_id: int, is_moderator: bool) -> Job:
        job = await self.fetch(job_id)
        if job.user_id != user_id and not is_moderator:
            raise NotAllowed("Only the member who asked for this picture, or a moderator, can do that.")
        return job

    # ---- the engine and others end one -----------------------------------------------------------------------------

    async def end(self, job_id: int, status: JobStatus, outcome: Outcome, *, moderator_id: int | None = None) -> bool:
        """An open job ends without pictures; False if it was not open any more."""
        now = self._context.now()
        async with self._context.writing_news() as (connection, news):
            if not await jobs.end(connection, job_id, status, outcome, now):
                return False
            news.add(Topic.JOBS, job_id)
            if moderator_id is not None:
                await audit.record_about_job(connection, job_id, moderator_id, AuditAction.JOB_CANCEL, now)
                news.add(Topic.AUDIT)
            if status is JobStatus.CANCELLED:
                await self._show_earlier(connection, job_id)
        return True

    async def _show_earlier(self, connection: aiosqlite.Connection, job_id: int) -> None:
        """An edit was cancelled: the finished picture that it would have replaced is shown again in their message."""
        earlier_id = await jobs.show_again(connection, job_id)
        if earlier_id is not None:
            await jobs.mark_delivered(connection, job_id, None, self._context.now())
            await prompt_channels.give_back(connection, job_id, earlier_id)
