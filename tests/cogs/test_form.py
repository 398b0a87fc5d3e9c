"""The form: two pages filled in as it was, choices of the loaded model, and nothing typed lost between the pages."""

from __future__ import annotations

import pytest

from domain.quotas import credits_in_words
from domain.regions import Region
from engine.images.regions import region_mask
from engine.request.presets import PRESETS
from sandbox.people import Refused
from sandbox.world.layout import FILE_UPLOAD, RADIO_GROUP, STRING_SELECT, TEXT_INPUT
from sandbox.world.things import Interaction, Message
from tests.support import placeholder_policy
from tests.support.cards import labels_of, text_of
from tests.support.forms import fields_in, form_of, options_of
from tests.support.stage import Stage, is_delivered, restarted

SETTINGS = {"negative_prompt": "hat", "steps": 4, "seed": 7, "scheduler": "euler", "guidance_scale": 3.5}
PREFILLED = "Steps: 4, Guidance: 3.5, Seed: 7, Upscale: 1"


@pytest.fixture
async def painted(stage: Stage) -> Message:
    await stage.agree(stage.ana, stage.ben)
    return await stage.picture(stage.ana, shape="portrait", images=2, **SETTINGS)


async def between_pages(stage: Stage, opened: Interaction, **values: object) -> Message:
    """The private message after the first page."""
    answer = stage.ben.answer(await stage.ben.submit(opened, then="more", **values))
    assert answer.only_for == stage.ben.id
    return answer


def kinds_of(opened: Interaction) -> dict[str, int]:
    return {one["custom_id"]: one["type"] for one in fields_in(opened)}


async def test_both_pages_are_filled_in_and_offer_what_the_model_can_do(stage: Stage, painted: Message) -> None:
    first = await stage.ben.click(painted, "Edit")
    profile = stage.service.queue.profile
    width, height = profile.shapes["portrait"]
    assert kinds_of(first) == {
        "prompt": TEXT_INPUT,
        "negative_prompt": TEXT_INPUT,
        "size": STRING_SELECT,
        "images": RADIO_GROUP,
        "then": RADIO_GROUP,
    }
    expected = {"prompt": "1girl, smile", "negative_prompt": "hat", "size": f"{width}x{height}", "images": "2"}
    assert form_of(first) == expected | {"then": "paint"}
    assert options_of(first, "size") == [f"{w}x{h}" for w, h in profile.shapes.values()]
    second = await stage.ben.click(await between_pages(stage, first), "More settings")
    assert kinds_of(second) == {
        "preset": STRING_SELECT,
        "scheduler": STRING_SELECT,
        "numbers": TEXT_INPUT,
        "start_picture": FILE_UPLOAD,
        "mask": FILE_UPLOAD,
    }
    assert form_of(second) == {"preset": "none", "scheduler": "euler", "numbers": PREFILLED}
    assert options_of(second, "scheduler") == list(profile.schedulers)
    assert options_of(second, "preset") == ["none", *PRESETS]


async def test_what_both_pages_change_is_painted_and_the_parent_recorded(stage: Stage, painted: Message) -> None:
    square = "x".join(map(str, stage.service.queue.profile.shapes["square"]))
    first = {"prompt": "1boy, crown", "negative_prompt": "", "size": square, "images": "1"}
    between = await between_pages(stage, await stage.ben.click(painted, "Edit"), **first)
    second = {"preset": "fast", "scheduler": "ddim", "numbers": "Steps: 6, Guidance: 5, Seed: 9, Strength: 0.4"}
    start = await stage.service.requests.fetch_file(await stage.service.jobs.fetch(1), 2)
    opened = await stage.ben.click(between, "More settings")
    mask = region_mask(Region.TOP, (64, 64))
    files = {"start_picture": ("a.png", start), "mask": ("b.png", mask)}
    shown = stage.ben.answer(await stage.ben.submit(opened, **second, **files))
    await stage.ben.until(lambda: is_delivered(shown))
    job = await stage.service.jobs.fetch(2)
    request = job.request
    assert (request.prompt, request.negative_prompt, request.images) == ("1boy, crown", "", 1)
    assert f"{request.width}x{request.height}" == square
    assert (request.preset, request.scheduler, request.num_inference_steps) == ("fast", "ddim", 6)
    assert (request.guidance_scale, request.seed, request.strength) == (5.0, 9, 0.4)
    assert (request.init_image, request.mask_image) == (start, mask)
    assert (job.parent_id, job.user_id) == (1, stage.ben.id)


async def test_looking_at_the_second_page_is_free_and_the_price_is_said(stage: Stage, painted: Message) -> None:
    between = await between_pages(stage, await stage.ben.click(painted, "Edit"), images="3")
    assert await stage.service.jobs.fetch_open() == []
    await stage.ben.click(between, "More settings")
    shown = stage.ben.answer(await stage.ben.click(between, "Paint it"))
    await stage.ben.until(lambda: is_delivered(shown))
    job = await stage.service.jobs.fetch(2)
    assert f"Painting it costs {credits_in_words(job.cost)}." in between.content
    assert (job.request.images, job.request.seed) == (3, 7)


