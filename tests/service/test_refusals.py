"""What a refusal keeps, and for whom: words, marks, the request; nothing of clause b."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from db import appeals, decisions
from domain import Action, NotAllowed, NotFound, Place, PromptRefused, Verdict
from domain.settings import GuildSettings
from service.allowances import write_refusal
from tests.support.desk import Desk
from tests.support.people import CHANNEL, GUILD, MEMBER, OTHER
from tests.support.refusals import FORBIDDEN, LIFTABLE
from tests.support.requests import NOW, ORIGIN, USUAL_REQUEST
from tests.support.statements import recorded

IN_PRIVATE = replace(ORIGIN, place=Place(guild_id=None, channel_id=CHANNEL))


async def refuse_under(desk: Desk, clause: str, *rules: str, tier: str | None = None) -> int:
    """A refusal of the usual request as if the policy had said so; the decision's id."""
    verdict = Verdict(action=Action.REFUSE, clause=clause, tier=tier, rules=rules, spans=((0, 4),), reason="No.")
    context = desk.service.refusals._context
    refusal = await write_refusal(context, PromptRefused(verdict), USUAL_REQUEST, ORIGIN, GuildSettings())
    assert refusal.decision_id is not None
    return refusal.decision_id


async def test_a_refusal_says_again_what_it_said_and_marks_what_met_the_rule(desk: Desk) -> None:
    with pytest.raises(PromptRefused) as refused:
        await desk.service.submit(replace(USUAL_REQUEST, prompt=LIFTABLE), ORIGIN)
    again = await desk.service.refusals.fetch(refused.value.decision_id or 0, MEMBER)
    assert again.text == str(refused.value)
    assert again.prompt == LIFTABLE
    assert FORBIDDEN in [LIFTABLE[start:end] for start, end in again.marks]


async def test_nobody_else_reads_or_opens_a_refusal(desk: Desk) -> None:
    decision_id, refusals = await desk.refuse(LIFTABLE), desk.service.refusals
    with pytest.raises(NotAllowed, match="Only the author"):
        await refusals.fetch(decision_id, OTHER)
    with pytest.raises(NotAllowed, match="Only the author"):
        await refusals.fetch_draft(decision_id, OTHER, GUILD, CHANNEL)
    with pytest.raises(NotFound, match="not stored any more"):
        await refusals.fetch(decision_id + 1, MEMBER)
    assert await refusals.fetch_recent(OTHER, GUILD) == []


async def test_a_strike_is_named_again_while_it_is_live(desk: Desk) -> None:
    said: list[tuple[int, str]] = []
    for number in range(3):
        with pytest.raises(PromptRefused) as refused:
            await desk.service.submit(replace(USUAL_REQUEST, prompt=f"{LIFTABLE}, number {number}"), ORIGIN)
        said.append((refused.value.decision_id or 0, str(refused.value)))
    assert "strike 1" in said[-1][1]
    for decision_id, text in said:
        assert (await desk.service.refusals.fetch(decision_id, MEMBER)).text == text
    desk.pass_time(timedelta(days=60))
    assert "strike" not in (await desk.service.refusals.fetch(said[-1][0], MEMBER)).text


@pytest.mark.parametrize("clause", ["b", "length"])
async def test_of_clause_b_and_of_a_length_no_request_is_kept(desk: Desk, clause: str) -> None:
    decision_id = await refuse_under(desk, clause, tier="hard")
    found = await desk.service.refusals.fetch(decision_id, MEMBER)
    assert (found.is_editable, found.is_appealable) == (False, False)
    with pytest.raises(NotFound, match="not stored any more"):
        await desk.service.refusals.fetch_draft(decision_id, MEMBER, GUILD, CHANNEL)
    if clause == "b":
        assert (found.prompt, found.negative_prompt, found.marks) == (None, None, ())


@pytest.mark.parametrize("rule", ["b.harm", "semantic.b"])
async def test_nothing_is_pointed_at_where_clause_b_was_suspected_too(desk: Desk, rule: str) -> None:
    found = await desk.service.refusals.fetch(await refuse_under(desk, "gore", "gore.gore", rule), MEMBER)
    assert found.prompt == USUAL_REQUEST.prompt
    assert found.marks == ()
    plain = await desk.service.refusals.fetch(await refuse_under(desk, "gore", "gore.gore"), MEMBER)
    assert plain.marks == ((0, 4),)


