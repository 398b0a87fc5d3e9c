"""Delivery when Discord or the network does not play along: late, failing, too large, gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cogs.core.rate_limit import MAX_CHANNELS, RateLimit
from domain import Job, JobStatus
from engine.safety import FixedScores
from engine.sampling.model import LoadedModel
from sandbox.rest.limits import CUT, Fault
from sandbox.world import changes
from sandbox.world.things import Message
from service import Topic
from tests.support.cards import title_of
from tests.support.stage import Stage, StartStage, is_delivered, make_stage

CALLBACK = ("POST", "/interactions/{interaction_id}/{token}/callback")
EDIT = ("PATCH", "/channels/{channel_id}/messages/{message_id}")


async def ask(stage: Stage) -> Message:
    await stage.agree(stage.ana)
    stage.backend.pause()
    return stage.ana.answer(await stage.ana.slash(stage.paintings, "imagine", prompt="1girl, smile"))


async def test_a_picture_arrives_long_after_the_interaction_token_died(stage: Stage) -> None:
    message = await ask(stage)
    stage.server.world.advance(20 * 60)
    stage.backend.resume()
    await stage.ana.until(lambda: is_delivered(message))


async def test_delivery_looks_for_finished_pictures_at_news_of_rows_and_not_at_painting_steps(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    deliveries, fetch = stage.service.deliveries, stage.service.deliveries.fetch_undelivered
    looked = asyncio.Event()

    async def look() -> list[Job]:
        looks.append("look")
        looked.set()
        return await fetch()

    monkeypatch.setattr(deliveries, "fetch_undelivered", look)
    stage.service.topics.announce(Topic.PROGRESS, 1)
    await stage.ana.slash(stage.paintings, "quota me")  # the loop goes round and round
    assert looks == []
    stage.service.topics.announce(Topic.JOBS, 1)
    await looked.wait()


async def test_a_server_error_of_discord_delays_a_picture_and_loses_nothing(stage: Stage) -> None:
    message = await ask(stage)
    stage.server.faults.append(Fault(*EDIT, status=500, times=2))
    stage.backend.resume()
    await stage.ana.until(lambda: is_delivered(message))
    await stage.until_status(1, JobStatus.DELIVERED)


async def test_a_picture_that_discord_finds_too_large_is_made_smaller(stage: Stage) -> None:
    message = await ask(stage)
    stage.server.world.upload_limit = 6000
    stage.backend.resume()
    await stage.ana.until(lambda: is_delivered(message))
    assert all(len(one.data) <= 6000 for one in message.attachments)


async def test_the_gateway_may_drop_while_a_picture_is_painted(stage: Stage) -> None:
    message = await ask(stage)
    await stage.server.gateway.drop()
    stage.backend.resume()
    await stage.ana.until(lambda: is_delivered(message))
    await stage.ana.until(lambda: stage.server.gateway.resumed == 1 or None)


async def test_a_deleted_channel_means_a_direct_message(stage: Stage) -> None:
    await ask(stage)
    changes.delete_channel(stage.server.world, stage.paintings)
    stage.backend.resume()
    found = await stage.ana.until(lambda: next(filter(is_delivered, stage.ana.sees(stage.ana.dm())), None))
    assert found.author_id == stage.server.world.bot.id
    await stage.until_status(1, JobStatus.DELIVERED)


async def test_after_a_restart_waiting_jobs_are_painted_into_their_messages(start_stage: StartStage) -> None:
    async with start_stage() as first:
        message = await ask(first)
        world = first.server.world
    async with start_stage(world) as second:
        again = world.messages[message.id]
        await second.ana.until(lambda: is_delivered(again))
        assert sum(is_delivered(one) for one in world.messages.values()) == 1
        opened = await second.ana.click(again, "Edit")
        assert opened.modal is not None


async def test_a_picture_that_fails_the_check_is_never_shown_and_costs_nothing(
    tmp_path: Path, tiny_model: LoadedModel
) -> None:
    async with make_stage(tmp_path, tiny_model, FixedScores({"hentai": 0.99})) as stage:
        await stage.agree(stage.ana)
        asked = await stage.ana.slash(stage.paintings, "imagine", prompt="1girl, smile", steps=50)
        message = stage.ana.answer(asked)
        await stage.ana.until(lambda: title_of(message) == "Picture withheld" or None)
        assert message.attachments == []
        await stage.until_status(1, JobStatus.WITHHELD)
        assert [painting.png for painting in await stage.service.jobs.fetch_pictures(1)] == [None]


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


async def test_writes_to_one_channel_keep_within_discords_pace() -> None:
    time = FakeTime()
    pace = RateLimit(clock=lambda: time.now, sleep=time.sleep)
    moments: list[float] = []
    for _ in range(20):
        await pace.take(1)
        moments.append(time.now)
    assert all(later - earlier >= 5 for earlier, later in zip(moments, moments[5:], strict=False))


async def test_progress_gives_way_when_the_channel_is_busy() -> None:
    time = FakeTime()
    pace = RateLimit(clock=lambda: time.now, sleep=time.sleep, writes=2)
    assert pace.try_take(1)
    assert pace.try_take(1)
    assert not pace.try_take(1)
    assert pace.try_take(2)


async def test_channels_in_which_nothing_happens_are_forgotten_and_busy_ones_are_not() -> None:
    time = FakeTime()
    pace = RateLimit(clock=lambda: time.now, sleep=time.sleep, writes=1)
    for channel_id in range(5000):
        time.now += 0.01
        await pace.take(channel_id)
        assert not pace.try_take(channel_id)
    assert len(pace) <= MAX_CHANNELS
    assert not pace.try_take(4900)


@pytest.mark.parametrize("status", [429, 502])
async def test_a_passing_fault_at_the_first_answer_is_survived(stage: Stage, status: int) -> None:
    await stage.agree(stage.ana)
    stage.server.faults.append(Fault(*CALLBACK, status=status, times=1))
    await stage.ana.slash(stage.paintings, "imagine", prompt="1girl, smile")
    await stage.ana.until(lambda: any(map(is_delivered, stage.ana.sees(stage.paintings))) or None)
    assert sum(map(is_delivered, stage.ana.sees(stage.paintings))) == 1


@pytest.mark.parametrize(("status", "code"), [(404, 10062), (CUT, 0)])
async def test_a_lost_thinking_loses_no_picture_and_is_no_error(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, status: int, code: int
) -> None:
    await stage.agree(stage.ana)
    monkeypatch.setattr("cogs.imagine.submit.PATIENCE_SECONDS", 0.0)
    stage.server.faults.append(Fault(*CALLBACK, status=status, code=code))
    await stage.ana.slash(stage.paintings, "imagine", prompt="1girl, smile")
    await stage.ana.until(lambda: any(map(is_delivered, stage.ana.sees(stage.paintings))))
    assert [one.content for one in stage.ana.sees(stage.paintings) if one.only_for] == []
    assert sum(map(is_delivered, stage.ana.sees(stage.paintings))) == 1
