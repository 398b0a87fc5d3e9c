"""Strikes: what counts, the rungs, expiry, exemption, the dry run, and what members see of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from db import audit, decisions, strikes
from db.database import Database
from db.strikes import is_strike, penalty_of
from domain import Action, Verdict
from domain.settings import GuildSettings
from domain.strikes import Penalty, Refusal, Rung
from tests.support.people import GUILD, MEMBER, MODERATOR
from tests.support.requests import NOW, ORIGIN, REQUEST

SETTINGS = GuildSettings()
VERDICT = Verdict(action=Action.REFUSE, clause="adult", tier="block", reason="No.")


async def refuse(
    database: Database,
    number: int,
    now: datetime = NOW,
    verdict: Verdict = VERDICT,
    settings: GuildSettings = SETTINGS,
    *,
    is_moderator: bool = False,
) -> Penalty | None:
    async with database.transaction() as connection:
        request = replace(REQUEST, prompt=f"placeholder {number}")
        decision_id = await decisions.record_prompt(connection, verdict, request, ORIGIN, now)
        return await strikes.record(connection, decision_id, settings, now, is_moderator=is_moderator)


async def standing(database: Database, now: datetime = NOW) -> Penalty:
    live = [strike for strike in await strikes.fetch_all(database, GUILD, MEMBER) if strike.is_live(now)]
    return strikes.penalty_of([strike.created_at for strike in live], SETTINGS, now)


async def test_the_first_refusals_are_free_and_then_the_ladder_is_climbed(database: Database) -> None:
    rungs: list[Rung | None] = []
    for number in range(6):
        penalty = await refuse(database, number)
        rungs.append(penalty.rung if penalty else None)
    assert rungs == [None, None, Rung.WARN, Rung.SLOW, Rung.PAUSE, Rung.PAUSE]
    assert await standing(database) == Penalty(
        count=4, rung=Rung.PAUSE, until=NOW + timedelta(hours=1), moderators_told=True
    )
    actions = [row.action for row in await audit.search(database, GUILD)]
    assert actions == ["strike.moderators_told", "strike.add", "strike.add", "strike.add"]


async def test_a_pause_ends_and_strikes_expire(database: Database) -> None:
    for number in range(5):
        await refuse(database, number)
    assert (await standing(database, NOW + timedelta(hours=1))).rung is Rung.SLOW
    later = NOW + timedelta(days=SETTINGS.strike_days)
    assert await standing(database, later) == Penalty()


async def test_a_double_click_counts_once(database: Database) -> None:
    for seconds in (0, 5, 10, 15, 20):
        assert await refuse(database, 1, NOW + timedelta(seconds=seconds)) is None
    assert await refuse(database, 2, NOW + timedelta(seconds=30)) is None
    assert await refuse(database, 3, NOW + timedelta(seconds=40)) is not None


async def test_a_hard_rule_has_no_free_refusals(database: Database) -> None:
    penalty = await refuse(database, 1, verdict=replace(VERDICT, tier="hard"))
    assert penalty is not None
    assert penalty.rung is Rung.WARN


async def test_moderators_who_try_the_filter_are_exempt(database: Database) -> None:
    for number in range(9):
        assert await refuse(database, number, is_moderator=True) is None
    assert await standing(database) == Penalty()
    assert await strikes.dry_run(database, GUILD, SETTINGS, NOW - timedelta(days=1)) == []


async def test_lifted_strikes_count_no_more(database: Database) -> None:
    for number in range(4):
        await refuse(database, number)
    async with database.transaction() as connection:
        assert await strikes.lift(connection, GUILD, MEMBER, MODERATOR, NOW, reason="a mistake") == 2
        assert await strikes.lift(connection, GUILD, MEMBER, MODERATOR, NOW, reason="a mistake") == 0
    assert await standing(database) == Penalty()


async def test_a_granted_appeal_takes_its_strike_away(database: Database) -> None:
    for number in range(3):
        await refuse(database, number)
    row = await database.fetch_one("SELECT decision_id FROM strikes")
    assert row is not None
    async with database.transaction() as connection:
        assert await strikes.lift_for_decision(connection, row["decision_id"], MODERATOR, NOW)
    assert (await standing(database)).count == 0


async def test_the_dry_run_says_what_really_happened_and_what_another_ladder_would_do(database: Database) -> None:
    for number in range(5):
        await refuse(database, number, NOW - timedelta(days=20 - number))
    for number in range(10, 14):
        await refuse(database, number, NOW + timedelta(minutes=number))
    outcome = (await strikes.dry_run(database, GUILD, SETTINGS, NOW - timedelta(days=30)))[0]
    row = await database.fetch_one("SELECT count(*) FROM strikes")
    assert row is not None
    assert outcome.strikes == row[0]
    assert (outcome.user_id, outcome.refusals, outcome.rung) == (MEMBER, 9, Rung.SLOW)
    stricter = replace(SETTINGS, strike_free_refusals=0, strike_pause_at=1)
    assert (await strikes.dry_run(database, GUILD, stricter, NOW - timedelta(days=30)))[0].rung is Rung.PAUSE
    after = await database.fetch_one("SELECT count(*) FROM strikes")
    assert after is not None
    assert after[0] == row[0]


async def test_the_dry_run_says_whether_moderators_would_have_been_told(database: Database) -> None:
    for number in range(4):
        await refuse(database, number, NOW + timedelta(minutes=number))
    told: list[bool] = []
    for at in (2, 3):  # two of the four refusals are strikes
        settings = replace(SETTINGS, strike_tell_at=at)
        told += [one.moderators_told for one in await strikes.dry_run(database, GUILD, settings, NOW)]
    assert told == [True, False]


REFUSALS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 40_000), st.booleans()).map(
        lambda drawn: Refusal(
            user_id=MEMBER,
            prompt_sha256=str(drawn[0]),
            is_hard=drawn[2],
            decided_at=NOW + timedelta(seconds=drawn[1]),
        )
    ),
    max_size=12,
).map(lambda refusals: sorted(refusals, key=lambda one: one.decided_at))


@given(refusals=REFUSALS, free=st.integers(0, 5))
def test_more_free_refusals_never_mean_more_strikes(refusals: Sequence[Refusal], free: int) -> None:
    def strikes_with(free_refusals: int) -> int:
        settings = replace(SETTINGS, strike_free_refusals=free_refusals)
        return sum(is_strike(refusals[:index], one, settings) for index, one in enumerate(refusals))

    assert strikes_with(free + 1) <= strikes_with(free) <= len(refusals)


@given(count=st.integers(0, 8), minutes=st.integers(0, 100_000))
def test_a_penalty_never_grows_with_time(count: int, minutes: int) -> None:
    order = tuple(Rung)
    struck_at = [NOW] * count
    before = penalty_of(struck_at, SETTINGS, NOW)
    after = penalty_of(struck_at, SETTINGS, NOW + timedelta(minutes=minutes))
    assert order.index(after.rung) <= order.index(before.rung)
