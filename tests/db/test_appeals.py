"""Appeals in the database: one case each, decided once; permissions used once."""

import asyncio
from datetime import datetime, timedelta

from db import allowances, appeals, decisions, retention
from db.database import Database
from domain import Action, Verdict
from domain.cases import CaseStatus
from tests.support.filed import file_appeal
from tests.support.guilds import choose_review_channel
from tests.support.people import CHANNEL, GUILD, MEMBER, MODERATOR
from tests.support.requests import NOW, ORIGIN, REQUEST

VERDICT = Verdict(action=Action.REFUSE, clause="adult", rules=("adult-1",), spans=((7, 18),), scores={"x": 0.5})


async def refuse(database: Database, now: datetime = NOW) -> int:
    async with database.transaction() as connection:
        decision_id = await decisions.record_prompt(connection, VERDICT, REQUEST, ORIGIN, now)
        await appeals.keep_refused(connection, decision_id, REQUEST, ORIGIN, now)
    return decision_id


async def appeal(database: Database, decision_id: int) -> int | None:
    async with database.transaction() as connection:
        return await file_appeal(connection, decision_id, NOW, "please")


async def resolve(database: Database, case_id: int, status: CaseStatus, by: int) -> bool:
    async with database.transaction() as connection:
        return await appeals.resolve(connection, case_id, status, by, NOW)


async def test_a_refused_request_is_kept_as_it_was_asked(database: Database) -> None:
    decision_id = await refuse(database)
    assert await appeals.fetch_refused(database, decision_id) == (REQUEST, ORIGIN)
    grounds = await appeals.fetch_grounds(database, decision_id)
    assert grounds is not None
    assert (grounds.clause, grounds.rules, grounds.spans, grounds.scores) == (
        "adult",
        ("adult-1",),
        ((7, 18),),
        {"x": 0.5},
    )


async def test_a_decision_is_appealed_once(database: Database) -> None:
    decision_id = await refuse(database)
    ids = await asyncio.gather(*(appeal(database, decision_id) for _ in range(10)))
    assert sum(case_id is not None for case_id in ids) == 1


async def test_of_two_moderators_one_decides(database: Database) -> None:
    case_id = await appeal(database, await refuse(database))
    assert case_id is not None
    ends = [CaseStatus.UPHELD, CaseStatus.ALLOWED_ONCE] * 5
    decided = await asyncio.gather(*(resolve(database, case_id, end, by) for by, end in enumerate(ends)))
    assert decided.count(True) == 1


async def test_what_is_not_shown_or_told_stays_on_the_list(database: Database) -> None:
    case_id = await appeal(database, await refuse(database))
    assert case_id is not None
    assert await appeals.fetch_unshown(database) == []  # there is nowhere to show it
    assert not await appeals.has_review_channel(database, GUILD)
    await choose_review_channel(database, 8)
    assert [(case.id, channel_id) for case, channel_id in await appeals.fetch_unshown(database)] == [(case_id, 8)]
    async with database.transaction() as connection:
        await appeals.mark_shown(connection, case_id, CaseStatus.OPEN, 8, 88)
    assert await appeals.fetch_unshown(database) == []
    await resolve(database, case_id, CaseStatus.UPHELD, MODERATOR)
    assert [case.card_message_id for case, _ in await appeals.fetch_unshown(database)] == [88]
    assert [case.id for case in await appeals.fetch_untold(database)] == [case_id]
    async with database.transaction() as connection:
        await appeals.mark_told(connection, case_id, NOW)
    assert await appeals.fetch_untold(database) == []


async def test_refused_requests_are_forgotten_unless_an_appeal_is_running(database: Database) -> None:
    forgotten, appealed = await refuse(database), await refuse(database)
    await appeal(database, appealed)
    await retention.forget_old(database, NOW + timedelta(days=8))
    assert await appeals.fetch_refused(database, forgotten) is None
    assert await appeals.fetch_refused(database, appealed) is not None


async def test_permission_for_one_picture_is_used_once(database: Database) -> None:
    async with database.transaction() as connection:
        await allowances.allow(connection, GUILD, "hash", MODERATOR, NOW, user_id=MEMBER)
        for job_id in (1, 2):
            await connection.execute(
                """INSERT INTO jobs (id, user_id, guild_id, channel_id, request, images, created_at)
                   VALUES (?, ?, ?, ?, '{}', 1, 0)""",
                (job_id, MEMBER, GUILD, CHANNEL),
            )
    assert await allowances.fetch_once(database, GUILD, MEMBER) == {"hash"}
    assert await allowances.fetch_once(database, GUILD, 99) == frozenset()
    async with database.transaction() as connection:
        assert await allowances.take_once(connection, GUILD, MEMBER, "hash", 1, NOW)
        assert not await allowances.take_once(connection, GUILD, MEMBER, "hash", 2, NOW)
    assert await allowances.fetch_once(database, GUILD, MEMBER) == frozenset()
    # A restart judges the stored job again: it still has what it used.
    assert await allowances.fetch_once(database, GUILD, MEMBER, job_id=1) == {"hash"}


async def test_an_allowed_phrase_can_be_taken_back(database: Database) -> None:
    async with database.transaction() as connection:
        await allowances.allow(connection, GUILD, "placeholder word", MODERATOR, NOW)
    assert [allowed.phrase for allowed in await allowances.fetch_phrases(database, GUILD)] == ["placeholder word"]
    assert await allowances.fetch_phrases(database, 3) == []
    async with database.transaction() as connection:
        assert await allowances.revoke(connection, GUILD, "placeholder word", NOW)
        assert not await allowances.revoke(connection, GUILD, "placeholder word", NOW)
    assert await allowances.fetch_phrases(database, GUILD) == []


async def test_history_counts_this_server_only(database: Database) -> None:
    case_id = await appeal(database, await refuse(database))
    assert case_id is not None
    await resolve(database, case_id, CaseStatus.UPHELD, MODERATOR)
    history = await appeals.fetch_history(database, GUILD, MEMBER)
    assert (history.refusals, history.appeals_upheld, history.appeals_allowed) == (1, 1, 0)
    assert (await appeals.fetch_history(database, 77, MEMBER)).refusals == 0


async def test_a_review_channel_that_was_taken_back_is_none(database: Database) -> None:
    await choose_review_channel(database, 8)
    assert await appeals.has_review_channel(database, GUILD)
    assert not await appeals.has_review_channel(database, GUILD + 1)
    await choose_review_channel(database, None)
    assert not await appeals.has_review_channel(database, GUILD)


async def test_what_is_to_be_shown_is_found_without_reading_all_cases(database: Database) -> None:
    plan = await database.fetch_all(f"EXPLAIN QUERY PLAN {appeals.UNSHOWN}")
    steps = " / ".join(str(row["detail"]) for row in plan)
    assert "cases_unshown" in steps
    assert "SCAN place_settings" not in steps
