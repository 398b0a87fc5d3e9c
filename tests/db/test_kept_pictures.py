"""Pictures that members keep: once each, no longer than the picture is there, newest first by an index."""

from __future__ import annotations

from datetime import timedelta

import pytest

from db import erasure, jobs, kept_pictures, privacy, retention
from db.database import Database
from domain import Outcome, OutcomeCode
from tests.support.people import MEMBER, MODERATOR, OTHER
from tests.support.requests import NOW
from tests.support.traces import paint

NEWEST = "SELECT job_id, position FROM kept_pictures WHERE user_id = ? ORDER BY kept_at DESC, id DESC LIMIT 10"


async def keep(database: Database, user_id: int, job_id: int, seconds: int = 0) -> int:
    async with database.transaction() as connection:
        return await kept_pictures.keep(connection, user_id, job_id, [0, 1], NOW + timedelta(seconds=seconds))


async def kept(database: Database, user_id: int) -> list[int]:
    return [row["job_id"] for row in await database.fetch_all(NEWEST, (user_id,))]


async def test_a_picture_is_kept_once_by_each_and_the_newest_comes_first(database: Database) -> None:
    first, second = await paint(database, MEMBER), await paint(database, MEMBER)
    assert [await keep(database, OTHER, second), await keep(database, OTHER, first, 5)] == [1, 1]
    assert await keep(database, OTHER, second, 9) == 0
    assert await keep(database, MODERATOR, first) == 1
    assert await kept(database, OTHER) == [first, second]
    plan = await database.fetch_all(f"EXPLAIN QUERY PLAN {NEWEST}", (OTHER,))
    assert [row["detail"] for row in plan] == ["SEARCH kept_pictures USING INDEX kept_pictures_by_user (user_id=?)"]


@pytest.mark.parametrize("deed", ["erased", "erased alone", "withheld", "forgotten", "its member erased"])
async def test_a_mark_goes_with_its_picture(database: Database, deed: str) -> None:
    job_id, other_job = await paint(database, MEMBER), await paint(database, MODERATOR)
    await keep(database, OTHER, job_id)
    if deed != "forgotten":
        await keep(database, OTHER, other_job)
    async with database.transaction() as connection:
        if deed == "erased":
            await jobs.erase_pictures(connection, job_id)
        elif deed == "erased alone":
            assert not await jobs.erase_picture(connection, job_id, 0)
        elif deed == "withheld":
            await connection.execute("UPDATE jobs SET status = 'done', delivered_at = NULL WHERE id = ?", (job_id,))
            assert await jobs.withhold(connection, job_id, Outcome(OutcomeCode.REJECTED))
        elif deed == "its member erased":
            await erasure.note_erasure(connection, MEMBER, NOW)
    if deed == "forgotten":
        await retention.forget_old(database, NOW + timedelta(days=366))
    if deed == "its member erased":
        await erasure.erase_member(database, MEMBER, NOW)
    assert await kept(database, OTHER) == ([] if deed == "forgotten" else [other_job])
    assert await keep(database, OTHER, job_id) == 0


async def test_a_member_who_is_erased_keeps_nothing_and_has_chosen_nothing(database: Database) -> None:
    job_id = await paint(database, OTHER)
    await keep(database, MEMBER, job_id)
    assert (await privacy.export(database, MEMBER))["kept_pictures"][0]["job_id"] == job_id
    async with database.transaction() as connection:
        await erasure.note_erasure(connection, MEMBER, NOW)
    await erasure.erase_member(database, MEMBER, NOW)
    assert await kept(database, MEMBER) == []
    assert (await privacy.export(database, MEMBER))["kept_pictures"] == []
