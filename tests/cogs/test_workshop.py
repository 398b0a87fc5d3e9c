"""What members do with a finished message: which picture is meant, enlarging, varying, deleting one, reading all."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable

import numpy as np
import pytest
from PIL import Image

from db.picture_files import BlobPlace
from domain.quotas import credits_in_words
from sandbox.people import media_of
from sandbox.world.things import Attachment
from tests.support.cards import choose, fields_of, labels_of, text_of
from tests.support.stage import Stage, StartStage, is_delivered
from tests.support.statements import recorded
from tests.support.workshop import seeds_of, three


def difference(one: Attachment, other: Attachment) -> int:
    """The largest of any pixel, of 255 levels. Other rows in a batch may move the last bits (REPRODUCIBLE=false)."""
    arrays: list[np.ndarray[tuple[int, ...], np.dtype[np.int16]]] = []
    for file in (one, other):
        with Image.open(io.BytesIO(file.data)) as image:
            arrays.append(np.asarray(image.convert("RGB"), np.int16))
    return int(np.abs(arrays[0] - arrays[1]).max())


async def test_a_number_says_which_picture_the_buttons_mean_for_everybody(stage: Stage) -> None:
    message = await three(stage)
    assert "The buttons mean picture **1** of 3." in text_of(message)
    await stage.ben.click(message, "2")
    await stage.ben.until(lambda: "The buttons mean picture **2** of 3." in text_of(message))
    assert {"Vary 2", "Details 2", "Delete 2"} <= set(labels_of(message))
    assert len(media_of(message)) == 3
    details = stage.ana.answer(await stage.ana.click(message, "Details 2"))
    assert details.only_for == stage.ana.id
    assert "Seed: 8" in details.content


async def test_the_number_survives_a_restart(start_stage: StartStage) -> None:
    async with start_stage() as before:
        message = await three(before)
        await before.ana.click(message, "3")
        await before.ana.until(lambda: "picture **3** of 3" in text_of(message))
        world = before.server.world
    async with start_stage(world) as stage:
        varied = await choose(stage.ben, message, "Vary 3", "Subtle")
        await stage.ben.until(lambda: is_delivered(varied))
        job = await stage.service.jobs.fetch(2)
        assert (job.parent_id, job.parent_number, job.request.strength) == (1, 3, 0.35)
        first = await stage.service.jobs.fetch_pictures(1)
        assert job.request.init_image == first[2].png
        assert f"From picture 3 of [this message](https://discord.com/channels/{job.guild_id}/" in text_of(varied)


async def test_each_picture_has_its_own_words_for_those_who_do_not_see_it(stage: Stage) -> None:
    message = await three(stage)
    said = [one.description for one in media_of(message)]
    assert said == [f"Picture {n} of 3, AI-generated, for the prompt: 1girl, smile" for n in (1, 2, 3)]


async def test_details_pasted_into_imagine_give_the_same_pixels(stage: Stage) -> None:
    message = await three(stage)
    await stage.ana.click(message, "2")
    await stage.ana.until(lambda: "Details 2" in labels_of(message))
    details = stage.ana.answer(await stage.ana.click(message, "Details 2"))
    block = re.search(r"```\n(.*)\n```", details.content, re.DOTALL)
    assert block is not None
    again = await stage.picture(stage.ben, prompt=block[1])
    assert seeds_of(again.attachments) == [8]
    assert difference(again.attachments[0], message.attachments[1]) <= 2


async def test_the_form_gives_the_same_pixels_and_says_what_it_does_not_know(stage: Stage) -> None:
    message = await three(stage)
    opened = await stage.ben.click(message, "Edit")
    same = stage.ben.answer(await stage.ben.submit(opened))
    await stage.ben.until(lambda: is_delivered(same))
    for mine, other in zip(same.attachments, message.attachments, strict=True):
        assert difference(mine, other) <= 2
    between = stage.ben.answer(await stage.ben.submit(await stage.ben.click(message, "Edit"), then="more"))
    wrong = await stage.ben.submit(await stage.ben.click(between, "More settings"), numbers="Stps: 5")
    assert "Did you mean steps" in stage.ben.answer(wrong).content


async def test_upscaling_says_the_price_first_and_the_real_size_afterwards(stage: Stage) -> None:
    message = await three(stage)
    asked = stage.ben.answer(await stage.ben.click(message, "Upscale 1"))
    small, large_label = (str(one) for one in labels_of(asked))
    assert [small.partition(" ")[0], large_label.partition(" ")[0]] == ["1.5×", "2×"]
    large = stage.ben.answer(await stage.ben.click(asked, large_label))
    await stage.ben.until(lambda: is_delivered(large))
    with Image.open(io.BytesIO(large.attachments[0].data)) as image:
        size = image.size
    with Image.open(io.BytesIO(message.attachments[0].data)) as image:
        assert size == (2 * image.width, 2 * image.height)
    assert "(upscaled 2×" in fields_of(large)["Size"]
    assert seeds_of(large.attachments) == [7]
    job = await stage.service.jobs.fetch(2)
    assert large_label == f"2× ({credits_in_words(job.cost)})"
    assert job.cost > (await stage.service.jobs.fetch(1)).cost / 3
    again = stage.ben.answer(await stage.ben.click(large, "Upscale"))
    assert "upscaled already" in again.content


async def test_numbers_details_and_prices_read_no_file_and_vary_reads_one(stage: Stage) -> None:
    message = await three(stage)
    with recorded() as recording:
        await stage.ana.click(message, "2")
        await stage.ana.until(lambda: "picture **2** of 3" in text_of(message))
        for label in ("Details 2", "Upscale 2", "Delete 2"):
            assert stage.ben.answer(await stage.ben.click(message, label)).only_for == stage.ben.id
        assert [sql for sql in recording.statements if "FROM blobs" in sql or "SELECT png" in sql] == []
        read: list[int] = []
        files, original = stage.database.pictures, stage.database.pictures.read

        async def read_some(places: Iterable[BlobPlace]) -> dict[BlobPlace, bytes]:
            found = await original(places)
            read.append(len(found))
            return found

        files.read = read_some  # pyright: ignore[reportAttributeAccessIssue]
        stage.ben.answer(await stage.ben.click(message, "Vary 2"))
        assert read == [1]


async def test_deleting_one_leaves_the_others_and_takes_its_file_everywhere(stage: Stage) -> None:
    message = await three(stage)
    refused = stage.ben.answer(await stage.ben.click(message, "Delete 1"))
    assert "Only the member who asked" in refused.content
    await stage.ana.click(message, "Delete 1")
    await stage.ana.until(lambda: seeds_of([one for one in message.attachments if is_delivered(message)]) == [8, 9])
    assert [painted.png is None for painted in await stage.service.jobs.fetch_pictures(1)] == [True, False, False]
    assert "The buttons mean picture **2** of 3." in text_of(message)
    assert "picture check" not in text_of(message)
    await stage.mira.click(message, "Delete 2")
    await stage.ana.until(lambda: len(message.attachments) == 1)
    await stage.ana.click(message, "Delete")
    await stage.ana.until(lambda: message.id not in stage.server.world.messages)


async def test_a_picture_deleted_before_a_kill_is_gone_from_its_message_after_the_restart(
    start_stage: StartStage,
) -> None:
    async with start_stage() as before:
        message = await three(before)
        world = before.server.world
    async with start_stage(world) as stage:
        await stage.service.jobs.erase_one(1, 2, stage.ana.id)  # and nobody told Discord
        await stage.ana.until(lambda: seeds_of(message.attachments) == [7, 9])


async def test_pictures_deleted_before_a_kill_are_gone_with_their_message_after_the_restart(
    start_stage: StartStage,
) -> None:
    async with start_stage() as before:
        message = await three(before)
        world = before.server.world
    async with start_stage(world) as stage:
        await stage.service.jobs.erase(1, stage.ana.id)  # and nobody told Discord
        await stage.ana.until(lambda: message.id not in world.messages)


async def test_pictures_deleted_while_they_are_delivered_are_never_said_to_be_free(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chaos run found it: the message said for a moment that nothing was charged."""
    await stage.agree(stage.ana)
    count, said = stage.service.deliveries.count_stored, list[str]()

    async def count_and_erase(job_id: int) -> int:
        stored = await count(job_id)
        if stored:
            await stage.service.jobs.erase(job_id, stage.ana.id)
        return stored

    monkeypatch.setattr(stage.service.deliveries, "count_stored", count_and_erase)
    world = stage.server.world
    unsubscribe = world.subscribe(lambda _: said.extend(text_of(one) for one in world.messages.values()))
    message = stage.ana.answer(await stage.ana.slash(stage.paintings, "imagine", prompt="1girl", steps=4))
    await stage.ana.until(lambda: message.id not in world.messages)
    unsubscribe()
    assert not [one for one in said if "nothing was charged" in one.lower()]


