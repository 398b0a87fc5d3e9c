"""The job table: accepted within limits, states that only move forward, delivered once."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from db import jobs
from db.database import Database
from domain import JobStatus, Origin, Outcome, OutcomeCode, Request
from domain.quotas import QuotaDefaults
from tests.support.people import CHANNEL, GUILD, MEMBER
from tests.support.requests import NOW, REQUEST
from tests.support.requests import ORIGIN as PLAIN_ORIGIN
from tests.support.results import make_picture, make_result

ORIGIN = replace(PLAIN_ORIGIN, place=replace(PLAIN_ORIGIN.place, age_restricted=True), filesize_limit=1000)


async def enqueue(
    database: Database,
    request: Request = REQUEST,
    origin: Origin = ORIGIN,
    now: datetime = NOW,
    *,
    max_queue: int = 100,
    max_jobs: int = 100,
    credits_per_hour: int = 100,
) -> int | None:
    """Every picture costs one credit here."""
    defaults = QuotaDefaults(per_hour=credits_per_hour * 1000, per_day=1_000_000, max_jobs=max_jobs)
    async with database.transaction() as connection:
        return await jobs.enqueue(
            connection, request, origin, now, cost=request.images * 1000, defaults=defaults, max_queue=max_queue
        )


async def finish(database: Database, job_id: int, *, is_safe: bool = True) -> bool:
    async with database.transaction() as connection:
        return await jobs.finish(connection, make_result(job_id, REQUEST, make_picture(is_safe=is_safe)), NOW, {})


async def fetch(database: Database, job_id: int) -> jobs.Job:
    job = await jobs.fetch(database, job_id)
    assert job is not None
    return job


async def test_an_accepted_request_reads_back_as_it_was(database: Database) -> None:
    request = replace(REQUEST, init_image=b"start", mask_image=b"mask")
    job_id = await enqueue(database, request)
    assert job_id is not None
    job = await fetch(database, job_id)
    assert job.request == request
    assert job.place == ORIGIN.place
    assert (job.user_id, job.guild_id, job.channel_id, job.filesize_limit) == (MEMBER, GUILD, CHANNEL, 1000)
    assert job.status is JobStatus.QUEUED
    assert job.created_at == NOW


async def test_concurrent_requests_never_exceed_the_jobs_of_a_member(database: Database) -> None:
    ids = await asyncio.gather(*(enqueue(database, max_jobs=3) for _ in range(20)))
    assert sum(job_id is not None for job_id in ids) == 3


async def test_concurrent_requests_never_exceed_the_credits_of_an_hour(database: Database) -> None:
    request = replace(REQUEST, images=2)
    ids = await asyncio.gather(*(enqueue(database, request, credits_per_hour=5) for _ in range(20)))
    assert sum(job_id is not None for job_id in ids) == 2


async def test_concurrent_requests_never_exceed_the_queue(database: Database) -> None:
    ids = await asyncio.gather(*(enqueue(database, max_queue=2) for _ in range(10)))
    assert sum(job_id is not None for job_id in ids) == 2


async def test_the_hour_rolls(database: Database) -> None:
    assert await enqueue(database, credits_per_hour=1)
    assert await enqueue(database, credits_per_hour=1, now=NOW + timedelta(minutes=59)) is None
    assert await enqueue(database, credits_per_hour=1, now=NOW + timedelta(minutes=61))


async def test_one_members_limit_is_not_anothers(database: Database) -> None:
    assert await enqueue(database, max_jobs=1)
    assert await enqueue(database, max_jobs=1, origin=replace(ORIGIN, user_id=99))


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.REFUSED, JobStatus.WITHHELD])
async def test_what_ended_without_a_picture_gives_its_cost_back(database: Database, status: JobStatus) -> None:
    job_id = await enqueue(database, credits_per_hour=1)
    assert job_id is not None
    async with database.transaction() as connection:
        assert await jobs.end(connection, job_id, status, Outcome(OutcomeCode.SAID, "no"), NOW)
    assert await enqueue(database, credits_per_hour=1)


async def test_a_withheld_picture_gives_its_cost_back(database: Database) -> None:
    job_id = await enqueue(database, credits_per_hour=1)
    assert job_id is not None
    assert await finish(database, job_id, is_safe=False)
    assert (await fetch(database, job_id)).status is JobStatus.WITHHELD
    assert await enqueue(database, credits_per_hour=1)


async def test_a_result_is_written_once_and_delivered_once(database: Database) -> None:
    job_id = await enqueue(database)
    assert job_id is not None
    assert await finish(database, job_id)
    assert not await finish(database, job_id)
    assert [job.id for job in await jobs.fetch_undelivered(database)] == [job_id]
    async with database.transaction() as connection:
        await jobs.mark_delivered(connection, job_id, 55, NOW)
    assert await jobs.fetch_undelivered(database) == []
    job = await fetch(database, job_id)
    assert (job.status, job.message_id, job.delivered_at) == (JobStatus.DELIVERED, 55, NOW)
    assert [painting.png for painting in await jobs.fetch_pictures(database, job_id)] == [b"png"]


async def test_a_cancelled_job_takes_no_result_any_more(database: Database) -> None:
    job_id = await enqueue(database)
    assert job_id is not None
    async with database.transaction() as connection:
        assert await jobs.end(connection, job_id, JobStatus.CANCELLED, Outcome(OutcomeCode.CANCELLED), NOW)
    assert not await finish(database, job_id)
    assert (await fetch(database, job_id)).status is JobStatus.CANCELLED


async def test_what_was_running_is_queued_again_after_a_crash(database: Database) -> None:
    job_id = await enqueue(database)
    assert job_id is not None
    async with database.transaction() as connection:
        assert await jobs.start(connection, job_id, NOW)
        await jobs.requeue_interrupted(connection)
    assert (await fetch(database, job_id)).status is JobStatus.QUEUED


async def test_erased_pictures_are_gone(database: Database) -> None:
    job_id = await enqueue(database, replace(REQUEST, init_image=b"start"))
    assert job_id is not None
    await finish(database, job_id)
    async with database.transaction() as connection:
        await jobs.erase_pictures(connection, job_id)
    assert [painting.png for painting in await jobs.fetch_pictures(database, job_id)] == [None]
    assert (await fetch(database, job_id)).request.init_image is None
