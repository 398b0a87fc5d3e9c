"""One mention when a picture is ready that took long, to the one who asked; none otherwise, and never two."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cogs.core.rate_limit import PERIOD_SECONDS
from db import notices
from domain import JobStatus
from engine.safety import FixedScores
from engine.sampling.model import LoadedModel
from sandbox.people.person import Person
from sandbox.rest.limits import CUT, Fault
from sandbox.world import changes
from sandbox.world.things import Channel, Message
from tests.support.cards import text_of
from tests.support.prompt_channels import picture_for, prompts
from tests.support.stage import Stage, is_delivered, make_stage, restarted

POST = ("POST", "/channels/{channel_id}/messages")
OVERLOADED: dict[str, Any] = {"status": 400, "code": 130000}
LONG, SHORT = timedelta(seconds=31), timedelta(seconds=29)


async def wait_for_picture(
    stage: Stage, after: timedelta, who: Person | None = None, channel: Channel | None = None, **options: Any
) -> Message:
    """A picture that is finished so long after it was accepted, delivered."""
    who = who or stage.ana
    await stage.agree(who)
    stage.backend.pause()
    asked = {"prompt": "1girl, smile", "steps": 4} | options
    message = who.answer(await who.slash(channel or stage.paintings, "imagine", **asked))
    stage.advance(after)
    stage.backend.resume()
    await who.until(lambda: is_delivered(message))
    (job_id,) = [row["id"] for row in await stage.database.fetch_all("SELECT max(id) AS id FROM jobs")]
    await stage.until_status(job_id, JobStatus.DELIVERED)
    await next_turn(stage)
    return message


def notices_for(stage: Stage, who: Person, channel: Channel | None = None) -> list[Message]:
    """What pings this person."""
    return [one for one in stage.mira.sees(channel or stage.paintings) if who.id in one.mentions]


async def next_turn(stage: Stage) -> None:
    """The background's work once more, when every channel has room for a message."""
    await stage.server.rate_limits.let_pass(PERIOD_SECONDS)
    await stage.bot.background.run_all()


async def is_settled(stage: Stage) -> bool:
    return await stage.database.fetch_one("SELECT 1 FROM jobs WHERE notice IS NOT NULL") is None


async def test_a_picture_that_took_long_is_announced_once_to_its_member_alone(stage: Stage) -> None:
    message = await wait_for_picture(stage, LONG, prompt=f"1girl, <@{stage.ben.id}>")
    (notice,) = await stage.ana.until(lambda: notices_for(stage, stage.ana) or None)
    assert notice.content == f"<@{stage.ana.id}>, your picture is ready."
    assert (notice.mentions, notice.mention_roles, notice.mention_everyone) == ([stage.ana.id], [], False)
    assert notice.reference is not None
    assert int(notice.reference["message_id"]) == message.id
    assert message.mentions == []
    await next_turn(stage)
    await stage.ana.click(message, "Again")
    assert len(notices_for(stage, stage.ana)) == 1
    assert await is_settled(stage)


async def test_a_picture_that_is_ready_soon_mentions_nobody(stage: Stage) -> None:
    await wait_for_picture(stage, SHORT)
    assert notices_for(stage, stage.ana) == []
    assert await is_settled(stage)


async def test_a_picture_in_direct_messages_is_not_announced(stage: Stage) -> None:
    await wait_for_picture(stage, LONG, channel=stage.ana.dm())
    assert await is_settled(stage)
    assert len([one for one in stage.ana.sees(stage.ana.dm()) if one.author_id == stage.server.world.bot.id]) == 1


async def test_a_member_who_wants_none_gets_none_wherever_the_server_stands(stage: Stage) -> None:
    panel = stage.ana.answer(await stage.ana.slash(stage.paintings, "preferences"))
    await stage.ana.click(panel, "Never mention me")
    await stage.ana.until(lambda: "more than 30 seconds: **no**" in panel.content)
    await wait_for_picture(stage, LONG)
    await wait_for_picture(stage, LONG, stage.ben)
    assert (notices_for(stage, stage.ana), len(notices_for(stage, stage.ben))) == ([], 1)
    await stage.ana.click(panel, "Mention me")
    await stage.ana.until(lambda: "more than 30 seconds: **yes**" in panel.content)
    assert (await stage.service.members.fetch_settings(stage.ana.id)).notices


