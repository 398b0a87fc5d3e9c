"""Between the rows and the engine: whom a painting step wakes, and what becomes of jobs after a restart."""

from __future__ import annotations

import asyncio
import errno
import io
import sqlite3
from collections.abc import Awaitable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from db import allowances, jobs
from db.database import Database, DatabaseError
from domain import Job, JobStatus, OutcomeCode, QueueFull, Result, Task
from domain.queue import QueueState
from engine.safety import FixedScores
from engine.sampling.model import LoadedModel
from engine.worker.backend import OnProgress
from engine.worker.local_backend import LocalBackend
from service import Limits, Service, Topic
from service.dispatch import TAKEN_UP_AT_ONCE
from service.health import Health
from tests.support.desk import Desk, open_desk
from tests.support.idle_backend import IdleBackend
from tests.support.people import GUILD, MEMBER, MODERATOR
from tests.support.refusals import LIFTABLE, PHRASE
from tests.support.requests import NOW, ORIGIN, USUAL_REQUEST
from tests.support.results import make_picture, make_result

_FILE = io.BytesIO()
Image.new("RGB", (64, 64), "white").save(_FILE, "PNG")
PNG = _FILE.getvalue()


class Stubborn(IdleBackend):
    """Takes no job at all."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def submit(self, task: Task, on_progress: OnProgress) -> Future[Result]:
        raise self.error


async def accepted(database: Database) -> int:
    """A job that was accepted before the process ended."""
    async with open_desk(database) as desk:
        return (await desk.service.submit(USUAL_REQUEST, ORIGIN)).id


async def money_spent(desk: Desk) -> int:
    row = await desk.database.fetch_one("SELECT sum(amount) FROM ledger")
    assert row is not None
    return int(row[0])


async def ids(jobs: Awaitable[list[Job]]) -> list[int]:
    return [job.id for job in await jobs]


async def test_painting_steps_are_no_news_about_rows(desk: Desk) -> None:
    job = await desk.service.submit(USUAL_REQUEST, ORIGIN)
    desk.news.clear()
    heard = {topic: asyncio.Event() for topic in (Topic.JOBS, Topic.PROGRESS)}
    for topic, event in heard.items():
        desk.service.topics.subscribe(topic, lambda _, event=event: event.set())
    for step in (1, 2, 3):
        heard[Topic.PROGRESS].clear()
        desk.backend.take_step(job.id, step)
        await heard[Topic.PROGRESS].wait()
    await heard[Topic.JOBS].wait()
    # One row changed: the picture is being painted.
    assert desk.news.count((Topic.PROGRESS, job.id)) == 3
    assert desk.news.count((Topic.JOBS, job.id)) == 1
    assert (await desk.jobs.fetch(job.id)).status is JobStatus.RUNNING


@pytest.mark.parametrize("is_safe", [True, False])
async def test_a_finished_job_is_news_and_a_withheld_picture_is_a_decision(desk: Desk, is_safe: bool) -> None:
    job = await desk.service.submit(USUAL_REQUEST, ORIGIN)
    desk.news.clear()
    over = asyncio.Event()
    desk.service.subscribe(lambda _: over.set())
    picture = replace(make_picture(is_safe=is_safe), png=PNG if is_safe else None)
    desk.backend.finish(make_result(job.id, job.request, picture))
    await over.wait()
    assert desk.news == ([] if is_safe else [(Topic.DECISIONS, 0)]) + [(Topic.JOBS, job.id)]


@pytest.mark.parametrize(
    "error",
    [
        sqlite3.OperationalError("database is locked"),
        sqlite3.DatabaseError("database disk image is malformed"),
        OSError(errno.EROFS, "Read-only file system"),
        DatabaseError("a month's file can't be written"),
    ],
    ids=["locked", "malformed", "read-only", "month"],
)
@pytest.mark.parametrize(("write", "status"), [("start", "running"), ("finish", "done"), ("end", "failed")])
async def test_no_write_of_a_job_s_life_is_given_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, write: str, status: str, error: Exception
) -> None:
    """A failed one once left a finished picture "being painted" until the next start."""
    original, failures = getattr(jobs, write), [error] * 3

    async def write_later(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return await original(*arguments)

    async def at_once(_seconds: float) -> None: ...

    monkeypatch.setattr(jobs, write, write_later)
    monkeypatch.setattr(desk.service.health, "_sleep", at_once)
    job = await desk.service.submit(USUAL_REQUEST, ORIGIN)
    changed = asyncio.Event()
    desk.service.topics.subscribe(Topic.JOBS, lambda _: changed.set())
    if write == "start":
        desk.backend.take_step(job.id, 1)
    elif write == "finish":
        desk.backend.finish(make_result(job.id, job.request, replace(make_picture(), png=PNG)))
    else:
        desk.backend.fail(job.id, RuntimeError("the device is gone"))
    await changed.wait()
    assert failures == []
    assert (await desk.jobs.fetch(job.id)).status == status
    assert desk.service.health.problems == []


async def test_who_shows_progress_hears_of_steps_and_of_rows(desk: Desk) -> None:
    heard: list[int] = []
    desk.service.subscribe(heard.append)
    desk.service.topics.announce(Topic.PROGRESS, 3)
    desk.service.topics.announce(Topic.JOBS, 4)
    assert heard == [3, 4]


@pytest.mark.parametrize(
    ("error", "code"), [(QueueFull("full"), OutcomeCode.SAID), (RuntimeError("a bug"), OutcomeCode.FAILED)]
)
async def test_a_job_that_can_not_be_taken_up_again_ends_and_costs_nothing(
    database: Database, error: Exception, code: OutcomeCode
) -> None:
    job_id = await accepted(database)
    async with open_desk(database, Stubborn(error)) as desk:
        job = await desk.jobs.fetch(job_id)
        assert job.outcome is not None
        assert (job.status, job.outcome.code) == (JobStatus.FAILED, code)
        assert await money_spent(desk) == 0
        assert await ids(desk.service.deliveries.fetch_undelivered()) == [job_id]  # its member is told
        assert desk.service.health.problems == []


@pytest.mark.parametrize("max_queue", [1, 2])
async def test_a_queue_that_was_made_shorter_takes_no_accepted_job_away(
    database: Database, tiny_model: LoadedModel, max_queue: int
) -> None:
    waiting = await many(database, TAKEN_UP_AT_ONCE + 2)
    async with open_desk(database) as desk:
        await desk.service.queue.set_state(QueueState.PAUSED, MODERATOR)
    backend = LocalBackend(tiny_model, FixedScores(), max_queue=max_queue)
    async with Service(database, backend, Limits(max_queue=max_queue)) as service:
        await service.dispatch.finish_taking_up()
        assert await jobs.fetch_open_ids(database) == waiting
        assert backend.report().queued == len(waiting)
        with pytest.raises(QueueFull):
            await service.submit(replace(USUAL_REQUEST, width=64, height=64, scheduler="ddim"), ORIGIN)


async def test_a_job_whose_row_is_damaged_ends_and_holds_no_place(database: Database) -> None:
    job_id = await accepted(database)
    async with database.transaction() as connection:
        await connection.execute("UPDATE jobs SET request = '{}' WHERE id = ?", (job_id,))
    async with open_desk(database) as desk:
        row = await database.fetch_one("SELECT status, outcome FROM jobs WHERE id = ?", (job_id,))
        assert row is not None
        assert tuple(row) == ("failed", "failed")
        assert await money_spent(desk) == 0


async def test_a_job_that_storage_did_not_give_is_taken_up_at_the_next_start(database: Database) -> None:
    job_id = await accepted(database)
    async with open_desk(database, Stubborn(OSError("the disk is gone"))) as desk:
        assert await ids(desk.jobs.fetch_open(MEMBER)) == [job_id]
    async with open_desk(database) as desk:
        assert desk.backend.waiting == [job_id]


class Busy(IdleBackend):
    """Gives nothing back when it is closed."""

    def close(self, *, drain_seconds: float = 0) -> None:
        pass


async def test_a_stop_waits_for_no_picture_that_the_engine_still_has(database: Database) -> None:
    async with asyncio.timeout(60):  # otherwise without end
        async with open_desk(database, Busy()) as desk:
            job = await desk.service.submit(USUAL_REQUEST, ORIGIN)
    async with open_desk(database) as desk:
        assert desk.backend.waiting == [job.id]


async def test_a_job_that_a_server_s_phrase_let_through_is_taken_up_again(database: Database) -> None:
    async with database.transaction() as connection:
        await allowances.allow(connection, GUILD, PHRASE, MODERATOR, NOW)
    async with open_desk(database) as desk:
        job = await desk.service.submit(replace(USUAL_REQUEST, prompt=LIFTABLE), ORIGIN)
    async with open_desk(database) as desk:
        assert desk.backend.waiting == [job.id]


async def many(database: Database, count: int) -> list[int]:
    """Jobs that were accepted before the process ended, without their start pictures' bytes."""
    first = await accepted(database)
    async with database.transaction() as connection:
        await connection.execute(
            """WITH RECURSIVE numbers(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
               INSERT INTO jobs (user_id, guild_id, channel_id, request, images, created_at)
               SELECT 1000 + n, guild_id, channel_id, request, images, created_at FROM jobs, numbers WHERE id = ?""",
            (count, first),
        )
    return [int(row["id"]) for row in await database.fetch_all("SELECT id FROM jobs ORDER BY id")]


