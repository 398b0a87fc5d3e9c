"""⭐ under a finished picture, and *all* in the picker: private answers, one press for several pictures."""

from __future__ import annotations

import pytest

from domain.quotas import credits_in_words
from sandbox.people.person import Person
from sandbox.world.layout import ACTION_ROW, walk
from sandbox.world.things import Message
from tests.support.cards import fields_of, labels_of, text_of, told
from tests.support.stage import Stage, StartStage, is_delivered
from tests.support.workshop import seeds_of, three

KEPT = "SELECT job_id, position FROM kept_pictures WHERE user_id = ? ORDER BY position"


async def kept(stage: Stage, who: Person) -> list[tuple[int, int]]:
    """(job, number) of what somebody keeps."""
    return [(row["job_id"], row["position"] + 1) for row in await stage.database.fetch_all(KEPT, (who.id,))]


async def press(who: Person, message: Message, label: str) -> str:
    """What a press answers, to this person alone."""
    answer = who.answer(await who.click(message, label))
    assert answer.only_for == who.id
    return text_of(answer)


async def choose_all(who: Person, message: Message) -> None:
    await who.click(message, "All")
    await who.until(lambda: "Keep all" in labels_of(message))


async def test_anybody_keeps_a_picture_and_takes_it_back(stage: Stage) -> None:
    message = await three(stage)
    assert (await press(stage.ben, message, "Keep 1")).startswith("Kept.")
    assert (await press(stage.ana, message, "Keep 1")).startswith("Kept.")
    await stage.ben.click(message, "2")
    await stage.ben.until(lambda: "Keep 2" in labels_of(message))
    assert (await press(stage.ben, message, "Keep 2")).startswith("Kept.")
    assert await kept(stage, stage.ben) == [(1, 1), (1, 2)]
    assert await press(stage.ben, message, "Keep 2") == "No longer kept."
    assert (await kept(stage, stage.ben), await kept(stage, stage.ana)) == ([(1, 1)], [(1, 1)])
    assert "1 pictures you keep" in await told(stage, "ben", "privacy show")


async def test_what_is_kept_survives_a_restart_and_goes_with_the_picture(start_stage: StartStage) -> None:
    async with start_stage() as before:
        message = await three(before)
        await choose_all(before.ben, message)
        assert (await press(before.ben, message, "Keep all")).startswith("Kept. All 3 marks")
        world = before.server.world
    async with start_stage(world) as stage:
        assert await kept(stage, stage.ben) == [(1, 1), (1, 2), (1, 3)]
        assert await press(stage.ben, message, "Keep all") == "No longer kept."
        await press(stage.ben, message, "Keep all")
        await stage.ana.click(message, "1")
        await stage.ana.until(lambda: "Delete 1" in labels_of(message))
        await stage.ana.click(message, "Delete 1")
        await stage.ana.until(lambda: len(message.attachments) == 2)
        assert await kept(stage, stage.ben) == [(1, 2), (1, 3)]
        await stage.ana.click(message, "Delete all")
        await stage.ana.until(lambda: message.id not in stage.server.world.messages)
        assert await kept(stage, stage.ben) == []


async def test_with_one_of_them_kept_keep_all_keeps_the_others_too(stage: Stage) -> None:
    message = await three(stage)
    await press(stage.ben, message, "Keep 1")
    await choose_all(stage.ana, message)
    assert (await press(stage.ben, message, "Keep all")).startswith("Kept. All 3")
    assert len(await kept(stage, stage.ben)) == 3


async def test_all_survives_a_restart_and_answers_each_of_two_people(start_stage: StartStage) -> None:
    async with start_stage() as before:
        message = await three(before)
        await choose_all(before.ana, message)
        assert "The buttons mean **all 3 pictures**." in text_of(message)
        world = before.server.world
    async with start_stage(world) as stage:
        details = await press(stage.ben, message, "Details of all")
        assert "numbers 1, 2, 3" in details
        assert [f"Seed: {seed}" in details for seed in (7, 8, 9)] == [True] * 3
        await stage.ana.click(message, "Send me all")
        (sent,) = await stage.ana.until(
            lambda: [one for one in stage.ana.sees(stage.ana.dm()) if one.attachments] or None
        )
        assert seeds_of(sent.attachments) == [7, 8, 9]
        assert not [one for one in stage.ben.sees(stage.ben.dm()) if one.attachments]


async def test_upscale_all_says_the_price_of_all_and_paints_each(stage: Stage) -> None:
    message = await three(stage)
    await choose_all(stage.ana, message)
    asked = stage.ben.answer(await stage.ben.click(message, "Upscale all"))
    assert asked.content.startswith("3 pictures, each painted once more")
    label = next(one for one in labels_of(asked) if one and one.startswith("1.5×"))
    large = stage.ben.answer(await stage.ben.click(asked, label))
    await stage.ben.until(lambda: is_delivered(large))
    job = await stage.service.jobs.fetch(2)
    assert label == f"1.5× ({credits_in_words(job.cost)} for all)"
    assert (job.parent_id, job.user_id, job.request.images) == (1, stage.ben.id, 3)
    assert seeds_of(large.attachments) == [7, 8, 9]
    assert "(upscaled 1.5×" in fields_of(large)["Size"]
    await choose_all(stage.ben, large)
    assert "upscaled already" in await press(stage.ben, large, "Upscale all")


@pytest.mark.parametrize(("deleted", "seeds"), [(1, [8, 9]), (3, [7, 8]), (2, [])])
async def test_upscale_all_never_paints_one_that_was_deleted(stage: Stage, deleted: int, seeds: list[int]) -> None:
    message = await three(stage)
    await stage.service.jobs.erase_one(1, deleted, stage.ana.id)
    await stage.ana.until(lambda: len(message.attachments) == 2)
    await choose_all(stage.ana, message)
    asked = stage.ana.answer(await stage.ana.click(message, "Upscale all"))
    if not seeds:
        assert "can't be painted in one go" in asked.content
        return
    large = stage.ana.answer(await stage.ana.click(asked, str(labels_of(asked)[0])))
    await stage.ana.until(lambda: is_delivered(large))
    assert seeds_of(large.attachments) == seeds


async def test_a_message_with_everything_is_within_discords_limits(stage: Stage) -> None:
    await stage.agree(stage.ana)
    message = await stage.picture(stage.ana, steps=4, images=4)
    for label in (None, "All", "4"):
        if label is not None:
            await stage.ana.click(message, label)
        rows = [one for one in walk(message.components) if one["type"] == ACTION_ROW]
        assert max(len(row["components"]) for row in rows) == 5
        assert len(list(walk(message.components))) <= 40
    single = await stage.picture(stage.ana, steps=4)
    assert {"All", "Keep all"} & set(labels_of(single)) == set()
    assert (await press(stage.ana, single, "Keep")).startswith("Kept. The mark goes")
