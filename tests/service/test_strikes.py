"""Strikes as members and moderators meet them: the record, lifting, another ladder, and who is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from db import audit, decisions, guild_settings, strikes
from domain import Action, InvalidRequest, Verdict
from domain.strikes import NO_PENALTY, Rung
from service.context import Context
from service.strikes import Strikes
from tests.support.guilds import choose_review_channel
from tests.support.people import GUILD, MEMBER, MODERATOR, OTHER
from tests.support.requests import NOW, ORIGIN, REQUEST

VERDICT = Verdict(action=Action.REFUSE, clause="adult", tier="block", reason="No.")
REVIEW_CHANNEL = 5


@pytest.fixture
def ladder(context: Context) -> Strikes:
    return Strikes(context)


async def refuse(context: Context, times: int, user_id: int = MEMBER, first: int = 0) -> None:
    """So many different prompts of a member are refused."""
    settings = await guild_settings.load(context.database, GUILD)
    for number in range(first, first + times):
        async with context.writing() as connection:
            request = replace(REQUEST, prompt=f"placeholder {number}")
            origin = replace(ORIGIN, user_id=user_id)
            decision_id = await decisions.record_prompt(connection, VERDICT, request, origin, context.now())
            await strikes.record(connection, decision_id, settings, context.now(), is_moderator=False)


# ---- the record ------------------------------------------------------------------------------------------------------


async def test_a_member_without_refusals_has_a_clean_record(ladder: Strikes) -> None:
    record = await ladder.fetch_record(GUILD, MEMBER)
    assert (record.user_id, record.live, record.past, record.penalty) == (MEMBER, (), 0, NO_PENALTY)


async def test_a_record_parts_live_strikes_from_past_ones(ladder: Strikes, context: Context) -> None:
    await refuse(context, 3)
    context.clock = lambda: NOW + timedelta(days=14)
    await refuse(context, 4, first=10)
    record = await ladder.fetch_record(GUILD, MEMBER)
    assert (len(record.live), record.past) == (2, 1)
    assert (record.penalty.rung, record.penalty.count) == (Rung.SLOW, 2)
    assert record.settings.strike_free_refusals == 2
    assert (await ladder.fetch_record(GUILD, OTHER)).live == ()
    assert (await ladder.fetch_record(GUILD + 1, MEMBER)).live == ()


async def test_lifting_ends_the_penalty_and_says_how_many_it_lifted(ladder: Strikes, context: Context) -> None:
    await refuse(context, 5)
    assert (await ladder.fetch_record(GUILD, MEMBER)).penalty.rung is Rung.PAUSE
    assert await ladder.lift(GUILD, MEMBER, MODERATOR, reason="a class on crime") == 3
    record = await ladder.fetch_record(GUILD, MEMBER)
    assert (record.live, record.past, record.penalty) == ((), 3, NO_PENALTY)
    (row,) = await audit.search(context.database, GUILD, action="strike.lift")
    assert (row.actor_id, row.target) == (MODERATOR, f"member:{MEMBER}")
    assert row.details == {"lifted": 3, "reason": "a class on crime"}


async def test_there_must_be_something_to_lift(ladder: Strikes, context: Context) -> None:
    await refuse(context, 2)
    with pytest.raises(InvalidRequest, match="This member has no live strikes"):
        await ladder.lift(GUILD, MEMBER, MODERATOR, reason="again")
    assert await audit.search(context.database, GUILD) == []


# ---- another ladder --------------------------------------------------------------------------------------------------


async def test_a_trial_replays_the_days_with_the_servers_ladder_and_the_given_changes(
    ladder: Strikes, context: Context
) -> None:
    await choose_review_channel(context.database, REVIEW_CHANNEL, strike_pause_hours=7)
    await refuse(context, 4)
    trial = await ladder.try_ladder(GUILD, 30)
    assert (trial.days, trial.settings.strike_pause_hours) == (30, 7)
    assert [(one.user_id, one.refusals, one.strikes, one.rung) for one in trial.outcomes] == [(MEMBER, 4, 2, Rung.SLOW)]
    stricter = await ladder.try_ladder(GUILD, 30, strike_free_refusals=0, strike_pause_at=1)
    assert (stricter.settings.strike_free_refusals, stricter.settings.strike_pause_hours) == (0, 7)
    assert (stricter.outcomes[0].strikes, stricter.outcomes[0].rung) == (4, Rung.PAUSE)
    assert (await guild_settings.load(context.database, GUILD)).strike_free_refusals == 2
    context.clock = lambda: NOW + timedelta(days=31)
    assert (await ladder.try_ladder(GUILD, 30)).outcomes == ()


# ---- telling moderators ----------------------------------------------------------------------------------------------


async def test_the_last_rung_is_news_until_it_was_told(ladder: Strikes, context: Context) -> None:
    await choose_review_channel(context.database, REVIEW_CHANNEL)
    await refuse(context, 5)
    assert await ladder.fetch_news() == []
    await refuse(context, 1, first=5)
    (news,) = await ladder.fetch_news()
    assert (news.user_id, news.live, news.review_channel_id) == (MEMBER, 4, REVIEW_CHANNEL)
    assert await ladder.fetch_news() == [news]
    await ladder.mark_told(news.id)
    assert await ladder.fetch_news() == []


async def test_a_server_without_a_review_channel_has_news_for_nobody(ladder: Strikes, context: Context) -> None:
    await refuse(context, 6)
    (news,) = await ladder.fetch_news()
    assert news.review_channel_id is None


async def test_a_member_who_was_forgotten_is_no_news(ladder: Strikes, context: Context) -> None:
    await choose_review_channel(context.database, REVIEW_CHANNEL)
    await refuse(context, 6)
    async with context.writing() as connection:
        await connection.execute("UPDATE audit SET target = NULL, details = '{}' WHERE target IS NOT NULL")
    (news,) = await ladder.fetch_news()
    assert news.review_channel_id is None


async def test_after_a_long_absence_old_strikes_are_no_news(ladder: Strikes, context: Context) -> None:
    await choose_review_channel(context.database, REVIEW_CHANNEL)
    await refuse(context, 6)
    context.clock = lambda: NOW + timedelta(days=1)
    assert await ladder.fetch_news() == []