async def test_a_server_that_wants_none_gets_none_and_its_panel_says_so(stage: Stage) -> None:
    panel = stage.mira.answer(await stage.mira.slash(stage.paintings, "settings panel"))
    await stage.mira.submit(await stage.mira.click(panel, "Painting"), notices="False")
    assert "Mentions when a slow picture is ready: none" in text_of(panel)
    await wait_for_picture(stage, LONG)
    assert notices_for(stage, stage.ana) == []
    assert await is_settled(stage)


async def test_a_notice_that_discord_refuses_for_now_comes_later(stage: Stage) -> None:
    stage.server.faults.append(Fault(*POST, **OVERLOADED, times=9))
    await wait_for_picture(stage, LONG)
    assert not await is_settled(stage)
    stage.server.faults.clear()
    await next_turn(stage)
    assert len(notices_for(stage, stage.ana)) == 1
    assert await is_settled(stage)


async def test_a_notice_that_was_taken_unheard_is_found_after_a_restart_and_not_doubled(
    tmp_path: Path, tiny_model: LoadedModel
) -> None:
    async with make_stage(tmp_path, tiny_model, FixedScores()) as before:
        await wait_for_picture(before, LONG)
        assert len(notices_for(before, before.ana)) == 1
        async with before.service._context.writing() as connection:  # pyright: ignore[reportPrivateUsage]
            # As a kill between Discord's answer and the note of it leaves the row; its nonce is forgotten.
            await connection.execute("UPDATE jobs SET notice = 'begun'")
        for one in notices_for(before, before.ana):
            one.nonce = None
        async with restarted(before) as stage:
            await next_turn(stage)
            assert len(notices_for(stage, stage.ana)) == 1
            assert await is_settled(stage)


@pytest.mark.parametrize("was_begun", [False, True])
async def test_a_kill_before_the_notice_was_taken_delays_it(
    tmp_path: Path, tiny_model: LoadedModel, was_begun: bool
) -> None:
    async with make_stage(tmp_path, tiny_model, FixedScores()) as before:
        before.server.faults.append(Fault(*POST, **OVERLOADED, times=9))
        await wait_for_picture(before, LONG)
        (open_,) = await notices.fetch_open(before.database)
        assert open_.was_begun
        async with before.service._context.writing() as connection:  # pyright: ignore[reportPrivateUsage]
            await connection.execute("UPDATE jobs SET notice = ?", ("begun" if was_begun else "due",))
        before.server.faults.clear()
        async with restarted(before) as stage:
            await stage.ana.until(lambda: notices_for(stage, stage.ana) or None)
            await next_turn(stage)
            assert len(notices_for(stage, stage.ana)) == 1


async def test_a_connection_that_was_cut_after_discord_took_it_doubles_nothing(stage: Stage) -> None:
    stage.server.faults.append(Fault(*POST, status=CUT, times=9, after=True))
    await wait_for_picture(stage, LONG)
    stage.server.faults.clear()
    await next_turn(stage)
    assert len(notices_for(stage, stage.ana)) == 1
    assert await is_settled(stage)


async def test_a_picture_that_went_by_direct_message_or_was_deleted_is_not_announced(stage: Stage) -> None:
    await stage.agree(stage.ana, stage.ben)
    stage.backend.pause()
    away = stage.channel("after-dark")
    lost = stage.paintings
    message = stage.ana.answer(await stage.ana.slash(lost, "imagine", prompt="1girl", steps=4))
    stage.advance(LONG)
    changes.delete_channel(stage.server.world, lost)
    stage.backend.resume()
    await stage.ana.until(lambda: [one for one in stage.ana.sees(stage.ana.dm()) if is_delivered(one)] or None)
    await stage.until_status(1, JobStatus.DELIVERED)
    await next_turn(stage)
    assert await is_settled(stage)
    assert message.mentions == []
    assert [one for one in stage.ana.sees(stage.ana.dm()) if stage.ana.id in one.mentions] == []
    assert notices_for(stage, stage.ana, away) == []


async def test_a_slow_picture_in_a_prompt_channel_is_announced_like_any_other(open_stage: Stage) -> None:
    stage = open_stage
    stage.backend.pause()
    said = await stage.ana.say(prompts(stage), "1girl, smile")
    await stage.ana.until(lambda: [one for one in stage.mira.sees(prompts(stage)) if "1girl" in text_of(one)][1:])
    stage.advance(LONG)
    stage.backend.resume()
    picture = await picture_for(stage, said)
    await stage.until_status(1, JobStatus.DELIVERED)
    await next_turn(stage)
    (notice,) = notices_for(stage, stage.ana, prompts(stage))
    assert notice.reference is not None
    assert int(notice.reference["message_id"]) == picture.id
