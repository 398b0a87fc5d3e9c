"""Forgetting in time: what servers, direct messages and the bot's own periods take, and that disk space comes back."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from db import appeals, decisions, guild_settings, jobs, retention, space
from db.database import Database
from domain import Action, Verdict
from domain.cases import CaseStatus
from tests.support.filed import file_appeal
from tests.support.people import GUILD, MEMBER, MODERATOR
from tests.support.requests import NOW
from tests.support.traces import PNG, REQUEST, WORDS, in_files, origin, paint

REFUSAL = Verdict(action=Action.REFUSE, clause="adult")


async def keep_for(database: Database, days: int | None) -> None:
    async with database.transaction() as connection:
        await guild_settings.change(connection, GUILD, MODERATOR, NOW, retention_days=days)


async def is_worded(database: Database, job_id: int) -> bool:
    job = await jobs.fetch(database, job_id)
    assert job is not None
    return job.request.prompt != ""


async def test_retention_takes_words_and_pictures_of_the_servers_that_chose_it(database: Database) -> None:
    old = await paint(database, MEMBER)
    await keep_for(database, 30)
    assert await retention.forget_old(database, NOW + timedelta(days=29)) == 0
    assert await retention.forget_old(database, NOW + timedelta(days=31)) > 0
    await space.give_back(database)
    assert not in_files(database, WORDS)
    assert not in_files(database, PNG[:34])
    job = await jobs.fetch(database, old)
    assert job is not None
    assert (job.request.prompt, job.request.seed, job.user_id) == ("", 7, MEMBER)
    assert await retention.forget_old(database, NOW + timedelta(days=31)) == 0


@pytest.mark.parametrize("in_guild", [True, False])
async def test_who_chose_nothing_keeps_pictures_for_a_year(database: Database, in_guild: bool) -> None:
    job_id = await paint(database, MEMBER)
    if not in_guild:
        async with database.transaction() as connection:
            await connection.execute("UPDATE jobs SET guild_id = NULL")
            await connection.execute("UPDATE decisions SET guild_id = NULL")
    await retention.forget_old(database, NOW + timedelta(days=364))
    assert await is_worded(database, job_id)
    assert in_files(database, PNG[:64])
    await retention.forget_old(database, NOW + timedelta(days=366))
    await space.give_back(database)
    assert not in_files(database, WORDS)
    assert not in_files(database, PNG[:34])


async def test_a_server_may_keep_pictures_for_ever(database: Database) -> None:
    job_id = await paint(database, MEMBER)
    await keep_for(database, None)
    await retention.forget_old(database, NOW + timedelta(days=3650))
    assert await is_worded(database, job_id)


async def appeal(database: Database, moment: datetime, *, is_resolved: bool = True, is_told: bool = True) -> int:
    """An appeal with words against a refusal of `moment`; the decision's id."""
    async with database.transaction() as connection:
        decision_id = await decisions.record_prompt(connection, REFUSAL, REQUEST, origin(MEMBER), moment)
        await appeals.keep_refused(connection, decision_id, REQUEST, origin(MEMBER), moment)
        case_id = await file_appeal(connection, decision_id, moment, WORDS)
        assert case_id is not None
        if is_resolved:
            await appeals.resolve(connection, case_id, CaseStatus.UPHELD, MODERATOR, moment)
        if is_resolved and is_told:
            await appeals.mark_told(connection, case_id, moment)
    return decision_id


async def test_what_an_appeal_said_is_forgotten_with_its_server_s_pictures(database: Database) -> None:
    await keep_for(database, 2)
    await appeal(database, NOW)
    await retention.forget_old(database, NOW + timedelta(days=1))
    assert in_files(database, WORDS)
    await retention.forget_old(database, NOW + timedelta(days=3))
    await space.give_back(database)
    assert not in_files(database, WORDS)


@pytest.mark.parametrize("days", [2, 365])
@pytest.mark.parametrize(
    ("is_resolved", "is_told", "is_kept"), [(False, False, True), (True, False, True), (True, True, False)]
)
async def test_a_refused_request_stays_until_its_member_is_told(
    database: Database, is_resolved: bool, is_told: bool, is_kept: bool, days: int
) -> None:
    await keep_for(database, days)
    decision_id = await appeal(database, NOW, is_told=is_told, is_resolved=is_resolved)
    await retention.forget_old(database, NOW + timedelta(days=8))
    assert (await appeals.fetch_refused(database, decision_id) is not None) == is_kept


async def test_a_refused_request_that_nobody_appealed_goes_after_its_period(database: Database) -> None:
    async with database.transaction() as connection:
        decision_id = await decisions.record_prompt(connection, REFUSAL, REQUEST, origin(MEMBER), NOW)
        await appeals.keep_refused(connection, decision_id, REQUEST, origin(MEMBER), NOW)
    assert await retention.forget_old(database, NOW + timedelta(days=6)) == 0
    assert await retention.forget_old(database, NOW + timedelta(days=8)) == 1
    assert await appeals.fetch_refused(database, decision_id) is None


async def test_space_that_was_erased_leaves_the_file(database: Database) -> None:
    for number in range(4):
        await paint(database, MEMBER, png=PNG + bytes(500_000) + bytes([number]), in_row=True)
    await space.give_back(database)
    before = database.path.stat().st_size
    assert before > 2_000_000
    await retention.forget_old(database, NOW + timedelta(days=366))
    assert await space.give_back(database) > 1_900_000
    assert database.path.stat().st_size < before - 1_900_000
