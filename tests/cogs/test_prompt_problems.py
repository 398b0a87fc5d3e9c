"""What goes wrong in a prompt channel is said to its moderators: clearly, and once."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import discord
import pytest

from db import prompt_channels as prompt_rows
from engine.safety import FixedScores
from engine.sampling.model import LoadedModel
from sandbox import Fault
from sandbox.world import changes
from sandbox.world.things import Message
from tests.support.kills import until
from tests.support.prompt_channels import (
    answer_to,
    answers_to,
    edit_channel,
    open_channel,
    picture_for,
    prompts,
)
from tests.support.refusals import FORBIDDEN
from tests.support.stage import Stage, is_delivered, make_stage


@pytest.fixture
async def open_stage(tmp_path: Path, tiny_model: LoadedModel) -> AsyncGenerator[Stage]:
    async with make_stage(tmp_path, tiny_model, FixedScores(), message_content_intent=True) as stage:
        await stage.agree(stage.ana, stage.ben)
        await stage.choose_review_channel()
        yield stage


def complaints(stage: Stage) -> list[str]:
    return [one.content for one in stage.mira.sees(stage.channel("mod-review"))]


def take_from_the_bot(stage: Stage, **permissions: bool) -> None:
    denied = (0, discord.Permissions(**permissions).value)
    changes.edit_channel(stage.server.world, prompts(stage), overwrites={stage.server.world.bot.id: denied})


async def until_complained(stage: Stage) -> str:
    return await stage.mira.until(lambda: next(iter(complaints(stage)), None))


async def settled(stage: Stage) -> None:
    """Everything that happened before this has been dealt with: a later message of another channel was answered."""
    await stage.picture(stage.ben, steps=4)


@pytest.mark.parametrize("step", ["take_message", "accept_message", "answer_message"])
async def test_a_message_waits_for_storage_that_is_locked(
    open_stage: Stage, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chaos run found it: the message was neither painted nor answered, and nobody sends one twice."""
    await open_channel(open_stage)
    write, failures = getattr(prompt_rows, step), [sqlite3.OperationalError("database is locked")]

    async def write_later(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return await write(*arguments)

    monkeypatch.setattr(prompt_rows, step, write_later)
    said = await open_stage.ana.say(prompts(open_stage), FORBIDDEN if step == "answer_message" else "1girl, smile")
    await (answer_to if step == "answer_message" else picture_for)(open_stage, said)
    await until(lambda: not failures and not open_stage.service.health.problems)  # of which no event tells
    assert len(answers_to(open_stage, said)) == 1


async def test_a_thread_that_was_opened_unheard_is_no_problem(open_stage: Stage) -> None:
    """Discord opens it and the answer is lost; the second try is told that there is one."""
    await open_channel(open_stage, answer="thread")
    route = "/channels/{channel_id}/messages/{message_id}/threads"
    open_stage.server.faults.append(Fault("POST", route, status=503, after=True))
    said = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    thread = await open_stage.ana.until(lambda: open_stage.server.world.channels.get(said.id))
    await open_stage.ana.until(lambda: any(map(is_delivered, open_stage.ana.sees(thread))) or None)
    assert complaints(open_stage) == []


async def test_slow_mode_is_mentioned_when_opening_and_once_when_it_is_switched_on(open_stage: Stage) -> None:
    world, place = open_stage.server.world, prompts(open_stage)
    changes.edit_channel(world, place, slowmode_seconds=30)
    assert "Slow mode lets members write every 30 seconds" in (await open_channel(open_stage)).content
    for seconds in (0, 10, 0, 10):
        changes.edit_channel(world, place, slowmode_seconds=seconds)
    assert "Slow mode lets members write every 10 seconds" in await until_complained(open_stage)
    await settled(open_stage)
    assert len(complaints(open_stage)) == 1


async def test_missing_permissions_are_named_when_opening(open_stage: Stage) -> None:
    take_from_the_bot(open_stage, attach_files=True, manage_messages=True)
    answer = await open_channel(open_stage, other_messages="delete")
    assert "I am missing permissions there: " in answer.content
    assert "attach files" in answer.content
    assert "manage messages" in answer.content


@pytest.mark.parametrize("answer", ["reply", "thread"])
async def test_a_channel_that_is_closed_to_the_bot_later_is_said_once(open_stage: Stage, answer: str) -> None:
    await open_channel(open_stage, answer=answer)
    take_from_the_bot(open_stage, send_messages=True, create_public_threads=True)
    for number in range(3):
        await open_stage.ana.say(prompts(open_stage), f"1girl, hat, tree {number}")
    assert f"I can't answer in <#{prompts(open_stage).id}>" in await until_complained(open_stage)
    await settled(open_stage)
    assert len(complaints(open_stage)) == 1

    await edit_channel(open_stage, answer="reply")
    changes.edit_channel(open_stage.server.world, prompts(open_stage), overwrites={})
    said = await open_stage.ana.say(prompts(open_stage), "1girl, umbrella")
    await picture_for(open_stage, said)


async def test_messages_that_can_not_be_deleted_are_said_once(open_stage: Stage) -> None:
    await open_channel(open_stage, other_messages="delete")
    take_from_the_bot(open_stage, manage_messages=True)
    for words in ("// hello", "// anybody here?"):
        await open_stage.ana.say(prompts(open_stage), words)
    assert "I am missing Manage Messages" in await until_complained(open_stage)
    await settled(open_stage)
    assert len(complaints(open_stage)) == 1


async def test_what_the_bot_could_not_show_in_the_channel_comes_by_direct_message(open_stage: Stage) -> None:
    await open_channel(open_stage)
    take_from_the_bot(open_stage, send_messages=True)
    await open_stage.ana.say(prompts(open_stage), "1girl, hat")

    def private() -> Message | None:
        return next((one for one in open_stage.ana.sees(open_stage.ana.dm()) if is_delivered(one)), None)

    await open_stage.ana.until(private)


async def test_a_channel_that_is_deleted_is_open_no_more(open_stage: Stage) -> None:
    await open_channel(open_stage)
    said = await open_stage.ana.say(prompts(open_stage), "1girl, hat")
    await answer_to(open_stage, said)
    changes.delete_channel(open_stage.server.world, prompts(open_stage))
    await settled(open_stage)
    listed = open_stage.mira.answer(await open_stage.mira.slash(open_stage.paintings, "channel list"))
    assert "There are none" in listed.embeds[0]["description"]
