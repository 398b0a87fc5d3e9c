"""What Discord refuses is judged by one table; there is never a second message, and never an untrue sentence."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from cogs.core.answers import Meaning, meaning_of
from cogs.imagine import submit as submitting
from db import jobs as job_rows
from domain import JobStatus, Origin, Place
from engine.safety import SafetyChecker
from engine.sampling.model import LoadedModel
from sandbox import Fault
from sandbox.people.person import NoAnswer
from sandbox.world import changes
from sandbox.world.things import Message
from sandbox.world.world import default_world
from tests.support.cards import text_of
from tests.support.discord_errors import refusal, send_again_at_once
from tests.support.stage import Stage, is_delivered, make_stage, restarted

EDIT = ("PATCH", "/channels/{channel_id}/messages/{message_id}")
CALLBACK = ("POST", "/interactions/{interaction_id}/{token}/callback")
PUBLIC_THREAD = 11


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (400, 50083, Meaning.ELSEWHERE),
        (403, 160005, Meaning.ELSEWHERE),
        (403, 0, Meaning.ELSEWHERE),
        (404, 10003, Meaning.ELSEWHERE),
        (404, 10008, Meaning.MESSAGE_GONE),
        (400, 30046, Meaning.REPLACE),
        (401, 50027, Meaning.REPLACE),
        (413, 0, Meaning.TOO_LARGE),
        (400, 40005, Meaning.TOO_LARGE),
        (400, 20009, Meaning.NO_FILE),
        (400, 200000, Meaning.NO_FILE),
        (400, 30034, Meaning.PASSING),
        (429, 0, Meaning.PASSING),
        (429, 20016, Meaning.PASSING),
        (503, 0, Meaning.PASSING),
        (400, 50035, Meaning.FINAL),
        (400, 999_999, Meaning.FINAL),
    ],
)
def test_every_refusal_has_one_meaning(status: int, code: int, meaning: Meaning) -> None:
    assert meaning_of(refusal(status, code)) is meaning


async def ask(stage: Stage, **options: Any) -> Message:
    await stage.agree(stage.ana)
    stage.backend.pause()
    asked = await stage.ana.slash(stage.paintings, "imagine", **({"prompt": "1girl, smile"} | options))
    return stage.ana.answer(asked)


def waiting(stage: Stage) -> list[Message]:
    """Messages that still say that something waits, with a button to cancel it."""
    return [one for one in stage.ana.sees(stage.paintings) if "job:cancel" in str(one.components)]


@pytest.mark.parametrize(("status", "code"), [(400, 50083), (403, 50013), (403, 160005), (404, 10003)])
async def test_a_place_that_closed_means_a_direct_message(stage: Stage, status: int, code: int) -> None:
    await ask(stage)
    stage.server.faults.append(Fault(*EDIT, status=status, code=code, times=99))
    stage.backend.resume()
    await stage.ana.until(lambda: next(filter(is_delivered, stage.ana.sees(stage.ana.dm())), None))
    await stage.until_status(1, JobStatus.DELIVERED)
    assert waiting(stage) == []


@pytest.mark.parametrize(("code", "words"), [(20009, "explicit content"), (200000, "AutoMod")])
async def test_a_file_that_is_not_taken_is_replaced_by_the_reason(stage: Stage, code: int, words: str) -> None:
    message = await ask(stage)
    stage.server.faults.append(Fault(*EDIT, status=400, code=code, times=1))
    stage.backend.resume()
    await stage.ana.until(lambda: words in text_of(message) or None)
    assert "nothing was charged" not in text_of(message).casefold()
    assert waiting(stage) == []
    await stage.until_status(1, JobStatus.DELIVERED)


async def test_a_picture_that_is_too_large_at_every_size_says_so_and_that_it_was_painted(stage: Stage) -> None:
    message = await ask(stage)
    stage.server.faults.append(Fault(*EDIT, status=413, times=5))
    stage.backend.resume()
    await stage.ana.until(lambda: "is ready" in text_of(message) or None)
    assert "too large" in text_of(message)
    assert "charged" not in text_of(message)


async def test_a_message_that_can_not_be_edited_any_more_is_replaced(stage: Stage) -> None:
    message = await ask(stage)
    stage.server.faults.append(Fault(*EDIT, status=400, code=30046, times=1))
    stage.backend.resume()
    await stage.ana.until(lambda: any(map(is_delivered, stage.ana.sees(stage.paintings))) or None)
    await stage.ana.until(lambda: message not in stage.ana.sees(stage.paintings) or None)
    assert waiting(stage) == []


# ---- the first answer ------------------------------------------------------------------------------------------------


async def ask_in_vain(stage: Stage) -> None:
    """Ask for a picture whose first answer may get lost, and wait for the picture and for the member's client."""
    asking = asyncio.create_task(stage.ana.slash(stage.paintings, "imagine", prompt="1girl, smile"))
    await stage.ana.until(lambda: any(map(is_delivered, stage.ana.sees(stage.paintings))) or None)
    stage.server.world.advance(stage.server.world.ack_seconds + 1)
    with contextlib.suppress(NoAnswer):  # what the member sees then is Discord's own sentence
        await asking


