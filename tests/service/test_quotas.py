"""What moderators decide about credits, what members read of it, and many requests at the same moment."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from db import audit, guild_settings, jobs
from db.database import Database
from domain import InvalidRequest, JobStatus, Outcome, OutcomeCode, QuotaExceeded
from domain.quotas import Asker, LedgerKind, QuotaKind, QuotaLimits, QuotaSubject
from service.admission import Admission
from service.context import Context, Topic
from service.limits import Limits
from service.quotas import Quotas
from service.terms import Terms
from tests.support.idle_backend import IdleBackend
from tests.support.people import CHANNEL, GUILD, MEMBER, MODERATOR, OTHER
from tests.support.requests import NOW, ORIGIN, PROFILE
from tests.support.requests import USUAL_REQUEST as REQUEST
from tests.support.statements import recorded

ROLE = 21
MINE = QuotaSubject(QuotaKind.MEMBER, MEMBER)
HERE = QuotaSubject(QuotaKind.CHANNEL, CHANNEL)
ALL = QuotaSubject(QuotaKind.EVERYONE)
ASKER = Asker(user_id=MEMBER, guild_id=GUILD, channel_id=CHANNEL, role_ids=(ROLE,))
LIMITS = Limits(credits_per_hour=60, credits_per_day=600)


@pytest.fixture
def quotas(context: Context) -> Quotas:
    return Quotas(context, LIMITS, PROFILE)


async def spend(context: Context, cost: int, user_id: int = MEMBER) -> int:
    """An accepted job of this price."""
    origin = replace(ORIGIN, user_id=user_id)
    async with context.writing() as connection:
        job_id = await jobs.enqueue(
            connection, REQUEST, origin, context.now(), cost=cost, defaults=LIMITS.defaults, max_queue=1000
        )
    assert job_id is not None
    return job_id


async def set_rule(
    quotas: Quotas, subject: QuotaSubject, expires_in: timedelta | None = None, **limits: int | float
) -> None:
    values = QuotaLimits(**limits)  # pyright: ignore[reportArgumentType]
    await quotas.set_rule(GUILD, subject, values, MODERATOR, reason="test", expires_in=expires_in)


async def test_a_standing_is_one_state_of_the_database(quotas: Quotas, context: Context) -> None:
    await spend(context, 2000)
    with recorded() as recording:
        standing = await quotas.standing(ASKER)
    assert recording.sent == 1
    assert standing.hour_spends == standing.day_spends == ((NOW, 2000),)


# ---- rules -----------------------------------------------------------------------------------------------------------


async def test_a_rule_holds_until_it_expires_and_is_written_down_with_who_set_it(
    quotas: Quotas, context: Context
) -> None:
    limits = QuotaLimits(per_hour=1500, weight=2.0)
    rule = await quotas.set_rule(GUILD, MINE, limits, MODERATOR, reason="new here", expires_in=timedelta(days=7))
    assert (rule.per_hour, rule.weight, rule.expires_at) == (1500, 2.0, NOW + timedelta(days=7))
    assert (await quotas.fetch_overview(GUILD)).rules == (rule,)
    assert (await quotas.standing(ASKER)).per_hour == 1500
    (row,) = await audit.search(context.database, GUILD)
    assert (row.actor_id, row.action, row.target) == (MODERATOR, "quota.set", f"member:{MEMBER}")
    assert row.details["reason"] == "new here"
    context.clock = lambda: NOW + timedelta(days=7)
    assert (await quotas.fetch_overview(GUILD)).rules == ()
    assert (await quotas.standing(ASKER)).per_hour == 60_000


async def test_a_rule_that_decides_nothing_is_refused_and_leaves_no_trace(quotas: Quotas, context: Context) -> None:
    with pytest.raises(InvalidRequest, match="Give at least one of: per_hour, per_day, jobs, weight"):
        await set_rule(quotas, ALL)
    assert (await quotas.fetch_overview(GUILD)).rules == ()
    assert await audit.search(context.database, GUILD) == []


async def test_nothing_is_a_limit_too(quotas: Quotas) -> None:
    await set_rule(quotas, ALL, per_hour=0)
    assert (await quotas.standing(ASKER)).left == 0


async def test_a_removed_rule_lets_the_next_one_down_hold(quotas: Quotas) -> None:
    await set_rule(quotas, ALL, per_hour=9000)
    await set_rule(quotas, MINE, per_hour=1000)
    assert await quotas.remove_rule(GUILD, MINE, MODERATOR)
    assert (await quotas.standing(ASKER)).hour_source == ALL
    assert not await quotas.remove_rule(GUILD, MINE, MODERATOR)


async def test_every_change_is_announced_to_the_audit_channel_after_its_commit(
    quotas: Quotas, context: Context
) -> None:
    seen: list[str] = []
    context.topics.subscribe(Topic.AUDIT, lambda _: seen.append("audit"))
    await set_rule(quotas, MINE, per_hour=1000)
    await quotas.grant(GUILD, MINE, 500, MODERATOR, reason="prize")
    await quotas.reset(GUILD, MINE, MODERATOR, reason="sorry")
    await quotas.remove_rule(GUILD, MINE, MODERATOR)
    assert seen == ["audit"] * 4
    actions = [row.action for row in await audit.search(context.database, GUILD)]
    assert actions == ["quota.remove", "quota.reset", "quota.grant", "quota.set"]


# ---- grants and resets -----------------------------------------------------------------------------------------------


async def test_a_grant_is_extra_until_it_expires(quotas: Quotas, context: Context) -> None:
    await quotas.grant(GUILD, HERE, 2500, MODERATOR, reason="prize", expires_in=timedelta(hours=2))
    assert (await quotas.standing(ASKER)).extra == 2500
    (grant,) = (await quotas.fetch_overview(GUILD)).grants
    assert (grant.amount, grant.reason, grant.expires_at) == (2500, "prize", NOW + timedelta(hours=2))
    context.clock = lambda: NOW + timedelta(hours=2)
    assert (await quotas.standing(ASKER)).extra == 0
    assert (await quotas.fetch_overview(GUILD)).grants == ()


async def test_a_reset_forgives_what_was_spent(quotas: Quotas, context: Context) -> None:
    await spend(context, 4000)
    assert (await quotas.standing(ASKER)).left == 56_000
    await quotas.reset(GUILD, MINE, MODERATOR, reason="sorry")
    assert (await quotas.standing(ASKER)).left == 60_000


# ---- what people read ------------------------------------------------------------------------------------------------


async def test_a_member_reads_what_is_left_when_it_refills_and_what_pictures_cost(
    quotas: Quotas, context: Context
) -> None:
    before = await quotas.fetch_member(ASKER)
    assert (before.user_id, before.standing.left, before.refills_at) == (MEMBER, 60_000, None)
    assert before.prices == {"square, 512×512, 20 steps": 1000}
    await spend(context, 4000)
    after = await quotas.fetch_member(ASKER)
    assert (after.standing.left, after.refills_at) == (56_000, NOW + timedelta(hours=1))


async def test_the_usual_prices_are_those_of_the_servers_preset(quotas: Quotas, context: Context) -> None:
    async with context.writing() as connection:
        await guild_settings.change(connection, GUILD, MODERATOR, NOW, preset="faithful")
    ((name, price),) = (await quotas.usual_prices(GUILD)).items()
    assert name == "square, 512×512, 50 steps"
    assert price == pytest.approx(1000 * 82.9 / 34.7, rel=0.012)
    assert await quotas.usual_prices(0) == {"square, 512×512, 20 steps": 1000}


async def test_the_explanation_names_every_rule_that_concerns_the_member_here_and_no_other(quotas: Quotas) -> None:
    role, others = QuotaSubject(QuotaKind.ROLE, ROLE), QuotaSubject(QuotaKind.MEMBER, OTHER)
    for subject in (ALL, HERE, role, MINE, others, QuotaSubject(QuotaKind.CHANNEL, 1), QuotaSubject(QuotaKind.ROLE, 1)):
        await set_rule(quotas, subject, per_hour=1000)
    explanation = await quotas.explain(ASKER)
    assert [rule.subject for rule in explanation.rules] == [MINE, role, HERE, ALL]
    assert explanation.standing.hour_source == MINE


async def test_a_channel_and_everyone_show_what_all_spent_together(quotas: Quotas, context: Context) -> None:
    await set_rule(quotas, HERE, per_hour=5000)
    await spend(context, 1000, MEMBER)
    await spend(context, 2000, OTHER)
    context.clock = lambda: NOW + timedelta(hours=1)
    await spend(context, 500, OTHER)
    for subject in (HERE, ALL):
        credits = await quotas.fetch_subject(GUILD, subject)
        assert (credits.subject, credits.spent_hour, credits.spent_day) == (subject, 500, 3500)
    here = await quotas.fetch_subject(GUILD, HERE)
    assert here.rule is not None
    assert here.rule.per_hour == 5000
    assert (await quotas.fetch_subject(GUILD, ALL)).rule is None
    assert (await quotas.fetch_subject(GUILD, QuotaSubject(QuotaKind.ROLE, ROLE))).spent_hour is None


async def test_the_ledger_of_a_subject_shows_its_own_rows_newest_first(quotas: Quotas, context: Context) -> None:
    job_id = await spend(context, 1000)
    async with context.writing() as connection:
        await jobs.end(connection, job_id, JobStatus.FAILED, Outcome(OutcomeCode.FAILED), NOW)
    await quotas.grant(GUILD, MINE, 5000, MODERATOR, reason="prize")
    await quotas.grant(GUILD, ALL, 700, MODERATOR, reason="party")
    mine = await quotas.fetch_history(GUILD, MINE)
    assert [(entry.kind, entry.amount) for entry in mine] == [
        (LedgerKind.GRANT, 5000),
        (LedgerKind.REFUND, 1000),
        (LedgerKind.SPEND, -1000),
    ]
    assert [entry.amount for entry in await quotas.fetch_history(GUILD, ALL)] == [700]


# ---- many at once ----------------------------------------------------------------------------------------------------


async def test_two_hundred_concurrent_requests_get_exactly_what_the_credit_allows(tmp_path: Path) -> None:
    """Through the whole admission (policy, rules, spend), over four connections to one file."""
    path = tmp_path / "bot.sqlite3"
    limits = Limits(max_queue=1000, max_jobs_per_user=1000, credits_per_hour=37)

    def clock() -> datetime:
        return NOW

    async with AsyncExitStack() as stack:
        databases = [await stack.enter_async_context(Database(path)) for _ in range(4)]
        contexts = [Context(database, clock) for database in databases]
        await Terms(contexts[0]).agree(MEMBER)
        admissions = [Admission(context, IdleBackend(), Terms(context), limits) for context in contexts]
        outcomes = await asyncio.gather(
            *(admissions[number % 4].admit(REQUEST, ORIGIN) for number in range(200)), return_exceptions=True
        )
        kinds = Counter(type(outcome).__name__ for outcome in outcomes)
        assert kinds == {"Accepted": 37, "QuotaExceeded": 163}
        refusal = next(outcome for outcome in outcomes if isinstance(outcome, QuotaExceeded))
        assert refusal.retry_at == NOW + timedelta(hours=1)
        sums = await databases[0].fetch_one("SELECT count(*), sum(amount) FROM ledger WHERE kind = 'spend'")
        assert sums is not None
        assert tuple(sums) == (37, -37_000)
        rows = await databases[0].fetch_one("SELECT count(*), sum(cost) FROM jobs")
        assert rows is not None
        assert tuple(rows) == (37, 37_000)
