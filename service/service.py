"""Service: the one module that knows both the engine and the database.

A request goes one way: validate → agreement → policy → one enqueue statement → backend; its end comes back through
`_settle`, is written in one transaction, and waits as a row until the delivery loop has shown it. Nothing that must
survive lives here: after a crash `recover` rebuilds everything from the rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Self

from db import agreements, appeals, audit, decisions, jobs, meta, picture_hashes
from db.database import Database
from domain import (
    ConsentRequired,
    Job,
    JobCancelled,
    JobStatus,
    ModelProfile,
    NotAllowed,
    NotFound,
    Origin,
    Picture,
    PictureRefused,
    Progress,
    PromptRefused,
    Request,
    Result,
    Standing,
    Task,
    UserError,
)
from engine.images.fingerprint import fingerprint
from engine.images.upload import Upload, make_upload
from engine.policy import approve
from engine.policy.licence import TERMS_VERSION
from engine.worker.backend import Backend, EngineReport
from service.admission import OPEN, PAUSED, QUEUE_STATE, Admission, Limits, WriteWith
from service.allowances import fetch_allowances

log = logging.getLogger(__name__)


def utc_now() -> datetime:
    return datetime.now(UTC)


class Service:
    """Use as `async with Service(...) as service`: entering recovers what an earlier process left behind."""

    def __init__(
        self,
        database: Database,
        backend: Backend,
        limits: Limits | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.database = database
        self.clock = clock
        self._backend = backend
        self.admission = Admission(database, backend.profile, limits or Limits())
        self._progress: dict[int, Progress] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._listeners: list[Callable[[int], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        if await self.queue_state() == PAUSED:
            self._backend.pause()
        await self.admission.warm_up()
        await self.recover()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._backend.close)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def profile(self) -> ModelProfile:
        return self._backend.profile

    def subscribe(self, listener: Callable[[int], None]) -> None:
        """Call `listener(job_id)` in the event loop whenever something about a job has changed."""
        self._listeners.append(listener)

    # ---- a request comes in ----------------------------------------------------------------------------------------

    async def submit(self, request: Request, origin: Origin, also: WriteWith | None = None) -> Job:
        """Accept a request, durably. Raises a UserError (and costs nothing) if it can't be accepted.

        `also(connection, job_id)` writes in the same transaction as the acceptance.
        """
        self._backend.validate(request)
        if not await self.has_agreed(origin.user_id):
            raise ConsentRequired("Before your first picture, please read what this model may not be used for.")
        task = await self.admission.admit(request, origin, self.clock(), also)
        await self._hand_over(task)
        return await self.job(task.job_id)

    async def keep_for_consent(self, request: Request, origin: Origin) -> int:
        """Keep a request while its member reads the terms; returns the id for the "I agree" button."""
        async with self.database.transaction() as connection:
            return await agreements.keep_request(connection, request, origin, self.clock())

    async def agree(self, user_id: int, pending_id: int | None = None) -> tuple[Request, Origin] | None:
        """Record the member's agreement and hand back the request that was waiting for it, if there is one."""
        async with self.database.transaction() as connection:
            await agreements.agree(connection, user_id, TERMS_VERSION, self.clock())
            if pending_id is None:
                return None
            return await agreements.take_request(connection, pending_id, user_id)

    async def has_agreed(self, user_id: int) -> bool:
        return await agreements.has_agreed(self.database, user_id, TERMS_VERSION)

    async def agree_for_guild(self, guild_id: int, user_id: int) -> None:
        """Record that somebody who manages the server agreed to the terms for it."""
        async with self.database.transaction() as connection:
            await agreements.agree_for_guild(connection, guild_id, user_id, TERMS_VERSION, self.clock())

    # ---- the backend works -----------------------------------------------------------------------------------------

    async def _hand_over(self, task: Task) -> None:
        try:
            future = self._backend.submit(task, self._on_progress)
        except UserError as error:
            await self._end(task.job_id, JobStatus.FAILED, str(error))
            raise
        settling = asyncio.create_task(self._settle(task.job_id, future), name=f"job-{task.job_id}")
        self._tasks.add(settling)
        settling.add_done_callback(self._tasks.discard)

    def _on_progress(self, progress: Progress) -> None:
        """Called from the engine's threads."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop was closed while the last step ran
            self._loop.call_soon_threadsafe(self._take_progress, progress)

    def _take_progress(self, progress: Progress) -> None:
        earlier = self._progress.get(progress.job_id)
        if earlier is None:
            self._start_soon(progress.job_id)
        elif progress.preview is None and earlier.preview is not None:
            progress = Progress(
                job_id=progress.job_id,
                step=progress.step,
                total_steps=progress.total_steps,
                preview=earlier.preview,
            )
        self._progress[progress.job_id] = progress
        self._tell(progress.job_id)

    def _start_soon(self, job_id: int) -> None:
        task = asyncio.create_task(self._start(job_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self, job_id: int) -> None:
        async with self.database.transaction() as connection:
            await jobs.start(connection, job_id, self.clock())

    async def _settle(self, job_id: int, future: Future[Result]) -> None:
        """Wait for the backend and write down how the job ended. The worker loop's border: nothing escapes it."""
        try:
            result = await asyncio.wrap_future(future)
        except JobCancelled as error:
            await self._end(job_id, JobStatus.CANCELLED, str(error))
        except PictureRefused as error:
            await self._end(job_id, JobStatus.REFUSED, str(error))
        except UserError as error:
            await self._end(job_id, JobStatus.FAILED, str(error))
        except Exception:
            reference = secrets.token_hex(4)
            log.exception("job %d failed (reference %s)", job_id, reference)
            await self._end(
                job_id,
                JobStatus.FAILED,
                f"Something went wrong on our side; nothing was charged. If it happens again, tell the moderators this "
                f"reference: {reference}.",
            )
        else:
            with contextlib.suppress(NotFound):  # its member erased everything while it was being painted
                await self._finish(result)
        self._progress.pop(job_id, None)
        self._tell(job_id)

    async def _finish(self, result: Result) -> None:
        job = await self.job(result.job_id)
        origin = Origin(user_id=job.user_id, place=job.place)
        hashes = await asyncio.to_thread(_fingerprints, result)
        now = self.clock()
        async with self.database.transaction() as connection:
            if not await jobs.finish(connection, result, now):
                return
            await picture_hashes.store(connection, job.id, hashes)
            for picture in result.pictures:
                if not picture.safety.is_safe:
                    await decisions.record_picture(connection, picture.safety, job.request, origin, now, job.id)

    async def _end(self, job_id: int, status: JobStatus, outcome: str | None, moderator_id: int | None = None) -> bool:
        now = self.clock()
        async with self.database.transaction() as connection:
            has_ended = await jobs.end(connection, job_id, status, outcome, now)
            if has_ended and moderator_id is not None:
                await audit.record_about_job(connection, job_id, moderator_id, "job.cancel", now)
        return has_ended

    async def recover(self) -> None:
        """Give every accepted, unfinished job back to the backend, through the policy as it is today."""
        async with self.database.transaction() as connection:
            await jobs.requeue_interrupted(connection)
        for job in await jobs.fetch_open(self.database):
            try:
                allowed = await fetch_allowances(self.database, job.guild_id, job.user_id, job.id)
                approved = await asyncio.to_thread(approve, job.request, job.place, allowed)
                await self._hand_over(
                    Task(
                        job_id=job.id,
                        user_id=job.user_id,
                        approved=approved,
                        weight=job.weight,
                        guild_weight=job.guild_weight,
                    )
                )
            except PromptRefused as refusal:
                await self._end(job.id, JobStatus.REFUSED, str(refusal))
            except UserError as error:
                log.warning("job %d could not be taken up again: %s", job.id, error)

    # ---- people act on jobs ----------------------------------------------------------------------------------------

    async def cancel(self, job_id: int, user_id: int, *, is_moderator: bool = False) -> Job:
        """Take an open job back; its cost returns. Raises NotAllowed, or NotFound if it is over already."""
        job = await self._own_job(job_id, user_id, is_moderator)
        moderator_id = None if user_id == job.user_id else user_id
        outcome = "Nothing was charged." if moderator_id is None else "A moderator took it back; nothing was charged."
        if not await self._end(job_id, JobStatus.CANCELLED, outcome, moderator_id):
            raise NotFound("This picture is finished already, so there is nothing to cancel.")
        self._backend.cancel(job_id)
        self._tell(job_id)
        return await self.job(job_id)

    async def retire(self, job_id: int) -> None:
        """Take an open job back without a word: something newer takes its place in its message."""
        async with self.database.transaction() as connection:
            if await jobs.end(connection, job_id, JobStatus.CANCELLED, "Replaced; nothing was charged.", self.clock()):
                await jobs.mark_delivered(connection, job_id, None, self.clock())
        self._backend.cancel(job_id)

    async def delete(self, job_id: int, user_id: int, *, is_moderator: bool = False) -> Job:
        """Erase a job's pictures for good; an open job is cancelled first."""
        job = await self._own_job(job_id, user_id, is_moderator)
        if job.status.is_open:
            with contextlib.suppress(NotFound):
                await self.cancel(job_id, user_id, is_moderator=is_moderator)
        async with self.database.transaction() as connection:
            await jobs.erase_pictures(connection, job_id)
            await jobs.mark_delivered(connection, job_id, None, self.clock())
            if user_id != job.user_id:
                await audit.record_about_job(connection, job_id, user_id, "job.delete", self.clock())
        return job

    async def _own_job(self, job_id: int, user_id: int, is_moderator: bool) -> Job:
        job = await self.job(job_id)
        if job.user_id != user_id and not is_moderator:
            raise NotAllowed("Only the member who asked for this picture, or a moderator, can do that.")
        return job

    # ---- what others may look at -----------------------------------------------------------------------------------

    async def job(self, job_id: int) -> Job:
        job = await jobs.fetch(self.database, job_id)
        if job is None:
            raise NotFound("This picture is not stored any more.")
        return job

    async def open_jobs(self, user_id: int | None = None) -> list[Job]:
        return await jobs.fetch_open(self.database, user_id)

    async def pictures(self, job_id: int) -> list[Picture]:
        return await jobs.fetch_pictures(self.database, job_id)

    async def postings(self, job_id: int, limit_bytes: int) -> list[Upload]:
        """The job's released pictures as files of at most `limit_bytes` each."""
        scale = self.profile.display_scale
        return [
            await asyncio.to_thread(make_upload, picture.png, f"{job_id}-{picture.seed}", scale, limit_bytes)
            for picture in await self.pictures(job_id)
            if picture.png is not None
        ]

    def progress(self, job_id: int) -> Progress | None:
        return self._progress.get(job_id)

    def standing(self, job_id: int) -> Standing | None:
        return self._backend.standing(job_id)

    def report(self) -> EngineReport:
        return self._backend.report()

    def tokens_beyond(self, prompt: str) -> str:
        """The part of a prompt that lies beyond the model's first window, or an empty string."""
        return self._backend.tokens(prompt).beyond

    # ---- delivery --------------------------------------------------------------------------------------------------

    async def attach_message(self, job_id: int, message_id: int) -> None:
        async with self.database.transaction() as connection:
            await jobs.attach_message(connection, job_id, message_id)
        self._tell(job_id)

    async def undelivered(self) -> list[Job]:
        """Ended jobs that are to be shown; a picture that waits for a moderator's yes is not."""
        held = await appeals.fetch_held(self.database)
        return [job for job in await jobs.fetch_undelivered(self.database) if job.id not in held]

    async def withhold(self, job_id: int, outcome: str) -> Job:
        async with self.database.transaction() as connection:
            await jobs.withhold(connection, job_id, outcome)
        return await self.job(job_id)

    async def mark_delivered(self, job_id: int, message_id: int | None) -> None:
        async with self.database.transaction() as connection:
            await jobs.mark_delivered(connection, job_id, message_id, self.clock())
        self._tell(job_id)

    # ---- the bot's owner acts on the queue --------------------------------------------------------------------------

    async def queue_state(self) -> str:
        """ "open", "paused" (nothing new is started) or "draining" (nothing new is accepted)."""
        return await meta.recall(self.database, QUEUE_STATE) or OPEN

    async def set_queue_state(self, state: str, actor_id: int) -> None:
        """Pause, drain or open the queue; it stays so across restarts."""
        async with self.database.transaction() as connection:
            await meta.remember(connection, QUEUE_STATE, state)
            await audit.record(connection, None, actor_id, f"queue.{state}", "queue", {}, self.clock())
        if state == PAUSED:
            self._backend.pause()
        else:
            self._backend.resume()

    # ---- small things to remember across restarts ------------------------------------------------------------------

    async def recall(self, key: str) -> str | None:
        return await meta.recall(self.database, key)

    async def remember(self, key: str, value: str) -> None:
        async with self.database.transaction() as connection:
            await meta.remember(connection, key, value)

    def _tell(self, job_id: int) -> None:
        for listener in self._listeners:
            listener(job_id)


def _fingerprints(result: Result) -> list[tuple[int, bytes]]:
    """(position, fingerprint) of every released picture."""
    return [
        (position, fingerprint(picture.png))
        for position, picture in enumerate(result.pictures)
        if picture.png is not None
    ]