@pytest.mark.parametrize(("status", "code"), [(0, 0), (503, 0), (400, 40060)])
async def test_a_lost_first_answer_to_a_button_leaves_one_message_too(
    stage: Stage, status: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_again_at_once(monkeypatch)
    await stage.agree(stage.ana)
    first = await stage.picture(stage.ana)
    stage.server.faults.append(Fault(*CALLBACK, status=status, code=code, times=9 if status == 503 else 1, after=True))
    pressing = asyncio.create_task(stage.ana.click(first, "Again"))
    await stage.ana.until(lambda: sum(map(is_delivered, stage.ana.sees(stage.paintings))) == 2 or None)
    stage.server.world.advance(stage.server.world.ack_seconds + 1)
    with contextlib.suppress(NoAnswer):
        await pressing
    await stage.until_status(2, JobStatus.DELIVERED)
    seen = stage.ana.sees(stage.paintings)
    assert sum(map(is_delivered, seen)) == 2
    assert waiting(stage) == []
    assert not any("charged" in text_of(one) for one in seen)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(*CALLBACK, status=0, after=True),
        Fault(*CALLBACK, status=503, times=9, after=True),
        Fault(*CALLBACK, status=400, code=40060, after=True),
        Fault(*CALLBACK, status=404, code=10062),
        Fault(*CALLBACK, status=400, code=50035),
        Fault(*CALLBACK, status=504, times=9, after=True),
        Fault(*CALLBACK, status=429, after=True),
        Fault(*CALLBACK, status=403, code=50001),
        Fault(*CALLBACK, status=404, code=10015),
    ],
    ids=lambda fault: f"{fault.status}-{fault.code}-{'after' if fault.after else 'before'}",
)
async def test_a_lost_first_answer_leaves_one_message_and_no_untrue_sentence(
    stage: Stage, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_again_at_once(monkeypatch)
    await stage.agree(stage.ana)
    stage.server.faults.append(fault)
    await ask_in_vain(stage)
    await stage.until_status(1, JobStatus.DELIVERED)
    seen = stage.ana.sees(stage.paintings)
    assert sum(map(is_delivered, seen)) == 1
    assert waiting(stage) == []
    assert not any("charged" in text_of(one) for one in seen)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(*CALLBACK, status=0, after=True),
        Fault(*CALLBACK, status=400, code=40060, after=True),
        Fault(*CALLBACK, status=404, code=10062),
    ],
    ids=lambda fault: f"{fault.status}-{fault.code}",
)
async def test_a_lost_thinking_leaves_the_picture_and_no_untrue_sentence(
    stage: Stage, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chaos run found it: the picture was painted and paid for, and its member read that nothing was charged."""
    monkeypatch.setattr(submitting, "PATIENCE_SECONDS", 0)
    await stage.agree(stage.ana)
    stage.server.faults.append(fault)
    await ask_in_vain(stage)
    await stage.until_status(1, JobStatus.DELIVERED)
    seen = stage.ana.sees(stage.paintings)
    assert sum(map(is_delivered, seen)) == 1
    assert not any(one.is_thinking or "charged" in text_of(one) for one in seen)


async def test_nothing_is_accepted_by_a_bot_whose_parts_are_being_taken_down(stage: Stage) -> None:
    """A chaos run found it: what was asked while it stopped was paid for, and answered with "nothing was charged"."""
    await stage.agree(stage.ana)
    await stage.bot.remove_cog("Progress")
    asked = await stage.ana.slash(stage.paintings, "imagine", prompt="1girl, smile")
    assert "Nothing is charged but a picture that still appears." in stage.ana.answer(asked).content
    assert await stage.database.fetch_all("SELECT id FROM jobs") == []


async def test_one_interaction_is_one_job_however_often_it_comes(stage: Stage) -> None:
    await ask(stage)
    job = await stage.service.jobs.fetch(1)
    assert job.request_id is not None
    place = Place(guild_id=stage.paintings.guild_id, channel_id=stage.paintings.id)
    origin = Origin(user_id=stage.ana.id, place=place, request_id=job.request_id)
    again = await stage.service.submit(job.request, origin)
    assert again.id == 1
    assert len(await stage.service.jobs.fetch_open()) == 1


# ---- after a restart -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["channel", "busy channel", "direct message", "thread"])
async def test_a_message_whose_id_was_lost_is_found_after_a_restart(stage: Stage, where: str) -> None:
    await stage.agree(stage.ana)
    stage.backend.pause()
    channel = stage.ana.dm() if where == "direct message" else stage.paintings
    if where == "thread":
        channel = changes.open_thread(
            stage.server.world, stage.paintings, "pictures", stage.ana.id, PUBLIC_THREAD, None
        )
    message = stage.ana.answer(await stage.ana.slash(channel, "imagine", prompt="1girl, smile"))
    for number in range(120 if where == "busy channel" else 0):
        await stage.ben.say(channel, f"so many words {number}")
    async with stage.database.transaction() as connection:
        await connection.execute("UPDATE jobs SET message_id = NULL")
    async with restarted(stage) as after:
        await after.ana.until(lambda: is_delivered(message) or None)
        assert sum(map(is_delivered, after.ana.sees(channel))) == 1


@pytest.mark.parametrize("seconds", [300, -300, 2 * 3600])
async def test_a_clock_ahead_of_discords_or_behind_does_not_hide_a_message(
    tmp_path: Path, tiny_model: LoadedModel, checker: SafetyChecker, seconds: int
) -> None:
    world = default_world(clock=lambda: time.time() - seconds)
    async with make_stage(tmp_path, tiny_model, checker, world) as stage:
        message = await ask(stage)
        async with stage.database.transaction() as connection:
            await connection.execute("UPDATE jobs SET message_id = NULL, request_id = NULL")
        async with restarted(stage) as after:
            await after.ana.until(lambda: is_delivered(message) or None)
            assert sum(map(is_delivered, after.ana.sees(after.paintings))) == 1


async def test_a_button_of_an_old_message_never_opens_another_members_picture(stage: Stage) -> None:
    await stage.agree(stage.ana, stage.ben)
    message = await stage.picture(stage.ana)
    await stage.until_status(1, JobStatus.DELIVERED)
    async with stage.database.transaction() as connection:  # a restored backup gave the number to somebody else
        await connection.execute("UPDATE jobs SET user_id = ?, message_id = message_id + 1", (stage.ben.id,))
    for label in ("Edit", "Again", "Vary", "🗑️", "🚩"):
        answer = stage.ana.answer(await stage.ana.click(message, label))
        assert "not stored any more" in answer.content, label
    assert await stage.service.jobs.fetch_open() == []


# ---- storage ---------------------------------------------------------------------------------------------------------


async def test_a_picture_waits_for_storage_that_is_full_and_is_delivered_then(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = await ask(stage)
    finish, failures = job_rows.finish, [sqlite3.OperationalError("database or disk is full")] * 2

    async def finish_later(*arguments: Any) -> bool:
        if failures:
            raise failures.pop()
        return await finish(*arguments)

    monkeypatch.setattr(job_rows, "finish", finish_later)
    stage.backend.resume()
    await stage.ana.until(lambda: is_delivered(message))
    assert failures == []
    assert stage.service.health.problems == []


@pytest.mark.parametrize(
    ("owner", "name", "error"),
    [
        ("deliveries", "fetch_undelivered", sqlite3.OperationalError("disk I/O error")),
        ("deliveries", "fetch_undelivered", KeyError("a column")),
        ("deliveries", "count_stored", sqlite3.DatabaseError("database disk image is malformed")),
        ("deliveries", "mark_delivered", sqlite3.OperationalError("database is locked")),
    ],
)
async def test_an_error_in_the_delivery_loop_stops_nobody_for_long(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, owner: str, name: str, error: Exception
) -> None:
    message = await ask(stage)
    subject = getattr(stage.service, owner)
    original, failures = getattr(subject, name), [error]

    async def fail_once(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return await original(*arguments)

    monkeypatch.setattr(subject, name, fail_once)
    stage.backend.resume()
    await stage.ana.until(lambda: is_delivered(message))
    await stage.until_status(1, JobStatus.DELIVERED)
    assert failures == []
    assert sum(map(is_delivered, stage.ana.sees(stage.paintings))) == 1


async def test_a_row_that_can_not_be_read_is_in_nobodys_way_and_not_at_the_start(
    tmp_path: Path, tiny_model: LoadedModel, checker: SafetyChecker
) -> None:
    async with make_stage(tmp_path, tiny_model, checker) as first:
        await ask(first)
        message = first.ana.answer(await first.ana.slash(first.paintings, "imagine", prompt="1girl, hat"))
        async with first.database.transaction() as connection:
            await connection.execute("UPDATE jobs SET request = '{\"prompt\": 5}' WHERE id = 1")
        world = first.server.world
    async with make_stage(tmp_path, tiny_model, checker, world) as second:
        await second.ana.until(lambda: is_delivered(world.messages[message.id]) or None)


@pytest.mark.parametrize(("status", "code"), [(400, 30034), (403, 50001), (503, 0)])
async def test_a_refused_command_sync_does_not_keep_the_bot_from_starting(stage: Stage, status: int, code: int) -> None:
    await stage.service.remember(f"commands:{stage.bot.application_id}", "other commands")
    stage.server.faults.append(Fault("PUT", "/applications/{application_id}/commands", status, times=9, code=code))
    async with restarted(stage) as after:
        assert any("commands" in problem.name for problem in after.service.health.problems)
