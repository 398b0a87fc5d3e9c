"""What the one statement that accepts a request counts: open jobs, blocks, budgets, and a clock that was wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from db import audit, blocks, decisions, jobs, quotas, strikes
from db.database import Database
from domain import Action, JobStatus, Origin, Outcome, OutcomeCode, Place, Verdict
from domain.quotas import Asker, QuotaDefaults, QuotaKind, QuotaRule, QuotaSubject
from domain.settings import GuildSettings
from tests.support.people import CHANNEL, GUILD, MEMBER, MODERATOR, OTHER
from tests.support.requests import NOW, ORIGIN, REQUEST

DEFAULTS = QuotaDefaults(per_hour=5_000, per_day=20_000, max_jobs=100)
ELSEWHERE = GUILD + 1
OTHERS_ELSEWHERE = Origin(user_id=OTHER, place=Place(guild_id=ELSEWHERE, channel_id=CHANNEL))


async def ask(
    database: Database, origin: Origin = ORIGIN, now: datetime = NOW, *, max_queue: int = 1000, cost: int = 1000
) -> int | None:
    async with database.transaction() as connection:
        return await jobs.enqueue(connection, REQUEST, origin, now, cost=cost, defaults=DEFAULTS, max_queue=max_queue)


async def left_in_hour(database: Database, now: datetime) -> int:
    standing = await quotas.fetch_standing(database, Asker.of(ORIGIN), DEFAULTS, now)
    return standing.per_hour - standing.used_hour


async def test_ended_jobs_make_room_in_the_queue(database: Database) -> None:
    first = await ask(database, max_queue=1)
    assert first is not None
    assert await ask(database, max_queue=1) is None
    async with database.transaction() as connection:
        assert await jobs.end(connection, first, JobStatus.CANCELLED, Outcome(OutcomeCode.CANCELLED, ""), NOW)
    assert await ask(database, max_queue=1) is not None


@pytest.mark.parametrize(
    ("guild_id", "user_id", "ends_in", "is_accepted"),
    [
        (GUILD, MEMBER, None, False),
        (GUILD, MEMBER, 1, False),
        (0, MEMBER, None, False),
        (GUILD, 0, None, False),
        (GUILD, MEMBER, -1, True),
        (ELSEWHERE, MEMBER, None, True),
        (ELSEWHERE, 0, None, True),
        (GUILD, OTHER, None, True),
        (0, OTHER, None, True),
    ],
)
async def test_a_block_holds_inside_the_statement(
    database: Database, guild_id: int, user_id: int, ends_in: int | None, is_accepted: bool
) -> None:
    expires_at = None if ends_in is None else NOW + timedelta(hours=ends_in)
    async with database.transaction() as connection:
        await blocks.add(connection, guild_id, user_id, MODERATOR, NOW, reason="test", expires_at=expires_at)
    assert (await ask(database) is not None) == is_accepted


async def test_a_budget_counts_its_own_server_s_open_jobs_only(database: Database) -> None:
    rule = QuotaRule(
        guild_id=GUILD, subject=QuotaSubject(QuotaKind.SERVER), max_jobs=1, actor_id=MODERATOR, set_at=NOW, reason="x"
    )
    async with database.transaction() as connection:
        await quotas.set_rule(connection, rule)
    assert await ask(database, OTHERS_ELSEWHERE) is not None
    assert await ask(database) is not None
    assert await ask(database) is None
    assert await ask(database, OTHERS_ELSEWHERE) is not None


async def test_the_best_of_several_roles_decides_about_the_day(database: Database) -> None:
    async with database.transaction() as connection:
        for role_id, per_day in ((1, 3000), (2, 7000), (3, 5000)):
            subject = QuotaSubject(QuotaKind.ROLE, role_id)
            rule = QuotaRule(
                guild_id=GUILD, subject=subject, per_day=per_day, actor_id=MODERATOR, set_at=NOW, reason="x"
            )
            await quotas.set_rule(connection, rule)
    asker = Asker.of(replace(ORIGIN, role_ids=(1, 2, 3)))
    assert (await quotas.fetch_standing(database, asker, DEFAULTS, NOW)).per_day == 7000


@pytest.mark.parametrize("ahead", [timedelta(hours=2), timedelta(days=1), timedelta(days=365)])
async def test_what_was_spent_while_the_clock_was_ahead_weighs_on_nobody(database: Database, ahead: timedelta) -> None:
    for _ in range(5):
        assert await ask(database, now=NOW + ahead) is not None
    assert await ask(database, now=NOW + ahead) is None
    assert await left_in_hour(database, NOW) == 5_000
    assert await ask(database, now=NOW) is not None
    assert await left_in_hour(database, NOW) == 4_000


async def test_a_clock_that_is_set_back_a_little_gives_nothing_for_free(database: Database) -> None:
    for _ in range(5):
        assert await ask(database, now=NOW) is not None
    assert await ask(database, now=NOW - timedelta(minutes=10)) is None


async def test_a_budget_forgets_what_was_spent_while_the_clock_was_ahead(database: Database) -> None:
    rule = QuotaRule(
        guild_id=GUILD, subject=QuotaSubject(QuotaKind.SERVER), per_hour=2000, per_day=2000, actor_id=MODERATOR,
        set_at=NOW, reason="x",
    )  # fmt: skip
    async with database.transaction() as connection:
        await quotas.set_rule(connection, rule)
    ahead = NOW + timedelta(days=3)
    assert [await ask(database, now=ahead) is not None for _ in range(3)] == [True, True, False]
    assert [await ask(database, now=NOW) is not None for _ in range(3)] == [True, True, False]


async def test_a_granted_appeal_lifts_its_strike_with_a_line_in_the_log(database: Database) -> None:
    verdict = Verdict(action=Action.REFUSE, clause="adult")
    async with database.transaction() as connection:
        decision_id = await decisions.record_prompt(connection, verdict, REQUEST, ORIGIN, NOW)
        settings = GuildSettings(strike_free_refusals=0)
        assert await strikes.record(connection, decision_id, settings, NOW, is_moderator=False) is not None
        assert await strikes.lift_for_decision(connection, decision_id, MODERATOR, NOW)
        assert not await strikes.lift_for_decision(connection, decision_id, MODERATOR, NOW)
    lines = await audit.search(database, GUILD, action="strike.lift")
    assert [(line.actor_id, line.target, line.details) for line in lines] == [
        (MODERATOR, f"member:{MEMBER}", {"lifted": 1, "reason": "the appeal was granted"})
    ]
