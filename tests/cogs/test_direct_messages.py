"""Free text in direct messages: how to paint, once; or a picture, where the member chose that."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest

from cogs.core.errors import row_of
from cogs.member.preferences import NoticesButton
from db import jobs
from domain import SafetyLevel
from engine.safety import FixedScores
from engine.sampling.model import LoadedModel
from sandbox.people.person import Person
from sandbox.world.payloads import message_json
from sandbox.world.things import Message
from tests.support.cards import text_of, told
from tests.support.prompt_channels import job_of, request_of
from tests.support.refusals import FORBIDDEN
from tests.support.stage import Stage, is_delivered, make_stage, restarted

HOUR = timedelta(hours=1, seconds=1)


def said_by_bot(stage: Stage, who: Person | None = None) -> list[Message]:
    who = who or stage.ana
    return [one for one in who.sees(who.dm()) if one.author_id == stage.server.world.bot.id]


def answers(stage: Stage, message: Message) -> list[Message]:
    return [one for one in said_by_bot(stage) if one.reference and int(one.reference["message_id"]) == message.id]


def shows(stage: Stage, message: Message, words: str) -> bool:
    """Whether an answer to the message shows a picture of these words."""
    return any(is_delivered(one) and words in str(request_of(one)["prompt"]) for one in answers(stage, message))


async def settled(stage: Stage) -> None:
    """Until the bot has been through everything that was written: it answers a command written after it."""
    await told(stage, "ana", "queue")


async def switch_painting(stage: Stage, label: str = "Paint my messages") -> Message:
    panel = stage.ana.answer(await stage.ana.slash(stage.paintings, "preferences"))
    await stage.ana.click(panel, label)
    await stage.ana.until(lambda: label not in text_of(panel) and "direct messages: **" in panel.content)
    return panel


@pytest.fixture
async def painting(tmp_path: Path, tiny_model: LoadedModel) -> AsyncGenerator[Stage]:
    """A stage on which ana has her direct messages painted; without the Message Content intent."""
    async with make_stage(tmp_path, tiny_model, FixedScores()) as made:
        await made.agree(made.ana)
        await switch_painting(made)
        yield made


# ---- how to paint ----------------------------------------------------------------------------------------------------


async def test_free_text_is_answered_with_how_to_paint_and_never_repeated(stage: Stage) -> None:
    said = await stage.ana.say(stage.ana.dm(), "please paint a lighthouse @everyone")
    (hint,) = await stage.ana.until(lambda: answers(stage, said) or None)
    commands = {one["name"]: one["id"] for one in stage.ana.commands(stage.ana.dm())}
    assert f"</imagine:{commands['imagine']}>" in hint.content
    assert f"</preferences:{commands['preferences']}>" in hint.content
    assert "lighthouse" not in hint.content
    assert await jobs.fetch_open(stage.database) == []


async def test_one_who_writes_on_is_told_once_an_hour(stage: Stage) -> None:
    first = await stage.ana.say(stage.ana.dm(), "hello")
    await stage.ana.until(lambda: answers(stage, first) or None)
    for number in range(5):
        await stage.ana.say(stage.ana.dm(), f"hello {number}")
    await settled(stage)
    assert len(said_by_bot(stage)) == 1
    stage.advance(HOUR)
    later = await stage.ana.say(stage.ana.dm(), "hello again")
    await stage.ana.until(lambda: answers(stage, later) or None)
    assert len(said_by_bot(stage)) == 2
    ben = await stage.ben.say(stage.ben.dm(), "hello")
    await stage.ben.until(lambda: said_by_bot(stage, stage.ben) or None)
    assert ben.id != later.id


async def test_after_a_restart_nothing_is_answered_twice(stage: Stage) -> None:
    said = await stage.ana.say(stage.ana.dm(), "hello")
    await stage.ana.until(lambda: answers(stage, said) or None)
    async with restarted(stage) as later:
        later.advance(HOUR)
        world = later.server.world
        world.tell("MESSAGE_CREATE", _as_sent_again(later, said), said.channel_id)
        await settled(later)
        assert len(said_by_bot(later)) == 1


def _as_sent_again(stage: Stage, message: Message) -> dict[str, object]:
    return message_json(stage.server.world, message, stage.server.base_url)


async def test_messages_without_words_and_of_the_bot_itself_are_left_alone(stage: Stage) -> None:
    await stage.ana.say(stage.ana.dm(), "", ("cat.png", b"\x89PNG"))
    await stage.ana.say(stage.ana.dm(), "   ")
    await stage.bot.send_privately(stage.ana.id, "a picture of yours")
    await settled(stage)
    assert [one.content for one in said_by_bot(stage)] == ["a picture of yours"]


async def test_a_deleted_message_takes_its_answer_with_it(stage: Stage) -> None:
    said = await stage.ana.say(stage.ana.dm(), "hello")
    await stage.ana.until(lambda: answers(stage, said) or None)
    row = "SELECT 1 FROM prompt_messages WHERE reply_id IS NOT NULL"
    while await stage.database.fetch_one(row) is None:
        await settled(stage)
    await stage.ana.delete(said)
    await stage.ana.until(lambda: said_by_bot(stage) == [])


# ---- painting --------------------------------------------------------------------------------------------------------


async def test_where_a_member_chose_it_words_are_painted_strictly(painting: Stage) -> None:
    said = await painting.ana.say(painting.ana.dm(), "1girl, smile")
    picture = await painting.ana.until(
        lambda: next((one for one in answers(painting, said) if is_delivered(one)), None)
    )
    assert request_of(picture)["prompt"] == "1girl, smile"
    job = await job_of(painting, said)
    assert (job.user_id, job.guild_id, job.place.level) == (painting.ana.id, None, SafetyLevel.STRICT)
    assert len(said_by_bot(painting)) == 1
    await painting.ana.say(painting.ana.dm(), "// only talking")
    await settled(painting)
    assert len(said_by_bot(painting)) == 1


async def test_edits_and_deletions_are_followed(painting: Stage) -> None:
    said = await painting.ana.say(painting.ana.dm(), "1girl, smile")
    picture = await painting.ana.until(
        lambda: next((one for one in answers(painting, said) if is_delivered(one)), None)
    )
    await painting.ana.edit(said, "1girl, umbrella")
    await painting.ana.until(lambda: is_delivered(picture) and "umbrella" in str(request_of(picture)["prompt"]))
    assert len(answers(painting, said)) == 1
    await painting.ana.delete(said)
    await painting.ana.until(lambda: answers(painting, said) == [])


async def test_policy_and_quotas_hold(painting: Stage) -> None:
    said = await painting.ana.say(painting.ana.dm(), f"1girl, {FORBIDDEN} cafe")
    (answer,) = await painting.ana.until(lambda: answers(painting, said) or None)
    assert answer.content == "I can't paint this one."
    why = painting.ana.answer(await painting.ana.click(answer, "Why?"))
    assert why.only_for == painting.ana.id
    await painting.service.blocks.block_member(0, painting.ana.id, painting.owner.id, reason="spam")
    blocked = await painting.ana.say(painting.ana.dm(), "1girl, smile")
    (answer,) = await painting.ana.until(lambda: answers(painting, blocked) or None)
    assert "block" in answer.content


async def test_one_who_has_not_agreed_reads_the_rules_first(stage: Stage) -> None:
    await switch_painting(stage)
    said = await stage.ana.say(stage.ana.dm(), "1girl, smile")
    (answer,) = await stage.ana.until(lambda: answers(stage, said) or None)
    rules = stage.ana.answer(await stage.ana.click(answer, "Read the rules"))
    painted = stage.ana.answer(await stage.ana.click(rules, "I agree"))
    await stage.ana.until(lambda: is_delivered(painted))


async def test_after_a_restart_what_was_written_meanwhile_is_painted_once(painting: Stage) -> None:
    before = await painting.ana.say(painting.ana.dm(), "1girl, smile")
    await painting.ana.until(lambda: [one for one in answers(painting, before) if is_delivered(one)] or None)
    await painting.running.aclose()
    missed = await painting.ana.say(painting.ana.dm(), "1girl, hat")
    await painting.ana.edit(before, "1girl, umbrella")
    async with restarted(painting) as later:
        await later.ana.until(lambda: [one for one in answers(later, missed) if is_delivered(one)] or None)
        await later.ana.until(lambda: shows(later, before, "umbrella"))
        row = await later.database.fetch_one("SELECT count(*) FROM jobs")
        assert row is not None
        assert row[0] == 3  # the one before, its edit, and what was missed
        assert len(said_by_bot(later)) == 2


async def test_switched_off_words_are_words_again(painting: Stage) -> None:
    panel = await switch_painting(painting, "Don't paint my messages")
    assert "direct messages: **no**" in panel.content
    said = await painting.ana.say(painting.ana.dm(), "1girl, smile")
    (answer,) = await painting.ana.until(lambda: answers(painting, said) or None)
    assert "/imagine" in answer.content or "</imagine:" in answer.content


async def test_an_erasure_switches_it_off(painting: Stage) -> None:
    asked = painting.ana.answer(await painting.ana.slash(painting.paintings, "privacy delete"))
    await painting.ana.click(asked, "Erase everything")
    await painting.ana.until(lambda: asked.content.startswith("Erased"))
    said = await painting.ana.say(painting.ana.dm(), "1girl, smile")
    (answer,) = await painting.ana.until(lambda: answers(painting, said) or None)
    assert "imagine" in answer.content
    panel = painting.ana.answer(await painting.ana.slash(painting.paintings, "preferences"))
    assert "direct messages: **no**" in panel.content


async def test_nobody_switches_for_somebody_else(stage: Stage) -> None:
    view = row_of(NoticesButton(stage.ana.id, False))
    await stage.bot.post(stage.paintings.id, "a forged panel", view=view)
    forged = next(one for one in stage.ben.sees(stage.paintings) if one.content == "a forged panel")
    answer = stage.ben.answer(await stage.ben.click(forged, "Never mention me"))
    assert "somebody else's" in answer.content
    assert (await stage.service.members.fetch_settings(stage.ana.id)).notices
