"""Requests that were not accepted are kept for a day, for their member alone; never words under clause b."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from db import drafts, retention
from domain import NotAllowed, NotFound, RequestOptions
from engine import prepare
from service import drafts as drafts_of_service
from tests.support import placeholder_policy
from tests.support.desk import Desk
from tests.support.people import CHANNEL, GUILD, MEMBER, OTHER
from tests.support.requests import ORIGIN, USUAL_REQUEST


async def keep(desk: Desk, prompt: str = "1girl, hat") -> int:
    draft_id = await desk.service.drafts.keep(replace(USUAL_REQUEST, prompt=prompt), ORIGIN)
    assert draft_id is not None
    return draft_id


async def test_a_draft_opens_as_it_was_typed_for_its_member_alone(desk: Desk) -> None:
    wanted, line = replace(USUAL_REQUEST, init_image=b"start", mask_image=b"mask"), "Stepz: 20"
    draft_id = await desk.service.drafts.keep(wanted, ORIGIN, line)
    assert draft_id is not None
    draft = await desk.service.drafts.fetch(draft_id, MEMBER, GUILD, CHANNEL)
    assert (draft.request, draft.settings) == (wanted, line)
    with pytest.raises(NotAllowed, match="Only the member"):
        await desk.service.drafts.fetch(draft_id, OTHER, GUILD, CHANNEL)
    with pytest.raises(NotAllowed, match="in the server where you asked"):
        await desk.service.drafts.fetch(draft_id, MEMBER, GUILD + 1, CHANNEL)
    with pytest.raises(NotAllowed, match="only where you asked"):
        await desk.service.drafts.fetch(draft_id, MEMBER, GUILD, CHANNEL + 1)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (RequestOptions(prompt="1girl", preset="quick"), "Preset: quick"),
        (RequestOptions(prompt="1girl", strength=0.5, num_inference_steps=7), "Steps: 7"),
        (RequestOptions(prompt="1girl", shape="square", width=256), "Size: 256x512"),
        (RequestOptions(prompt="1girl", seed=5, images=4), "Pictures: 4, Seed: 5"),
    ],
)
async def test_options_that_can_not_be_completed_stay_as_they_were_chosen(
    desk: Desk, options: RequestOptions, line: str
) -> None:
    draft_id = await desk.service.drafts.keep(options, ORIGIN)
    draft = await desk.service.drafts.fetch(draft_id or 0, MEMBER, GUILD, CHANNEL)
    assert draft.request.prompt == "1girl"
    assert all(setting in draft.settings for setting in line.split(", "))


async def test_words_under_clause_b_are_not_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts_of_service, "judge", placeholder_policy.policy().judge)
    wanted = replace(USUAL_REQUEST, prompt="ageterm privterm")
    assert await desk.service.drafts.keep(wanted, ORIGIN) is None
    assert await desk.database.fetch_all("SELECT id FROM drafts") == []


async def test_words_that_are_too_long_to_be_judged_are_not_kept(desk: Desk) -> None:
    wanted = replace(USUAL_REQUEST, prompt="hat, " * (prepare.MAX_CHARACTERS // 4))
    assert await desk.service.drafts.keep(wanted, ORIGIN) is None


async def test_a_member_has_few_drafts_and_each_for_a_day(desk: Desk) -> None:
    kept = [await keep(desk, f"1girl, number {number}") for number in range(drafts.MAX_DRAFTS + 1)]
    with pytest.raises(NotFound, match="not stored any more"):
        await desk.service.drafts.fetch(kept[0], MEMBER, GUILD, CHANNEL)
    await retention.forget_old(desk.database, desk.now + timedelta(hours=23))
    await desk.service.drafts.fetch(kept[1], MEMBER, GUILD, CHANNEL)
    await retention.forget_old(desk.database, desk.now + timedelta(hours=25))
    assert await desk.database.fetch_all("SELECT id FROM drafts") == []


async def test_drafts_are_exported_and_erased_with_their_member(desk: Desk) -> None:
    draft_id = await keep(desk)
    export = await desk.service.privacy.export(MEMBER, 10**6)
    assert [row["id"] for row in export.rows["drafts"]] == [draft_id]
    await desk.service.privacy.erase_member(MEMBER)
    assert await desk.database.fetch_all("SELECT id FROM drafts") == []


async def test_a_draft_names_the_picture_that_it_was_made_from_while_that_is_stored(desk: Desk) -> None:
    job = await desk.finish()
    origin = replace(ORIGIN, parent_id=job.id, parent_number=3)
    draft_id = await desk.service.drafts.keep(USUAL_REQUEST, origin)
    assert draft_id is not None
    draft = await desk.service.drafts.fetch(draft_id, MEMBER, GUILD, CHANNEL)
    assert (draft.parent_id, draft.parent_number) == (job.id, 3)
    async with desk.database.transaction() as connection:
        await connection.execute("DELETE FROM jobs WHERE id = ?", (job.id,))
    draft = await desk.service.drafts.fetch(draft_id, MEMBER, GUILD, CHANNEL)
    assert (draft.parent_id, draft.parent_number) == (None, None)
