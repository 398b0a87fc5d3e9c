"""Edit region: the question, the preview, the form, and the request that is painted."""

from __future__ import annotations

import pytest

from domain.quotas import Asker
from domain.regions import Region
from engine.images.regions import region_mask
from sandbox.people.person import Person
from sandbox.world.things import Message
from tests.support.cards import labels_of
from tests.support.stage import Stage, is_delivered, restarted


async def ask(person: Person, message: Message, label: str = "Edit region") -> Message:
    asked = person.answer(await person.click(message, label))
    assert asked.only_for == person.id
    return asked


async def used(stage: Stage, person: Person) -> int:
    return (await stage.service.quotas.standing(Asker(user_id=person.id))).used_hour


async def test_a_region_is_chosen_seen_and_then_painted_with_other_words(stage: Stage) -> None:
    await stage.agree(stage.ana, stage.ben)
    message = await stage.picture(stage.ana, prompt="1girl, hat", seed=3)
    asked = await ask(stage.ben, message)
    assert "Which part of picture 1" in asked.content
    await stage.ben.select(asked, "Choose a region", "top-right")
    assert asked.content.startswith("**Top right** of picture 1")
    assert "credit" in asked.content
    assert asked.attachments[0].filename == "region.webp"
    assert labels_of(asked) == ["Change the words and paint", "Other region"]
    assert await used(stage, stage.ben) == 0
    opened = await stage.ben.click(asked, "Change the words and paint")
    assert "Empty: the region top right" in str(opened.modal)
    painted = stage.ben.answer(await stage.ben.submit(opened, prompt="1girl, crown"))
    await stage.ben.until(lambda: is_delivered(painted))
    job, (first,) = await stage.service.jobs.fetch(2), await stage.service.jobs.fetch_pictures(1)
    size = (job.request.width, job.request.height)
    assert (job.request.prompt, job.request.init_image) == ("1girl, crown", first.png)
    assert job.request.mask_image == region_mask(Region.TOP_RIGHT, size)
    assert (job.user_id, job.parent_id, job.parent_number) == (stage.ben.id, 1, 1)
    assert await used(stage, stage.ben) == job.cost


async def test_another_region_can_be_chosen_after_the_preview(stage: Stage) -> None:
    await stage.agree(stage.ana)
    asked = await ask(stage.ana, await stage.picture(stage.ana))
    await stage.ana.select(asked, "Choose a region", "left")
    await stage.ana.click(asked, "Other region")
    assert "Which part" in asked.content
    assert asked.attachments == []
    await stage.ana.select(asked, "Choose a region", "background")
    assert asked.content.startswith("**Background** of picture 1")


async def test_of_several_pictures_the_region_is_one_of_that_on_the_button(stage: Stage) -> None:
    await stage.agree(stage.ana)
    message = await stage.picture(stage.ana, images=3, steps=4)
    asked = await ask(stage.ana, message, "Edit region 1")
    await stage.ana.select(asked, "Choose a region", "centre")
    assert "3 pictures as it is" in asked.content
    painted = stage.ana.answer(await stage.ana.submit(await stage.ana.click(asked, "Change the words and paint")))
    await stage.ana.until(lambda: is_delivered(painted))
    job, pictures = await stage.service.jobs.fetch(2), await stage.service.jobs.fetch_pictures(1)
    assert job.request.init_image == pictures[0].png
    assert job.parent_number == 1
    third = await stage.service.requests.in_region(await stage.service.jobs.fetch(1), 3, Region.CENTRE)
    assert third.init_image == pictures[2].png


async def test_somebody_with_a_mask_file_finds_the_form_for_it(stage: Stage) -> None:
    await stage.agree(stage.ana)
    asked = await ask(stage.ana, await stage.picture(stage.ana))
    mask = region_mask(Region.TOP, (64, 64))
    opened = await stage.ana.click(asked, "My own mask file")
    painted = stage.ana.answer(await stage.ana.submit(opened, mask=("mask.png", mask)))
    await stage.ana.until(lambda: is_delivered(painted))
    assert (await stage.service.jobs.fetch(2)).request.mask_image == mask


@pytest.mark.parametrize("step", ["question", "preview"])
async def test_a_half_made_choice_goes_on_after_a_restart(stage: Stage, step: str) -> None:
    await stage.agree(stage.ana)
    asked = await ask(stage.ana, await stage.picture(stage.ana))
    if step == "preview":
        await stage.ana.select(asked, "Choose a region", "bottom")
    async with restarted(stage) as later:
        if step == "question":
            await later.ana.select(asked, "Choose a region", "bottom")
        opened = await later.ana.click(asked, "Change the words and paint")
        assert "the region bottom" in str(opened.modal)
        await later.ana.click(asked, "Other region")
        assert "Which part" in asked.content


async def test_a_picture_that_was_erased_meanwhile_is_answered_with_a_sentence(stage: Stage) -> None:
    await stage.agree(stage.ana)
    message = await stage.picture(stage.ana)
    asked = await ask(stage.ana, message)
    await stage.ana.click(message, "Delete")
    answer = stage.ana.answer(await stage.ana.select(asked, "Choose a region", "left"))
    assert "not stored any more" in answer.content


async def test_two_open_forms_of_one_picture_each_paint_their_own_region(stage: Stage) -> None:
    await stage.agree(stage.ana, stage.ben)
    message = await stage.picture(stage.ana)
    opened = {}
    for person, region in ((stage.ana, Region.LEFT), (stage.ben, Region.RIGHT)):
        asked = await ask(person, message)
        await person.select(asked, "Choose a region", region)
        opened[person.id] = await person.click(asked, "Change the words and paint")
    for number, (person, region) in enumerate(((stage.ana, Region.LEFT), (stage.ben, Region.RIGHT)), start=2):
        painted = person.answer(await person.submit(opened[person.id]))
        await person.until(lambda painted=painted: is_delivered(painted))
        request = (await stage.service.jobs.fetch(number)).request
        assert request.mask_image == region_mask(region, (request.width, request.height))
