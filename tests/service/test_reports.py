"""Reports, approvals and the cards of all cases as use cases: who decides, and what follows, all or nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from db import starboard
from domain import (
    JobStatus,
    NotAllowed,
    NotFound,
    OutcomeCode,
    Place,
)
from domain.cases import CaseKind, CaseStatus
from service.context import Topic
from tests.support.desk import Desk
from tests.support.guilds import choose_review_channel
from tests.support.open_cases import (
    CARD,
    DECIDER,
    MESSAGE,
    actions,
    appeal,
    report,
    stored,
    waiting,
)
from tests.support.people import CHANNEL, GUILD, MODERATOR, OTHER
from tests.support.refusals import LIFTABLE
from tests.support.requests import NOW, ORIGIN, USUAL_REQUEST

# ---- reports ---------------------------------------------------------------------------------------------------------


async def test_each_member_reports_a_picture_once_and_only_in_its_server(desk: Desk) -> None:
    job = await desk.finish(message_id=MESSAGE)
    assert await desk.cases.find_reportable(MESSAGE, GUILD) == job.id
    with pytest.raises(NotFound, match="no picture of mine"):
        await desk.cases.find_reportable(MESSAGE + 1, GUILD)
    for guild_id in (None, GUILD + 1):
        with pytest.raises(NotAllowed, match="only in the server the picture is in"):
            await desk.cases.require_reportable(job.id, guild_id)
        with pytest.raises(NotAllowed, match="only in the server the picture is in"):
            await desk.cases.find_reportable(MESSAGE, guild_id)
    await desk.cases.report(job.id, OTHER, GUILD, "not nice")
    with pytest.raises(NotAllowed, match="reported this picture already"):
        await desk.cases.report(job.id, OTHER, GUILD, "still not nice")
    await desk.cases.report(job.id, MODERATOR, GUILD, "indeed")
    assert [case.opened_by for case in (await desk.cases.fetch_open(GUILD)).cases] == [OTHER, MODERATOR]


async def test_a_removed_picture_is_erased_and_its_messages_are_named(desk: Desk) -> None:
    case = await report(desk)
    assert case.job_id is not None
    async with desk.database.transaction() as connection:
        await starboard.save(connection, GUILD, 9, 1, MODERATOR, NOW)
        await starboard.add_star(connection, case.job_id, OTHER, NOW)
        await starboard.close(connection, case.job_id, 99)
    file = await desk.cases.fetch_file(case)
    assert file.choices == (CaseStatus.KEPT, CaseStatus.REMOVED, CaseStatus.BLOCKED)
    assert file.picture_scores == {"x": 0.1}
    messages = await desk.cases.decisions.remove(case.id, DECIDER)
    assert messages == {(CHANNEL, MESSAGE), (9, 99)}
    assert [picture.png for picture in await desk.jobs.fetch_pictures(case.job_id)] == [None]
    assert (await actions(desk))[-2:] == ["case.removed", "job.delete"]


async def test_a_picture_that_is_reported_while_it_is_painted_is_taken_back(desk: Desk) -> None:
    job = await desk.service.submit(USUAL_REQUEST, replace(ORIGIN, message_id=MESSAGE))
    await desk.cases.report(job.id, OTHER, GUILD, "not nice")
    (case,) = (await desk.cases.fetch_open(GUILD)).cases
    assert await desk.cases.decisions.remove(case.id, DECIDER) == {(CHANNEL, MESSAGE)}
    assert (await desk.jobs.fetch(job.id)).status is JobStatus.CANCELLED
    assert desk.backend.waiting == []


async def test_a_block_by_a_report_takes_the_members_other_open_jobs_back_too(desk: Desk) -> None:
    case = await report(desk)
    waiting_job = await desk.service.submit(USUAL_REQUEST, ORIGIN)
    assert await desk.cases.decisions.block(case.id, DECIDER, "enough") == {(CHANNEL, MESSAGE)}
    assert (await desk.jobs.fetch(waiting_job.id)).status is JobStatus.CANCELLED
    assert waiting_job.id not in desk.backend.waiting


async def test_a_kept_picture_stays(desk: Desk) -> None:
    case = await report(desk)
    await desk.cases.decisions.keep(case.id, DECIDER)
    assert [picture.png for picture in await desk.jobs.fetch_pictures(case.job_id or 0)] == [b"picture"]


# ---- approvals -------------------------------------------------------------------------------------------------------


async def test_a_picture_waits_only_where_its_channel_asks_for_a_yes(desk: Desk) -> None:
    job = await desk.finish()
    assert not await desk.cases.hold(job, (CHANNEL,))
    assert not await desk.cases.set_approval(GUILD, CHANNEL, True, MODERATOR)
    assert not await desk.cases.hold(job, (CHANNEL + 1,))
    assert await desk.cases.hold(job, (CHANNEL + 1, CHANNEL))  # a thread of the channel
    assert await desk.cases.hold(job, (CHANNEL + 1, CHANNEL))
    assert [case.kind for case in (await desk.cases.fetch_open(GUILD)).cases] == [CaseKind.APPROVAL]
    await desk.cases.set_approval(GUILD, CHANNEL, False, MODERATOR)
    assert await desk.cases.hold(job, (CHANNEL,))  # it began to wait, so it waits on
    assert not await desk.cases.hold(await desk.finish(seed=2), (CHANNEL,))


async def test_pictures_in_direct_messages_wait_for_nobody(desk: Desk) -> None:
    await desk.cases.set_approval(GUILD, CHANNEL, True, MODERATOR)
    job = await desk.finish(origin=replace(ORIGIN, place=Place(channel_id=CHANNEL)))
    assert not await desk.cases.hold(job, (CHANNEL,))


async def test_an_approved_picture_is_delivered(desk: Desk) -> None:
    case = await waiting(desk)
    job = await desk.jobs.fetch(case.job_id or 0)
    desk.news.clear()
    await desk.cases.decisions.approve(case.id, DECIDER)
    assert {Topic.CASES, Topic.CASE_DECISIONS, Topic.AUDIT} <= {topic for topic, _ in desk.news}
    assert not await desk.cases.hold(job, (CHANNEL,))
    assert (Topic.JOBS, job.id) in desk.news
    assert (await desk.jobs.fetch(job.id)).status is JobStatus.DONE


async def test_a_rejected_picture_is_withheld_and_its_cost_returns(desk: Desk) -> None:
    case = await waiting(desk)
    desk.news.clear()
    await desk.cases.decisions.reject(case.id, DECIDER)
    job = await desk.jobs.fetch(case.job_id or 0)
    assert job.status is JobStatus.WITHHELD
    assert job.outcome is not None
    assert job.outcome.code is OutcomeCode.REJECTED
    assert (Topic.JOBS, job.id) in desk.news
    refund = await desk.database.fetch_one("SELECT sum(amount) FROM ledger WHERE job_id = ?", (job.id,))
    assert refund is not None
    assert refund[0] == 0
    assert (await stored(desk, case)).end_in_words == "not shown"


# ---- cards -----------------------------------------------------------------------------------------------------------


async def test_cards_wait_for_a_review_channel_and_then_stay_where_they_are(desk: Desk) -> None:
    case = await appeal(desk)
    assert await desk.cases.fetch_unshown() == []
    await choose_review_channel(desk.database, 8)
    assert await desk.cases.fetch_unshown() == [(case, 8)]
    await desk.cases.mark_shown(case, 8, 88)
    assert await desk.cases.fetch_unshown() == []
    await choose_review_channel(desk.database, 9)
    await desk.cases.decisions.uphold(case.id, DECIDER)
    ((shown, channel_id),) = await desk.cases.fetch_unshown()
    assert (shown.status, shown.card_message_id, channel_id) == (CaseStatus.UPHELD, 88, 8)
    assert (await desk.cases.fetch_file(shown)).choices == ()


async def test_a_card_that_a_crash_kept_from_being_noted_is_known_by_its_button(desk: Desk) -> None:
    case = await appeal(desk)
    await desk.cases.decisions.uphold(case.id, replace(DECIDER, card=CARD))
    ((shown, channel_id),) = await desk.cases.fetch_unshown()
    assert (channel_id, shown.card_message_id) == CARD


async def test_a_file_tells_the_members_history_here(desk: Desk) -> None:
    await desk.finish(message_id=MESSAGE)
    first = await appeal(desk)
    await desk.cases.decisions.uphold(first.id, DECIDER)
    desk.pass_time(timedelta(hours=1))
    file = await desk.cases.fetch_file(await appeal(desk, f"{LIFTABLE}, hill"))
    history = file.history
    assert (history.pictures, history.refusals, history.appeals_upheld, history.appeals_allowed) == (1, 2, 1, 0)
    assert file.grounds is not None
    assert file.grounds.prompt == f"{LIFTABLE}, hill"
    assert file.choices == (
        CaseStatus.ALLOWED_ONCE,
        CaseStatus.ALLOWED_HERE,
        CaseStatus.UPHELD,
        CaseStatus.BLOCKED,
    )