async def test_a_start_waits_for_the_first_waiting_jobs_only_and_takes_the_others_up_in_order(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_ids, original, has_started = await many(database, 3 * TAKEN_UP_AT_ONCE), jobs.fetch_open_some, asyncio.Event()
    # One that is taken back before its turn is never given to the engine; a damaged one ends.
    cancelled, damaged = open_ids[TAKEN_UP_AT_ONCE], open_ids[-1]
    async with database.transaction() as connection:
        await connection.execute("UPDATE jobs SET request = '{}' WHERE id = ?", (damaged,))

    async def fetch(database: Database, ids: list[int]) -> list[Job]:
        found = await original(database, ids)
        if ids[0] != open_ids[0]:
            await has_started.wait()
        return found

    monkeypatch.setattr(jobs, "fetch_open_some", fetch)
    async with open_desk(database) as desk:
        assert desk.backend.waiting == open_ids[:TAKEN_UP_AT_ONCE]
        await desk.jobs.cancel(cancelled, 1, is_moderator=True)
        has_started.set()
        await desk.service.dispatch.finish_taking_up()
        assert desk.backend.waiting == [one for one in open_ids if one not in (cancelled, damaged)]
        row = await database.fetch_one("SELECT status FROM jobs WHERE id = ?", (damaged,))
        assert row is not None
        assert row["status"] == "failed"


async def test_a_stop_while_waiting_jobs_are_taken_up_loses_none(database: Database) -> None:
    open_ids = await many(database, 3 * TAKEN_UP_AT_ONCE)
    async with open_desk(database):
        pass
    assert await jobs.fetch_open_ids(database) == open_ids


async def test_storage_that_fails_while_jobs_are_taken_up_is_asked_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_ids, original, failures = await many(database, 2 * TAKEN_UP_AT_ONCE), jobs.fetch_open_some, [1, 1]

    async def fetch(database: Database, ids: list[int]) -> list[Job]:
        if ids[0] != open_ids[0] and failures:
            failures.pop()
            raise OSError("disk I/O error")
        return await original(database, ids)

    async def at_once(_self: Health, _seconds: float) -> None: ...

    monkeypatch.setattr(jobs, "fetch_open_some", fetch)
    async with open_desk(database) as desk:
        monkeypatch.setattr(desk.service.health, "_sleep", lambda seconds: at_once(desk.service.health, seconds))
        await desk.service.dispatch.finish_taking_up()
        assert desk.backend.waiting == open_ids
        assert failures == []
        assert desk.service.health.problems == []
