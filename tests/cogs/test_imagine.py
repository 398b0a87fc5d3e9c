"""/imagine end to end: from the words to the picture, over the loopback Discord."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from PIL import Image

from cogs.imagine.progress import Progress
from db import agreements
from domain import JobStatus
from domain.quotas import Asker
from engine.images.metadata import read_png
from engine.policy.licence import TERMS_VERSION
from sandbox.world import changes
from tests.support.cards import text_of
from tests.support.stage import Stage, StartStage, is_delivered


async def test_a_first_picture_needs_an_agreement_and_then_goes_on_without_retyping(stage: Stage) -> None:
    asked = await stage.ana.slash(stage.paintings, "imagine", prompt="1girl, pink hair, smile", seed=7)
    consent = stage.ana.answer(asked)
    assert consent.only_for == stage.ana.id
    assert "forged" in consent.embeds[0]["description"]
    agreed = await stage.ana.click(consent, "I agree")
    message = stage.ana.answer(agreed)
    await stage.ana.until(lambda: is_delivered(message))
    assert message.only_for is None
    info = read_png(message.attachments[0].data)
    assert info is not None
    assert info.request["prompt"] == "1girl, pink hair, smile"
    assert info.seed == 7
    assert info.digital_source_type.endswith("trainedAlgorithmicMedia")
    # The terms have done their work: one line is left of them, and no button.
    await stage.ana.until(lambda: not consent.components)
    assert consent.embeds[0]["description"].startswith("You agreed")


async def test_an_agreement_after_a_restart_goes_on_with_the_request_too(start_stage: StartStage) -> None:
    async with start_stage() as before:
        asked = await before.ana.slash(before.paintings, "imagine", prompt="1girl, blue hair", seed=9)
        consent, world = before.ana.answer(asked), before.server.world
    async with start_stage(world) as after:
        message = after.ana.answer(await after.ana.click(consent, "I agree"))
        await after.ana.until(lambda: is_delivered(message))
        info = read_png(message.attachments[0].data)
    assert info is not None
    assert (info.request["prompt"], info.seed) == ("1girl, blue hair", 9)


async def test_a_start_picture_that_takes_long_to_arrive_is_answered_in_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.agree(stage.ana)
    arrived = asyncio.Event()

    async def read_slowly(_attachment: object) -> None:
        await arrived.wait()

    monkeypatch.setattr("cogs.imagine.command.read_attachment", read_slowly)
    monkeypatch.setattr("cogs.imagine.submit.PATIENCE_SECONDS", 0.05)
    asked = await stage.ana.slash(stage.paintings, "imagine", prompt="1girl, hat")
    message = stage.ana.answer(asked)
    assert message.is_thinking
    arrived.set()
    await stage.ana.until(lambda: is_delivered(message))


def picture_file(mode: str = "RGB", colour: object = (40, 90, 160), form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (96, 80), colour).save(buffer, form)  # pyright: ignore[reportArgumentType]
    return buffer.getvalue()


async def test_a_start_picture_and_a_mask_are_painted_on_from(stage: Stage) -> None:
    await stage.agree(stage.ana)
    start, mask = ("start.jpg", picture_file(form="JPEG")), ("mask.png", picture_file("L", 255))
    message = await stage.picture(stage.ana, start_picture=start, mask=mask, strength=0.5)
    job = await stage.service.jobs.fetch(1)
    assert (job.request.init_image, job.request.mask_image, job.request.strength) == (start[1], mask[1], 0.5)
    assert len(message.attachments) == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"start_picture": ("notes.txt", b"words")}, "must be a PNG, JPEG or WebP file"),
        ({"start_picture": ("huge.png", b"x" * (10 * 2**20 + 1))}, "at most 10 MiB"),
        ({"mask": ("mask.png", picture_file("L", 255))}, "mask needs a start picture"),
        ({"start_picture": ("broken.png", b"\x89PNG\r\n\x1a\n nothing more")}, "start picture"),
    ],
)
async def test_a_file_that_cannot_be_painted_on_from_is_refused_at_no_cost(
    stage: Stage, options: dict[str, Any], sentence: str
) -> None:
    await stage.agree(stage.ana)
    stage.server.world.upload_limit = 50 * 2**20
    asked = await stage.ana.slash(stage.paintings, "imagine", prompt="1girl", **options)
    answer = stage.ana.answer(asked)
    await stage.ana.until(lambda: sentence in text_of(answer))
    standing = await stage.service.quotas.standing(Asker(user_id=stage.ana.id))
    assert standing.used_hour == 0
    assert standing.open_jobs == 0


async def test_new_terms_are_asked_again(stage: Stage) -> None:
    async with stage.database.transaction() as connection:
        await agreements.agree(connection, stage.ana.id, "of another day", stage.service.now())
    consent = stage.ana.answer(await stage.ana.slash(stage.paintings, "imagine", prompt="1girl, smile"))
    assert consent.only_for == stage.ana.id
    message = stage.ana.answer(await stage.ana.click(consent, "I agree"))
    await stage.ana.until(lambda: is_delivered(message))
    rows = await stage.database.fetch_all("SELECT terms_version FROM agreements ORDER BY agreed_at")
    assert [row["terms_version"] for row in rows] == ["of another day", TERMS_VERSION]


async def test_about_names_the_models_its_licence_and_that_it_was_changed(stage: Stage) -> None:
    about = stage.ana.answer(await stage.ana.slash(stage.paintings, "about"))
    text = str(about.embeds)
    for words in ("Stable Diffusion v1.4", "Waifu Diffusion v1.3", "Open RAIL-M", "Rombach", "fine-tune"):
        assert words in text


@pytest.mark.parametrize("is_bulk", [False, True])
async def test_a_waiting_picture_is_taken_back_if_its_message_is_deleted(stage: Stage, is_bulk: bool) -> None:
    await stage.agree(stage.ana)
    stage.backend.pause()
    message = stage.ana.answer(await stage.ana.slash(stage.paintings, "imagine", prompt="1girl, hat"))
    if is_bulk:
        changes.delete_messages(stage.server.world, stage.paintings, [message])
    else:
        stage.server.world.delete(message)
    await stage.until_status(1, JobStatus.CANCELLED, seconds=10)
    assert stage.bot.cog(Progress)._lives == {}
