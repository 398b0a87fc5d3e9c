"""How often a job's message changes while it waits and is painted: seldom, and with what is newest then."""

from __future__ import annotations

import re

import pytest

from cogs.core.bot import EDIT_INTERVAL_SECONDS
from cogs.imagine.progress import Progress
from sandbox.world.things import Message
from tests.support.cards import text_of, title_of
from tests.support.stage import FAST_EDITS_SECONDS, Stage, is_delivered

LIVE_EDIT = "/webhooks/{application_id}/{token}/messages/{message_id}"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The board's clock, which stands still unless a test moves it."""
    clock = Clock()
    monkeypatch.setattr(stage.bot.cog(Progress), "_clock", clock)
    return clock


def live_edits(stage: Stage) -> int:
    return sum(call.method == "PATCH" and call.route == LIVE_EDIT for call in stage.server.calls)


def shown_step(message: Message) -> int:
    found = re.search(r"step (\d+) of", text_of(message))
    return int(found[1]) if found else 0


async def test_messages_change_at_most_once_in_an_interval_and_then_show_the_newest_step(
    stage: Stage, clock: Clock
) -> None:
    await stage.agree(stage.ana)
    message = stage.ana.answer(await stage.ana.slash(stage.paintings, "imagine", prompt="1girl", steps=100, images=4))
    await stage.until_progress(1, 10)
    assert live_edits(stage) == 0
    clock.now += FAST_EDITS_SECONDS
    await stage.ana.until(lambda: shown_step(message))
    assert shown_step(message) >= 10
    await stage.ana.until(lambda: is_delivered(message))
    assert live_edits(stage) == 1


async def test_a_place_in_the_queue_is_corrected_as_it_moves(stage: Stage, clock: Clock) -> None:
    await stage.agree(stage.ana, stage.ben)
    stage.backend.pause()
    first = stage.ana.answer(await stage.ana.slash(stage.paintings, "imagine", prompt="1girl"))
    second = stage.ben.answer(await stage.ben.slash(stage.paintings, "imagine", prompt="1boy"))
    assert title_of(second) == "Waiting: 1 picture before yours"
    await stage.ana.click(first, "Cancel")
    await stage.ana.until(lambda: title_of(first) == "Cancelled")
    assert title_of(second) == "Waiting: 1 picture before yours"
    clock.now += FAST_EDITS_SECONDS
    await stage.ben.until(lambda: title_of(second) == "Next in line")


def test_on_discord_an_interval_is_two_and_a_half_seconds() -> None:
    assert EDIT_INTERVAL_SECONDS == 2.5
