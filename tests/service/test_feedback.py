"""The owner's file of corrections: what moderators decided, and no words that are not kept any more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from db import audit, erasure, retention
from domain.corrections import Correction, Ruling
from domain.places import EVERYWHERE
from engine.policy.feedback import read_feedback
from service import feedback
from tests.support.desk import Desk
from tests.support.open_cases import DECIDER, appeal
from tests.support.people import CHANNEL, GUILD, MEMBER, MODERATOR
from tests.support.refusals import LICENSED, LIFTABLE, PHRASE

OWNER = 1
ROOM = 1_000_000


async def exported(desk: Desk, days: int | None = None) -> list[Correction]:
    made = await desk.service.feedback.export(OWNER, ROOM, days)
    found = list(read_feedback(made.data.decode().splitlines()))
    assert (made.corrections, made.worded) == (len(found), sum(one.prompt is not None for one in found))
    assert not made.is_cut
    return found


async def uphold(desk: Desk, prompt: str) -> None:
    await desk.cases.decisions.uphold((await appeal(desk, prompt)).id, DECIDER)


async def decide_three_ways(desk: Desk) -> None:
    await desk.cases.decisions.allow_here((await appeal(desk)).id, DECIDER, PHRASE)
    await desk.cases.decisions.allow_once((await appeal(desk, LICENSED)).id, DECIDER)
    await uphold(desk, f"{LICENSED}, at night")


async def test_every_ruling_is_in_the_file_newest_first(desk: Desk) -> None:
    await decide_three_ways(desk)
    found = await exported(desk)
    assert [(one.prompt, one.ruling, one.phrase) for one in found] == [
        (f"{LICENSED}, at night", Ruling.UPHELD, None),
        (LICENSED, Ruling.OVERTURNED, None),
        (LIFTABLE, Ruling.ALLOWED, PHRASE),
    ]
    assert [one.clause for one in found] == ["a", "a", "gore"]
    assert all(one.rules and one.rule_set for one in found)


async def test_what_is_not_decided_is_not_in_it(desk: Desk) -> None:
    await appeal(desk)
    await desk.refuse(LICENSED)
    assert await exported(desk) == []


async def test_nobody_and_no_server_is_named_in_it(desk: Desk) -> None:
    await decide_three_ways(desk)
    made = await desk.service.feedback.export(OWNER, ROOM)
    for number in (MEMBER, MODERATOR, GUILD, CHANNEL):
        assert str(number) not in made.data.decode()


@pytest.mark.parametrize("is_swept", [True, False])
async def test_words_are_gone_when_their_retention_is_over_swept_or_not(desk: Desk, is_swept: bool) -> None:
    await desk.service.settings.change(GUILD, MODERATOR, retention_days=30)
    await desk.cases.decisions.allow_here((await appeal(desk)).id, DECIDER, PHRASE)
    desk.pass_time(timedelta(days=31))
    await uphold(desk, LICENSED)
    if is_swept:
        await retention.forget_old(desk.database, desk.now)
    assert [(one.prompt, one.negative_prompt, one.phrase) for one in await exported(desk)][1] == (None, "", None)
    assert [one.ruling for one in await exported(desk)] == [Ruling.UPHELD, Ruling.ALLOWED]
    assert (await exported(desk))[0].prompt == LICENSED


@pytest.mark.parametrize(("days", "is_there"), [(364, True), (366, False)])
async def test_a_server_without_a_choice_keeps_words_for_a_year(desk: Desk, days: int, is_there: bool) -> None:
    await uphold(desk, LICENSED)
    desk.pass_time(timedelta(days=days))
    assert [one.prompt is not None for one in await exported(desk)] == [is_there]


async def test_a_server_that_keeps_words_for_ever_hands_them_on(desk: Desk) -> None:
    await desk.service.settings.change(GUILD, MODERATOR, retention_days=None)
    await uphold(desk, LICENSED)
    desk.pass_time(timedelta(days=4000))
    assert [one.prompt for one in await exported(desk)] == [LICENSED]


async def test_who_wants_to_be_forgotten_is_left_out_from_that_moment(desk: Desk) -> None:
    await decide_three_ways(desk)
    async with desk.database.transaction() as connection:
        await erasure.note_erasure(connection, MEMBER, desk.now)
    assert await exported(desk) == []
    await desk.service.privacy.erase_member(MEMBER)
    assert await exported(desk) == []


async def test_a_phrase_that_was_taken_back_corrects_nothing(desk: Desk) -> None:
    await desk.cases.decisions.allow_here((await appeal(desk)).id, DECIDER, PHRASE)
    await desk.cases.revoke_phrase(GUILD, PHRASE, MODERATOR)
    assert await exported(desk) == []


async def test_days_leave_out_what_is_older(desk: Desk) -> None:
    await uphold(desk, LICENSED)
    desk.pass_time(timedelta(days=10))
    await uphold(desk, LIFTABLE)
    assert [one.prompt for one in await exported(desk, 5)] == [LIFTABLE]
    assert len(await exported(desk, 11)) == 2


async def test_pages_meet_without_a_gap(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await decide_three_ways(desk)
    whole = await exported(desk)
    monkeypatch.setattr(feedback, "ROWS_A_PAGE", 2)
    assert await exported(desk) == whole


async def test_a_file_that_would_be_too_large_holds_the_newest_and_says_so(desk: Desk) -> None:
    await decide_three_ways(desk)
    whole = await desk.service.feedback.export(OWNER, ROOM)
    made = await desk.service.feedback.export(OWNER, len(whole.data) - 1)
    assert (made.corrections, made.is_cut) == (2, True)
    assert whole.data.startswith(made.data)


async def test_that_words_were_read_is_in_the_owners_audit_log(desk: Desk) -> None:
    await uphold(desk, LICENSED)
    await exported(desk, 7)
    (row,) = await audit.search(desk.database, EVERYWHERE)
    assert (row.actor_id, row.action) == (OWNER, "policy.feedback")
    assert row.details == {"corrections": 1, "with_words": 1, "days": 7}
