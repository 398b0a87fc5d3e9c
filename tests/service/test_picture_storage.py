"""What use cases make of the picture files: results wait for them, and what is erased or old leaves them."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace

import pytest
from PIL import Image

from db import jobs as job_rows
from db import picture_sweep
from db.database import Database
from db.picture_files import month_of
from domain import JobStatus, NotFound
from service.health import Health
from tests.support.desk import Desk
from tests.support.people import MEMBER
from tests.support.requests import NOW, ORIGIN, USUAL_REQUEST
from tests.support.results import make_picture, make_result
from tests.support.traces import PNG, in_files, paint

MONTH = month_of(NOW)
_FILE = io.BytesIO()
Image.new("RGB", (64, 64), "white").save(_FILE, "PNG")
PICTURE_FILE = _FILE.getvalue()


async def painted(desk: Desk) -> int:
    """A job whose picture the worker has finished, and whose result is stored."""
    job = await desk.service.submit(USUAL_REQUEST, ORIGIN)
    over = asyncio.Event()
    desk.service.subscribe(lambda _: over.set())
    desk.backend.finish(make_result(job.id, job.request, replace(make_picture(), png=PICTURE_FILE)))
    await over.wait()
    return job.id


async def test_a_result_waits_for_a_month_s_file_that_can_t_be_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    obstacle = desk.database.pictures.path_of(MONTH)
    obstacle.mkdir()
    said: list[str] = []

    async def wait(self: Health, _seconds: float) -> None:
        said.extend(problem.error for problem in desk.service.health.problems)
        if len(said) > 1:
            obstacle.rmdir()

    monkeypatch.setattr(desk.service.health, "_sleep", lambda seconds: wait(desk.service.health, seconds))
    job_id = await painted(desk)
    assert all(f"{MONTH}.sqlite3" in error for error in said)
    assert len(said) == 2
    assert [one.png for one in await desk.jobs.fetch_pictures(job_id)] == [PICTURE_FILE]
    assert desk.service.health.problems == []


async def test_a_result_waits_for_its_rows_with_one_blob(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    finish, failures = job_rows.finish, [OSError("disk I/O error")] * 2

    async def finish_later(*arguments: object) -> bool:
        # Meanwhile a sweep leaves the waiting blob alone.
        desk.database.pictures.unswept.add(MONTH)
        assert await picture_sweep.sweep(desk.database) == 0 if failures else True
        if failures:
            raise failures.pop()
        return await finish(*arguments)  # type: ignore[arg-type]

    async def at_once(_seconds: float) -> None: ...

    monkeypatch.setattr(job_rows, "finish", finish_later)
    monkeypatch.setattr(desk.service.health, "_sleep", at_once)
    job_id = await painted(desk)
    assert len(await desk.database.pictures.list_keys(MONTH, -1, 10)) == 1
    assert [one.png for one in await desk.jobs.fetch_pictures(job_id)] == [PICTURE_FILE]


async def test_a_picture_of_a_job_that_was_cancelled_meanwhile_leaves_no_blob(desk: Desk) -> None:
    job = await desk.service.submit(USUAL_REQUEST, ORIGIN)
    async with desk.database.transaction() as connection:
        await connection.execute("UPDATE jobs SET status = 'cancelled' WHERE id = ?", (job.id,))
    over = asyncio.Event()
    desk.service.subscribe(lambda _: over.set())
    desk.backend.finish(make_result(job.id, job.request, replace(make_picture(), png=PICTURE_FILE)))
    await over.wait()
    assert await desk.database.pictures.list_keys(MONTH, -1, 10) == []


async def test_a_deleted_picture_is_in_no_file(desk: Desk) -> None:
    job = await desk.finish(png=PNG, message_id=5)
    await desk.jobs.erase(job.id, MEMBER)
    await desk.jobs.finish_deleting()
    assert not in_files(desk.database, PNG[:34])
    with pytest.raises(NotFound):
        await desk.service.requests.varied(job, 1)


async def test_who_deletes_a_picture_waits_for_nobody_else_s_bytes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = [await desk.finish(png=PNG + bytes([n]), message_id=n) for n in (5, 6)]
    collect, may_collect, rounds = picture_sweep.collect, asyncio.Event(), 0

    async def collect_later(database: Database) -> int:
        nonlocal rounds
        rounds += 1
        await may_collect.wait()
        return await collect(database)

    monkeypatch.setattr(picture_sweep, "collect", collect_later)
    await desk.jobs.erase(first.id, MEMBER)
    await asyncio.sleep(0)  # the collecting has begun, and is not through
    assert not await desk.jobs.erase_one(second.id, 1, MEMBER)
    assert in_files(desk.database, PNG[:34])
    may_collect.set()
    await desk.jobs.finish_deleting()
    assert rounds == 2
    assert not in_files(desk.database, PNG[:34])


async def test_a_stop_waits_for_bytes_only_so_long_and_the_next_start_deletes_them(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await desk.finish(png=PNG, message_id=5)

    async def never(_database: Database) -> int:
        await asyncio.Event().wait()
        return 0

    with monkeypatch.context() as stuck:
        stuck.setattr(picture_sweep, "collect", never)
        await desk.jobs.erase(job.id, MEMBER)
        await desk.jobs.finish_deleting(patience_seconds=0)
    await desk.service.privacy.forget()
    assert not in_files(desk.database, PNG[:34])


async def test_a_picture_that_is_deleted_during_a_backup_waits_for_nothing_and_goes_with_its_end(desk: Desk) -> None:
    job = await desk.finish(png=PNG, message_id=5)
    async with desk.database.pictures.undisturbed():
        await desk.jobs.erase(job.id, MEMBER)
        assert in_files(desk.database, PNG[:34])
    made = await desk.service.backups.make(MEMBER)
    assert made.path.exists()
    assert not in_files(desk.database, PNG[:34])


async def test_vary_paints_on_from_the_stored_picture(desk: Desk) -> None:
    job = await desk.finish(png=PNG, message_id=5)
    assert job.status is JobStatus.DELIVERED
    assert (await desk.service.requests.varied(job, 1)).init_image == PNG


async def test_an_export_has_the_picture_of_either_place(desk: Desk) -> None:
    first = await paint(desk.database, MEMBER)
    second = await paint(desk.database, MEMBER, png=b"in its row", in_row=True)
    export = await desk.service.privacy.export(MEMBER, 10_000_000)
    files = [part.pictures async for part in desk.service.privacy.fetch_parts(export)]
    assert files == [{f"{first}-0.png": PNG, f"{second}-0.png": b"in its row"}]


async def test_the_archives_of_an_export_are_numbered_from_one(desk: Desk) -> None:
    for _ in range(2):
        await paint(desk.database, MEMBER)
    export = await desk.service.privacy.export(MEMBER, len(PNG))  # room for one each
    parts = [(part.number, part.count) async for part in desk.service.privacy.fetch_parts(export)]
    assert parts == [(1, 2), (2, 2)]


async def test_the_first_retention_moves_what_an_older_bot_left_in_rows(desk: Desk) -> None:
    ids = [await paint(desk.database, MEMBER, png=PNG + bytes([n]) * 100_000, in_row=True) for n in range(10)]
    await desk.database.scrub()
    before = desk.database.path.stat().st_size
    await desk.service.privacy.forget()
    assert desk.database.path.stat().st_size < before - 900_000
    assert await rows_with_files(desk.database) == 0
    found = [(await desk.jobs.fetch_pictures(job_id))[0].png for job_id in ids]
    assert found == [PNG + bytes([n]) * 100_000 for n in range(10)]


async def rows_with_files(database: Database) -> int:
    row = await database.fetch_one("SELECT count(*) FROM pictures WHERE png IS NOT NULL")
    assert row is not None
    return int(row[0])