async def test_a_page_that_was_closed_leaves_everything_for_later(stage: Stage, painted: Message) -> None:
    between = await between_pages(stage, await stage.ben.click(painted, "Edit"), prompt="1girl, umbrella", images="1")
    await stage.ben.click(between, "More settings")
    async with restarted(stage) as after:
        assert "1girl, umbrella" in text_of(between)
        assert labels_of(between) == ["More settings", "Edit", "Paint it"]
        again = await after.ben.click(between, "Edit")
        assert (form_of(again)["prompt"], form_of(again)["images"]) == ("1girl, umbrella", "1")
        second = await after.ben.click(between, "More settings")
        await after.ben.submit(second, numbers="Steps: 3, Seed: 1")
        job = await after.service.jobs.fetch(2)
        assert (job.request.prompt, job.request.num_inference_steps, job.parent_id) == ("1girl, umbrella", 3, 1)


async def test_a_size_that_is_no_shape_stays_unless_it_is_changed(stage: Stage) -> None:
    await stage.agree(stage.ben)
    unit = stage.service.queue.profile.unit
    side = stage.service.queue.profile.min_side + unit
    message = await stage.picture(stage.ben, width=side, height=side, steps=3)
    opened = await stage.ben.click(message, "Edit")
    assert form_of(opened)["size"] == f"{side}x{side}"
    await stage.ben.submit(opened)
    assert (await stage.service.jobs.fetch(2)).request.width == side
    with pytest.raises(Refused, match="offers"):
        await stage.ben.submit(opened, size="7x7")


async def test_a_mask_of_the_first_page_reaches_the_second(stage: Stage, painted: Message) -> None:
    asked = stage.ben.answer(await stage.ben.click(painted, "Edit region 1"))
    opened = await stage.ben.click(asked, "My own mask file")
    assert [*kinds_of(opened)] == ["prompt", "negative_prompt", "mask", "images", "then"]
    mask = region_mask(Region.LEFT, (64, 64))
    between = await between_pages(stage, opened, prompt="1girl, scarf", images="1", mask=("mask.png", mask))
    second = await stage.ben.click(between, "More settings")
    assert "Strength: 0.6" in form_of(second)["numbers"]
    assert "Empty: the one that is there." in str(second.modal)
    shown = stage.ben.answer(await stage.ben.submit(second))
    await stage.ben.until(lambda: is_delivered(shown))
    job = await stage.service.jobs.fetch(2)
    assert (job.request.mask_image, job.parent_number) == (mask, 1)


async def test_a_strength_without_a_start_picture_is_said_and_not_passed_over(stage: Stage, painted: Message) -> None:
    between = await between_pages(stage, await stage.ben.click(painted, "Edit"))
    opened = await stage.ben.click(between, "More settings")
    answer = stage.ben.answer(await stage.ben.submit(opened, numbers=f"{PREFILLED}, Strength: 0.4"))
    assert answer.content.startswith("A strength needs a start picture")
    assert await stage.service.jobs.fetch_open() == []


async def test_a_file_that_is_no_picture_costs_no_words(stage: Stage, painted: Message) -> None:
    asked = stage.ben.answer(await stage.ben.click(painted, "Edit region 1"))
    opened = await stage.ben.click(asked, "My own mask file")
    answer = await between_pages(stage, opened, prompt="1girl, scarf", mask=("mask.txt", b"no picture"))
    assert "must be a PNG" in answer.content
    assert form_of(await stage.ben.click(answer, "Edit"))["prompt"] == "1girl, scarf"


async def test_what_can_not_be_painted_with_this_model_still_opens(stage: Stage) -> None:
    await stage.agree(stage.ben)
    asked = await stage.ben.slash(stage.paintings, "imagine", prompt="1girl --size 40x40")
    answer = stage.ben.answer(asked)
    assert "must be" in answer.content
    opened = await stage.ben.click(answer, "Edit")
    assert form_of(opened)["size"] == "40x40"
    square = "x".join(map(str, stage.service.queue.profile.shapes["square"]))
    shown = stage.ben.answer(await stage.ben.submit(opened, size=square))
    await stage.ben.until(lambda: is_delivered(shown))


async def test_words_under_clause_b_are_kept_for_no_second_page(
    stage: Stage, painted: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = await stage.ben.click(painted, "Edit")
    monkeypatch.setattr("service.drafts.judge", placeholder_policy.policy().judge)
    answer = await between_pages(stage, opened, prompt="ageterm privterm")
    assert "may not keep these words" in answer.content
    assert "ageterm" not in text_of(answer)
    assert answer.components == []
    assert await stage.service.jobs.fetch_open() == []


async def test_nobody_else_goes_on_with_a_draft(stage: Stage, painted: Message) -> None:
    between = await between_pages(stage, await stage.ben.click(painted, "Edit"))
    asked = await stage.ana.slash(stage.paintings, "imagine", prompt="1girl --sead 5")
    forged = stage.ana.answer(asked)
    forged.components = between.components
    for label in ("More settings", "Edit", "Paint it"):
        refused = await stage.ana.click(forged, label)
        assert refused.modal is None
        assert "Only the member whose request this was" in stage.ana.answer(refused).content
