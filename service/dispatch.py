"""Between the rows and the engine: hands accepted jobs over, listens to their progress, writes down how they end.

Nothing that must survive lives here: after a crash `recover` rebuilds everything from the rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Collection, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from db import decisions, jobs, picture_hashes
from db.picture_files import BlobPlace, month_of
from db.picture_sweep import written
from domain import (
    ApprovedRequest,
    Job,
    JobCancelled,
    JobStatus,
    NotFound,
    Origin,
    Outcome,
    OutcomeCode,
    PictureRefused,
    Progress,
    PromptRefused,
    Result,
    Task,
    UserError,
)
from engine.images.fingerprint import fingerprint
from engine.policy import approve
from engine.worker.backend import Backend
from service.allowances import fetch_allowances_of_job
from service.context import Context, Topic
from service.health import STORAGE_ERRORS, Health
from service.jobs import Jobs

log = logging.getLogger(__name__)

# So many jobs are read and judged in one go after a restart; the first of them before the bot logs in.
TAKEN_UP_AT_ONCE = 16


class Dispatch:
    """One task a job waits for its end. The border between the engine's threads and the event loop."""

    def __init__(self, context: Context, backend: Backend, jobs_: Jobs, health: Health) -> None:
        self._context = context
        self._health = health
        self._backend = backend
        self._jobs = jobs_
        self._progress: dict[int, Progress] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._taking_up: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Take up what an earlier process left behind."""
        self._loop = asyncio.get_running_loop()
        await self.recover()

    async def close(self) -> None:
        """Stop the engine; what is not finished is taken up at the next start."""
        if self._taking_up is not None:  # first: a closed engine takes nothing, and a job that it refuses has ended
            self._taking_up.cancel()
            await asyncio.gather(self._taking_up, return_exceptions=True)
        await asyncio.to_thread(self._backend.close)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def progress(self, job_id: int) -> Progress | None:
        """Where a job that is being painted stands; None before and after."""
        return self._progress.get(job_id)

    @property
    def painting(self) -> Collection[int]:
        """The ids of the jobs that have a `progress`."""
        return self._progress.keys()

    async def hand_over(self, job: Job, approved: ApprovedRequest, *, is_known: bool = False) -> None:
        """Give an accepted job to the engine. Raises a UserError, and then the job has ended as failed.

        A job that an earlier process accepted `is_known`: a limit that was lowered since does not take it away.
        """
        task = Task(
            job_id=job.id,
            user_id=job.user_id,
            approved=approved,
            weight=job.weight,
            guild_weight=job.guild_weight,
            is_known=is_known,
        )
        try:
            future = self._backend.submit(task, self._on_progress)
        except UserError as error:
            await self._end(task.job_id, JobStatus.FAILED, _said(error))
            raise
        self._keep(self._settle(task.job_id, future))

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- progress --------------------------------------------------------------------------------------------------

    def _on_progress(self, progress: Progress) -> None:
        """Called from the engine's threads."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop was closed while the last step ran
                self._loop.call_soon_threadsafe(self._take_progress, progress)

    def _take_progress(self, progress: Progress) -> None:
        earlier = self._progress.get(progress.job_id)
        if earlier is None:
            self._keep(self._start(progress.job_id))
        elif progress.preview is None:
            progress = replace(progress, preview=earlier.preview)
        self._progress[progress.job_id] = progress
        self._context.topics.announce(Topic.PROGRESS, progress.job_id)

    async def _start(self, job_id: int) -> None:
        async def start() -> None:
            async with self._context.writing_news() as (connection, news):
                if await jobs.start(connection, job_id, self._context.now()):
                    news.add(Topic.JOBS, job_id)

        await self._health.until_written(f"noting that picture {job_id} is being painted", start)

    # ---- the end ---------------------------------------------------------------------------------------------------

    async def _settle(self, job_id: int, future: Future[Result]) -> None:
        """Wait for the engine and write down how the job ended. The worker's border: nothing escapes it.

        Storage that takes nothing now is asked again until it does, the result kept meanwhile; if the process ends in
        between, the row still says that the job is open, and it is painted again with its seed.
        """
        try:
            result = await asyncio.wrap_future(future)
            hashes = await asyncio.to_thread(_fingerprints, result)
            await self._store(result, hashes)
        except NotFound:  # its member erased everything while it was being painted
            log.info("job %d was erased while it was being painted", job_id)
        except Exception as error:  # noqa: BLE001 - the border; what is unexpected is logged
            await self._end(job_id, *_end_of(job_id, error))
        self._progress.pop(job_id, None)
        self._context.topics.announce(Topic.JOBS, job_id)

    async def _end(self, job_id: int, status: JobStatus, outcome: Outcome) -> None:
        await self._health.until_written(
            f"storing the end of picture {job_id}", lambda: self._jobs.end(job_id, status, outcome)
        )

    async def _store(self, result: Result, hashes: list[tuple[int, bytes]]) -> None:
        """The picture files first, then the rows that name them; each is tried again until it is written."""
        name = f"storing picture {result.job_id}"
        database = self._context.database
        pngs = {position: one.png for position, one in enumerate(result.pictures) if one.png is not None}
        async with AsyncExitStack() as stack:

            async def write() -> list[BlobPlace]:
                month = month_of(self._context.now())
                return await stack.enter_async_context(written(database, month, list(pngs.values()), result.job_id))

            places = await self._health.until_written(name, write) if pngs else []
            named = dict(zip(pngs, places, strict=True))
            await self._health.until_written(name, lambda: self._finish(result, hashes, named))

    async def _finish(self, result: Result, hashes: list[tuple[int, bytes]], places: Mapping[int, BlobPlace]) -> None:
        job = await self._jobs.fetch(result.job_id)
        origin = Origin(user_id=job.user_id, place=job.place)
        now = self._context.now()
        withheld = [picture.safety for picture in result.pictures if not picture.safety.is_safe]
        async with self._context.writing_news() as (connection, news):
            if not await jobs.finish(connection, result, now, places):
                return
            await picture_hashes.store(connection, job.id, hashes)
            for report in withheld:
                await decisions.record_picture(connection, report, job.request, origin, now, job.id)
                news.add(Topic.DECISIONS)

    # ---- after a restart -------------------------------------------------------------------------------------------

    async def recover(self) -> None:
        """Give every accepted, unfinished job back to the engine, through the policy as it is today.

        The first at once, thousands of others beside the login and what members do. One that can't be taken up ends:
        its cost returns, and its member is told why.
        """
        async with self._context.writing() as connection:
            await jobs.requeue_interrupted(connection)
        database = self._context.database
        open_ids = await jobs.fetch_open_ids(database)
        first, others = open_ids[:TAKEN_UP_AT_ONCE], open_ids[TAKEN_UP_AT_ONCE:]
        await self._take_up_some(first, await jobs.fetch_open_some(database, first))
        if others:
            self._taking_up = asyncio.create_task(self._take_up_others(others), name="taking up")

    async def finish_taking_up(self) -> None:
        """Wait until the engine has everything that an earlier process left behind."""
        if self._taking_up is not None:
            await asyncio.wait({self._taking_up})

    async def _take_up_others(self, ids: Sequence[int]) -> None:
        for start in range(0, len(ids), TAKEN_UP_AT_ONCE):
            some = ids[start : start + TAKEN_UP_AT_ONCE]
            found = await self._health.until_written(
                "taking up waiting pictures", lambda some=some: jobs.fetch_open_some(self._context.database, some)
            )
            await self._take_up_some(some, found)

    async def _take_up_some(self, ids: Sequence[int], found: Sequence[Job]) -> None:
        readable = {job.id: job for job in found}
        for job_id in ids:
            job = readable.get(job_id)
            if job is not None:
                await self._take_up_or_end(job)
            else:  # a damaged row would count among its member's open pictures until the end of time
                await self._end(job_id, JobStatus.FAILED, Outcome(OutcomeCode.FAILED))

    async def _take_up_or_end(self, job: Job) -> None:
        try:
            await self._take_up(job)
        except STORAGE_ERRORS as error:  # the row still says that it is open; the next start takes it up
            self._health.note(f"taking picture {job.id} up again", error)
        except Exception as error:  # noqa: BLE001 - one broken job must not keep the bot from starting
            await self._end(job.id, *_end_of(job.id, error))

    async def _take_up(self, job: Job) -> None:
        allowed = await fetch_allowances_of_job(self._context.database, job.guild_id, job.user_id, job.id)
        approved = await asyncio.to_thread(approve, job.request, job.place, allowed)
        if not await jobs.is_open(self._context.database, job.id):
            return  # its member took it back meanwhile
        await self.hand_over(job, approved, is_known=True)


def _end_of(job_id: int, error: Exception) -> tuple[JobStatus, Outcome]:
    """How a job ends that the engine gave up, or never got."""
    if isinstance(error, JobCancelled):
        return JobStatus.CANCELLED, Outcome(OutcomeCode.CANCELLED)
    if isinstance(error, PictureRefused | PromptRefused):
        return JobStatus.REFUSED, _said(error)
    if isinstance(error, UserError):
        return JobStatus.FAILED, _said(error)
    reference = secrets.token_hex(4)
    log.error("job %d failed (reference %s)", job_id, reference, exc_info=error)
    return JobStatus.FAILED, Outcome(OutcomeCode.FAILED, reference)


def _said(error: UserError) -> Outcome:
    return Outcome(OutcomeCode.SAID, str(error))


def _fingerprints(result: Result) -> list[tuple[int, bytes]]:
    """(position, fingerprint) of every released picture."""
    return [
        (position, fingerprint(picture.png))
        for position, picture in enumerate(result.pictures)
        if picture.png is not None
    ]
