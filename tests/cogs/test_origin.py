"""“Who made this?” end to end: by message, by metadata, by looks; and nobody else's business."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from sandbox.people.person import Refused
from sandbox.world.things import Message
from tests.support.forgery import forge
from tests.support.stage import Stage

MENU = "Who made this?"


async def ask(stage: Stage, message: Message) -> Message:
    seen = {one.id for one in stage.mira.sees(stage.paintings)}
    await stage.mira.menu(stage.paintings, MENU, message)
    return await stage.mira.until(
        lambda: next(
            (
                one
                for one in stage.mira.sees(stage.paintings)
                if one.id not in seen and one.only_for == stage.mira.id and (one.embeds or one.content)
            ),
            None,
        )
    )


async def ask_about(stage: Stage, name: str, data: bytes) -> Message:
    return await ask(stage, await stage.ben.say(stage.paintings, "look", (name, data)))


def copy_of(picture: bytes, form: str = "JPEG", **options: int) -> bytes:
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").save(buffer, form, **options)
    return buffer.getvalue()


async def test_a_picture_is_found_by_message_by_metadata_and_by_looks(stage: Stage) -> None:
    await stage.agree(stage.ana)
    first = await stage.picture(stage.ana, prompt="1girl, red hair", seed=1)
    await stage.picture(stage.ana, prompt="1boy, hat", seed=2)
    picture = first.attachments[0].data
    with Image.open(io.BytesIO(picture)) as image:
        width, height = image.size
        small, cropped = io.BytesIO(), io.BytesIO()
        image.convert("RGB").resize((width * 2 // 3, height * 2 // 3)).save(small, "WEBP", quality=80)
        image.convert("RGB").crop((width // 8, 0, width, height * 7 // 8)).save(cropped, "PNG")
    found = {
        "message": await ask(stage, first),
        "metadata": await ask_about(stage, "x.png", picture),
        "re-encoded": await ask_about(stage, "x.jpg", copy_of(picture, quality=70)),
        "resized": await ask_about(stage, "x.webp", small.getvalue()),
        "cropped": await ask_about(stage, "x.png", cropped.getvalue()),
    }
    for how, answer in found.items():
        assert answer.only_for == stage.mira.id
        fields = {field["name"]: field["value"] for field in answer.embeds[0]["fields"]}
        assert fields["Asked for by"] == f"<@{stage.ana.id}>", how
        assert "red hair" in fields["Prompt"], how
    assert "by its message" in found["message"].embeds[0]["title"]
    assert "says about itself" in found["metadata"].embeds[0]["title"]
    assert "by its looks" in found["cropped"].embeds[0]["title"]


async def test_forged_metadata_and_unknown_pictures_name_nobody(stage: Stage) -> None:
    await stage.agree(stage.ana)
    picture = (await stage.picture(stage.ana)).attachments[0].data
    forged = forge(picture, Image.linear_gradient("L").convert("RGB"))
    for data in (forged, copy_of(forged)):
        assert "don't know this picture" in (await ask_about(stage, "x.png", data)).content


async def test_members_can_not_ask(stage: Stage) -> None:
    said = await stage.ben.say(stage.paintings, "hello")
    with pytest.raises(Refused):
        await stage.ben.menu(stage.paintings, MENU, said)
