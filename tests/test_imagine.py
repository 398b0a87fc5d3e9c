"""/imagine end to end: from the words to the picture, over the loopback Discord."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from conftest import Stage, is_delivered, make_stage

from engine.model import LoadedModel
from engine.png import read_png
from engine.safety import SafetyChecker


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


async def test_an_agreement_after_a_restart_goes_on_with_the_request_too(
    tmp_path: Path, tiny_model: LoadedModel, checker: SafetyChecker
) -> None:
    async with make_stage(tmp_path, tiny_model, checker) as before:
        asked = await before.ana.slash(before.paintings, "imagine", prompt="1girl, blue hair", seed=9)
        consent, world = before.ana.answer(asked), before.server.world
    async with make_stage(tmp_path, tiny_model, checker, world) as after:
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

    monkeypatch.setattr("cogs.imagine.read_attachment", read_slowly)
    monkeypatch.setattr("cogs.painting.PATIENCE_SECONDS", 0.05)
    asked = await stage.ana.slash(stage.paintings, "imagine", prompt="1girl, hat")
    message = stage.ana.answer(asked)
    assert message.is_thinking
    arrived.set()
    await stage.ana.until(lambda: is_delivered(message))