async def test_what_can_not_be_appealed_can_still_be_edited(desk: Desk) -> None:
    hard = await refuse_under(desk, "adult", "adult.adult", tier="hard")
    in_private = await desk.refuse(LIFTABLE, IN_PRIVATE)
    for decision_id, guild_id in ((hard, GUILD), (in_private, None)):
        found = await desk.service.refusals.fetch(decision_id, MEMBER)
        assert (found.is_editable, found.is_appealable) == (True, False)
        assert "press Appeal" not in found.text
        draft = await desk.service.refusals.fetch_draft(decision_id, MEMBER, guild_id, CHANNEL)
        assert draft.request.prompt == found.prompt


async def test_a_form_opens_in_its_own_server_and_a_start_picture_in_its_own_channel(desk: Desk) -> None:
    fetch_draft = desk.service.refusals.fetch_draft
    decision_id = await desk.refuse(LIFTABLE)
    await fetch_draft(decision_id, MEMBER, GUILD, CHANNEL + 1)
    with pytest.raises(NotAllowed, match="in the server where you asked"):
        await fetch_draft(decision_id, MEMBER, GUILD + 1, CHANNEL)
    async with desk.database.transaction() as connection:
        await connection.execute("UPDATE refused_requests SET init_image = x'00'")
    await fetch_draft(decision_id, MEMBER, GUILD, CHANNEL)
    with pytest.raises(NotAllowed, match="only where you asked"):
        await fetch_draft(decision_id, MEMBER, GUILD, CHANNEL + 1)


async def test_the_list_holds_the_last_days_of_this_server_newest_first(desk: Desk) -> None:
    await desk.refuse(LIFTABLE)
    desk.pass_time(timedelta(days=5))
    newer = [await desk.refuse(f"{LIFTABLE}, {word}") for word in ("hat", "scarf")]
    await desk.refuse(LIFTABLE, IN_PRIVATE)
    desk.pass_time(timedelta(days=3))
    found = await desk.service.refusals.fetch_recent(MEMBER, GUILD)
    assert [one.id for one in found] == newer[::-1]
    await desk.cases.appeal(newer[0], MEMBER, GUILD, "please")
    cases = [one.case for one in await desk.service.refusals.fetch_recent(MEMBER, GUILD)]
    assert [case is not None and case.is_open for case in cases] == [False, True]


async def test_a_long_list_is_read_with_one_statement(desk: Desk) -> None:
    for number in range(4):
        await desk.cases.appeal(await desk.refuse(f"{LIFTABLE}, number {number}"), MEMBER, GUILD, "please")
    with recorded() as recording:
        found = await desk.service.refusals.fetch_recent(MEMBER, GUILD)
    assert (recording.sent, len(found)) == (1, 4)
    assert all(one.case is not None and one.case.statement == "please" for one in found)
    assert [one.text for one in found] == [(await desk.service.refusals.fetch(one.id, MEMBER)).text for one in found]


async def test_words_that_were_erased_are_not_shown(desk: Desk) -> None:
    decision_id = await desk.refuse(LIFTABLE)
    await desk.service.privacy.erase_member(MEMBER)
    found = await desk.service.refusals.fetch(decision_id, MEMBER)
    assert (found.prompt, found.marks, found.is_editable) == (None, (), False)
    assert await appeals.fetch_refused(desk.database, decision_id) is None


async def test_an_export_holds_the_refused_requests(desk: Desk) -> None:
    decision_id = await desk.refuse(LIFTABLE)
    export = await desk.service.privacy.export(MEMBER, 10**6)
    assert [row["decision_id"] for row in export.rows["refused_requests"]] == [decision_id]
    assert (await desk.service.privacy.export(OTHER, 10**6)).rows["refused_requests"] == []


async def test_a_withheld_picture_stands_in_the_list_too(desk: Desk) -> None:
    verdict = Verdict(action=Action.REFUSE, clause="gore")
    async with desk.database.transaction() as connection:
        decision_id = await decisions.record_prompt(connection, verdict, USUAL_REQUEST, ORIGIN, NOW)
        await connection.execute("UPDATE decisions SET subject = 'picture', action = 'withhold'")
    (found,) = await desk.service.refusals.fetch_recent(MEMBER, GUILD)
    assert (found.id, found.is_appealable, found.is_editable) == (decision_id, True, False)
    assert found.text.startswith("A picture was withheld.")


async def test_only_a_refusal_in_a_server_names_the_way_to_appeal(desk: Desk) -> None:
    with pytest.raises(PromptRefused, match="press Appeal"):
        await desk.service.submit(replace(USUAL_REQUEST, prompt=LIFTABLE), ORIGIN)
    with pytest.raises(PromptRefused) as private:
        await desk.service.submit(replace(USUAL_REQUEST, prompt=LIFTABLE), IN_PRIVATE)
    assert "Appeal" not in str(private.value)