async def test_a_message_of_an_older_bot_is_finished_in_the_newer_components(start_stage: StartStage) -> None:
    async with start_stage() as before:
        await before.agree(before.ana)
        before.backend.pause()
        message = before.ana.answer(await before.ana.slash(before.paintings, "imagine", prompt="1girl", steps=4))
        world = before.server.world
    message.flags, message.embeds = 0, [{"title": "Next in line", "description": "1girl"}]
    message.components = [
        {"type": 1, "components": [{"type": 2, "style": 2, "label": "Cancel", "custom_id": "job:cancel:1"}]}
    ]
    async with start_stage(world) as stage:
        await stage.ana.until(lambda: is_delivered(message))
        assert (message.embeds, message.is_v2, len(media_of(message))) == ([], True, 1)


async def test_a_picture_is_sent_privately_as_it_was_painted(stage: Stage) -> None:
    message = await three(stage)
    await stage.ben.click(message, "Send me 1")
    (sent,) = await stage.ben.until(lambda: [one for one in stage.ben.sees(stage.ben.dm()) if one.attachments] or None)
    assert seeds_of(sent.attachments) == [7]


async def test_a_channel_may_ask_for_spoilers(stage: Stage) -> None:
    await stage.agree(stage.ana)
    await stage.change_settings(stage.paintings, spoiler=True)
    message = await stage.picture(stage.ana, steps=4)
    assert [one.spoiler for one in media_of(message)] == [True]


async def test_remix_opens_the_form_for_anybodys_picture(stage: Stage) -> None:
    message = await three(stage)
    opened = await stage.ben.menu(stage.paintings, "Remix", message)
    asked = await stage.ben.submit(opened, prompt="a tree --seed 3", images="1")
    mine = stage.ben.answer(asked)
    await stage.ben.until(lambda: is_delivered(mine))
    assert seeds_of(mine.attachments) == [3]
    assert "Made from [this message]" in text_of(mine)


@pytest.mark.parametrize("strength", ["0.05", "2", "much"])
async def test_a_strength_that_is_none_is_said(stage: Stage, strength: str) -> None:
    message = await three(stage)
    asked = stage.ben.answer(await stage.ben.click(message, "Vary 1"))
    opened = await stage.ben.click(asked, "Another strength…")
    assert "from 0.1 to 1" in stage.ben.answer(await stage.ben.submit(opened, strength=strength)).content
