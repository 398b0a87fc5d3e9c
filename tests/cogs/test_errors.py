"""Whatever fails unexpectedly, at whichever border of discord.py, becomes one private sentence with a reference."""

from __future__ import annotations

import logging
import re
from typing import Any

import discord
import pytest
from discord import ui

from cogs.core.errors import View
from sandbox.world.things import Interaction, Message
from tests.support.stage import Stage

DETAIL = "the disk is on fire"


async def break_down(*_: Any, **__: Any) -> Any:
    raise RuntimeError(DETAIL)


def assert_explained(stage: Stage, asked: Interaction, caplog: pytest.LogCaptureFixture) -> None:
    """The member alone reads a sentence; its reference, and only there the cause, stands in the log."""
    answer = stage.ana.answer(asked)
    assert answer.only_for == stage.ana.id
    assert DETAIL not in answer.content
    assert "nothing was charged" not in answer.content  # nobody knows: it may have failed after that
    found = re.search(r"reference: ([0-9a-f]{8})\.", answer.content)
    assert found is not None, answer.content
    (record,) = [one for one in caplog.records if found[1] in one.getMessage()]
    assert record.exc_info is not None
    assert DETAIL in str(record.exc_info[1])


async def delivered(stage: Stage) -> Message:
    await stage.agree(stage.ana)
    return await stage.picture(stage.ana)


async def test_a_slash_command(stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    await stage.agree(stage.ana)
    monkeypatch.setattr(stage.service, "submit", break_down)
    assert_explained(stage, await stage.ana.slash(stage.paintings, "imagine", prompt="1girl"), caplog)


async def test_a_context_menu(stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    message = await delivered(stage)
    monkeypatch.setattr(stage.service.jobs, "find_shown", break_down)
    assert_explained(stage, await stage.ana.menu(stage.paintings, "Report picture", message), caplog)


async def test_a_button_that_outlives_restarts(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    message = await delivered(stage)
    monkeypatch.setattr(stage.service, "submit", break_down)
    assert_explained(stage, await stage.ana.click(message, "Again"), caplog)


async def test_a_form(stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    opened = await stage.ana.click(await delivered(stage), "Edit")
    monkeypatch.setattr(stage.service, "submit", break_down)
    assert_explained(stage, await stage.ana.submit(opened, prompt="1boy"), caplog)


class Brittle(View):
    """A view with a button of its own."""

    @ui.button(label="Press", custom_id="brittle")
    async def press(self, _interaction: discord.Interaction[Any], _button: ui.Button[Any]) -> None:
        await break_down()


async def test_a_view(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    channel = stage.bot.get_partial_messageable(stage.paintings.id)
    sent = await channel.send("Press here", view=Brittle())
    assert_explained(stage, await stage.ana.click(stage.server.world.messages[sent.id], "Press"), caplog)


async def test_a_failure_after_thinking_replaces_the_public_thinking(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await stage.agree(stage.ana)
    monkeypatch.setattr("cogs.imagine.submit.PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(stage.service, "submit", break_down)
    caplog.set_level(logging.ERROR)
    await stage.ana.slash(stage.paintings, "imagine", prompt="1girl")
    told = await stage.ana.until(lambda: next((one for one in stage.ana.sees(stage.paintings) if one.content), None))
    assert told.only_for == stage.ana.id
    assert "reference" in told.content
    assert [one for one in stage.ben.sees(stage.paintings) if one.is_thinking] == []
