"""Appeals as use cases: who may open one, who decides, and what follows, all or nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import aiosqlite
import pytest

from db import blocks, decisions, strikes
from domain import (
    Action,
    InvalidRequest,
    JobSource,
    NotAllowed,
    NotFound,
    OutcomeCode,
    Place,
    PromptRefused,
    SafetyReport,
    SafetyVerdict,
    Verdict,
)
from domain.cases import CaseStatus
from service.context import Topic
from tests.support.desk import Desk
from tests.support.guilds import choose_review_channel
from tests.support.open_cases import (
    DECIDER,
    REFUSED,
    actions,
    appeal,
    appeal_of,
    report,
    stored,
)
from tests.support.people import GUILD, MEMBER, MODERATOR, OTHER
from tests.support.refusals import LICENSED, LIFTABLE, PHRASE
from tests.support.requests import NOW, ORIGIN, USUAL_REQUEST

# ---- appeals ---------------------------------------------------------------------------------------------------------


async def test_a_refusal_is_appealed_once_and_the_moderators_hear_of_it(desk: Desk) -> None:
    decision_id = await desk.refuse(LIFTABLE)
    assert await desk.cases.require_appealable(decision_id, MEMBER, GUILD) == decision_id
    desk.news.clear()
    attempts = [desk.cases.appeal(decision_id, MEMBER, GUILD, "please") for _ in range(5)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    refusals = [str(outcome) for outcome in outcomes if isinstance(outcome, NotAllowed)]
    assert refusals == ["You appealed this already; it is with the moderators."] * 4
    assert outcomes.count(False) == 1  # no review channel
    assert desk.news == [(Topic.CASES, 0), (Topic.AUDIT, 0)]
    assert await actions(desk) == ["appeal.open"]
    with pytest.raises(NotAllowed, match="still with the moderators"):
        await desk.cases.require_appealable(decision_id, MEMBER, GUILD)


async def test_the_appellant_hears_whether_there_is_a_review_channel(desk: Desk) -> None:
    assert not await desk.cases.appeal(await desk.refuse(LIFTABLE), MEMBER, GUILD, "")
    await choose_review_channel(desk.database, 8)
    assert await desk.cases.appeal(await desk.refuse(f"{LIFTABLE}, hill"), MEMBER, GUILD, "")


@pytest.mark.parametrize(
    ("user_id", "guild_id", "sentence"),
    [
        (OTHER, GUILD, "Only the member whose request this was can appeal."),
        (MEMBER, None, "only in the server where you asked"),
        (MEMBER, GUILD + 1, "only in the server where you asked"),
    ],
)
async def test_a_refusal_is_appealed_by_its_member_in_its_server_only(
    desk: Desk, user_id: int, guild_id: int | None, sentence: str
) -> None:
    decision_id = await desk.refuse(LIFTABLE)
    with pytest.raises(NotAllowed, match=sentence):
        await desk.cases.require_appealable(decision_id, user_id, guild_id)
    with pytest.raises(NotAllowed, match=sentence):
        await desk.cases.appeal(decision_id, user_id, guild_id, "please")
    assert (await desk.cases.fetch_open(GUILD)).cases == ()


@pytest.mark.parametrize(
    ("clause", "tier", "words"),
    [("b", None, "clause \\(b\\)"), ("adult", "hard", "House rule: adult"), ("length", None, "House rule: length")],
)
async def test_what_no_moderator_may_change_can_not_be_appealed(
    desk: Desk, clause: str, tier: str | None, words: str
) -> None:
    verdict = Verdict(action=Action.REFUSE, clause=clause, tier=tier)
    async with desk.database.transaction() as connection:
        decision_id = await decisions.record_prompt(connection, verdict, USUAL_REQUEST, ORIGIN, NOW)
    with pytest.raises(NotAllowed, match=f"This can't be appealed. .*{words}"):
        await desk.cases.appeal(decision_id, MEMBER, GUILD, "please")
    assert not (await desk.service.refusals.fetch(decision_id, MEMBER)).is_appealable


async def test_a_withheld_picture_is_appealed_by_its_job(desk: Desk) -> None:
    job = await desk.service.submit(USUAL_REQUEST, ORIGIN)
    with pytest.raises(NotFound, match="nothing left to appeal"):
        await desk.cases.require_appealable_picture(job.id, MEMBER, GUILD)
    unsafe = SafetyReport(verdict=SafetyVerdict.UNSAFE, scores={"hentai": 0.9})
    async with desk.database.transaction() as connection:
        decision_id = await decisions.record_picture(connection, unsafe, job.request, ORIGIN, NOW, job.id)
    assert await desk.cases.require_appealable_picture(job.id, MEMBER, GUILD) == decision_id
    case = await appeal_of(desk, decision_id)
    file = await desk.cases.fetch_file(case)
    assert file.choices == (CaseStatus.ALLOWED_ONCE, CaseStatus.UPHELD, CaseStatus.BLOCKED)
    await desk.cases.decisions.allow_once(case.id, DECIDER)
    assert (await desk.cases.answers.answer_appeal(await stored(desk, case))).problem is None
    again = (await desk.jobs.fetch_open(MEMBER))[-1]
    assert again.request.prompt == job.request.prompt
    assert again.request.seed != job.request.seed


# ---- what is decided about an appeal ---------------------------------------------------------------------------------


async def test_allow_once_lets_the_request_through_once_and_lifts_its_strike(desk: Desk) -> None:
    for place in ("hill", "beach", "street"):
        decision_id = await desk.refuse(f"{LIFTABLE}, {place}")
    case = await appeal_of(desk, decision_id)
    await desk.cases.decisions.allow_once(case.id, DECIDER)
    assert [strike.is_live(NOW) for strike in await strikes.fetch_all(desk.database, GUILD, MEMBER)] == [False]
    assert (await actions(desk))[-2:] == ["case.allowed_once", "strike.lift"]
    request = replace(USUAL_REQUEST, prompt=f"{LIFTABLE}, street")
    await desk.service.submit(request, ORIGIN)
    with pytest.raises(PromptRefused):
        await desk.service.submit(request, ORIGIN)


async def test_a_granted_appeal_is_painted_once_though_its_answer_is_repeated(desk: Desk) -> None:
    case = await appeal(desk)
    await desk.cases.decisions.allow_once(case.id, DECIDER)
    (untold,) = await desk.cases.answers.fetch_untold()
    answer = await desk.cases.answers.answer_appeal(untold)
    assert (answer.clause_words, answer.problem) == ("House rule: gore", None)
    # The process ended before the letter was sent: nothing is left to be answered, and the job is there.
    assert await desk.cases.answers.fetch_untold() == []
    (job,) = await desk.jobs.fetch_open(MEMBER)
    assert (job.request.prompt, job.source, job.message_id) == (LIFTABLE, JobSource.APPEAL, None)


async def test_a_granted_request_is_painted_though_its_message_became_another_picture_since(desk: Desk) -> None:
    message = replace(ORIGIN, request_id=5)
    case = await appeal_of(desk, await desk.refuse(LIFTABLE, message))
    edited = await desk.service.submit(USUAL_REQUEST, message)
    await desk.cases.decisions.allow_once(case.id, DECIDER)
    assert (await desk.cases.answers.answer_appeal(await stored(desk, case))).problem is None
    painted = [(job.id == edited.id, job.request.prompt) for job in await desk.jobs.fetch_open(MEMBER)]
    assert painted == [(True, USUAL_REQUEST.prompt), (False, LIFTABLE)]


async def test_a_granted_request_that_can_not_be_accepted_says_why_and_stays_untold(desk: Desk) -> None:
    case = await appeal(desk)
    await desk.cases.decisions.allow_once(case.id, DECIDER)
    async with desk.database.transaction() as connection:
        await blocks.add(connection, GUILD, MEMBER, MODERATOR, NOW, reason="a rest")
    (untold,) = await desk.cases.answers.fetch_untold()
    problem = (await desk.cases.answers.answer_appeal(untold)).problem
    assert problem is not None
    assert problem.startswith("It can't be painted right now, so please ask for it again: You are blocked")
    assert [one.id for one in await desk.cases.answers.fetch_untold()] == [case.id]
    await desk.cases.answers.mark_told(case)
    assert await desk.cases.answers.fetch_untold() == []


async def test_allow_here_takes_a_phrase_that_helps_and_can_be_taken_back(desk: Desk) -> None:
    case = await appeal(desk)
    assert await desk.cases.decisions.suggest_phrase(case.id, GUILD) == PHRASE
    with pytest.raises(InvalidRequest, match="would still be refused"):
        await desk.cases.decisions.allow_here(case.id, DECIDER, "sunset")
    with pytest.raises(InvalidRequest, match="give the phrase"):
        await desk.cases.decisions.allow_here(case.id, DECIDER, "  ")
    await desk.cases.decisions.allow_here(case.id, DECIDER, f" {PHRASE} ")
    assert [allowed.phrase for allowed in await desk.cases.fetch_phrases(GUILD)] == [PHRASE]
    await desk.service.submit(REFUSED, ORIGIN)
    await desk.cases.revoke_phrase(GUILD, PHRASE, MODERATOR)
    with pytest.raises(PromptRefused):
        await desk.service.submit(REFUSED, ORIGIN)
    with pytest.raises(NotFound, match="not on the list"):
        await desk.cases.revoke_phrase(GUILD, PHRASE, MODERATOR)
    assert (await actions(desk))[-1] == "review.revoke"


async def test_no_server_allows_a_phrase_against_the_licence(desk: Desk) -> None:
    case = await appeal(desk, LICENSED)
    assert CaseStatus.ALLOWED_HERE not in (await desk.cases.fetch_file(case)).choices
    for attempt in (
        desk.cases.decisions.suggest_phrase(case.id, GUILD),
        desk.cases.decisions.allow_here(case.id, DECIDER, LICENSED),
    ):
        with pytest.raises(NotAllowed, match="No server may lift this clause"):
            await attempt
    assert (await stored(desk, case)).is_open


async def test_a_blocked_appellant_paints_no_more(desk: Desk) -> None:
    case = await appeal(desk)
    assert await desk.cases.decisions.block(case.id, DECIDER, "enough") == frozenset()
    with pytest.raises(NotAllowed, match="The reason given: enough"):
        await desk.service.submit(USUAL_REQUEST, ORIGIN)


async def test_a_block_by_a_case_takes_the_members_open_jobs_back_as_the_command_does(desk: Desk) -> None:
    case = await appeal(desk)
    here = await desk.service.submit(USUAL_REQUEST, ORIGIN)
    elsewhere = await desk.service.submit(USUAL_REQUEST, replace(ORIGIN, place=Place(guild_id=GUILD + 1)))
    await desk.cases.decisions.block(case.id, DECIDER, "enough")
    assert [job.id for job in await desk.jobs.fetch_open(MEMBER)] == [elsewhere.id]
    assert desk.backend.waiting == [elsewhere.id]
    job = await desk.jobs.fetch(here.id)
    assert job.outcome is not None
    assert job.outcome.code is OutcomeCode.CANCELLED_BY_MODERATOR
    assert (await actions(desk))[-3:] == ["case.blocked", "block.add", "job.cancel"]


async def test_of_two_moderators_one_decides_and_the_other_hears_so(desk: Desk) -> None:
    case = await appeal(desk)
    outcomes = await asyncio.gather(
        desk.cases.decisions.uphold(case.id, DECIDER),
        desk.cases.decisions.allow_once(case.id, replace(DECIDER, user_id=OTHER)),
        return_exceptions=True,
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "NotFound"]
    decided = [action for action in await actions(desk) if action.startswith("case.")]
    assert len(decided) == 1
    words = (await stored(desk, case)).end_in_words
    with pytest.raises(NotFound, match=f"This case is decided already: {words}."):
        await desk.cases.decisions.uphold(case.id, DECIDER)


async def test_moderators_decide_their_own_servers_cases_and_each_kind_in_its_way(desk: Desk) -> None:
    case = await appeal(desk)
    with pytest.raises(NotFound, match="not stored any more"):
        await desk.cases.decisions.uphold(case.id, replace(DECIDER, guild_id=GUILD + 1))
    with pytest.raises(NotAllowed, match="can't be decided so"):
        await desk.cases.decisions.approve(case.id, DECIDER)
    assert (await stored(desk, case)).is_open


async def test_a_decision_that_fails_halfway_leaves_nothing_behind(desk: Desk) -> None:
    case = await report(desk)
    async with desk.database.transaction() as connection:
        await connection.execute(
            "CREATE TRIGGER broken BEFORE UPDATE OF png ON pictures BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    before = await actions(desk)
    with pytest.raises(aiosqlite.IntegrityError, match="the disk is full"):
        await desk.cases.decisions.block(case.id, DECIDER, "enough")
    assert (await stored(desk, case)).is_open
    assert await blocks.fetch_all(desk.database, GUILD, NOW) == []
    assert await actions(desk) == before
