"""Prompt channels without Discord: who may set what, which message becomes a job, what is forgotten with it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from db import audit, guild_settings, jobs, quotas
from db import prompt_channels as message_rows
from db.database import Database
from domain import ConsentRequired, InvalidRequest, Job, JobStatus, NotFound, Origin, PromptRefused, UserError
from domain.prompt_channels import (
    AnswerMode,
    OtherMessages,
    PromptChannel,
    PromptChannelChanges,
    PromptChannelDetails,
    PromptStatus,
)
from domain.settings import ChannelLevel
from service import Service
from service.prompt_channels import PromptChannels
from tests.support.idle_backend import IdleBackend
from tests.support.people import CHANNEL, GUILD, MEMBER, MODERATOR, OTHER
from tests.support.refusals import FORBIDDEN
from tests.support.requests import NOW, ORIGIN, PROFILE
from tests.support.traces import PNG, paint

PROMPTS = CHANNEL + 1
MESSAGE = 1000
SHAPES = {"portrait": (512, 640), "square": (512, 512), "landscape": (640, 512)}


@pytest.fixture
async def service(database: Database) -> AsyncGenerator[Service]:
    backend = IdleBackend(replace(PROFILE, shapes=SHAPES, schedulers=("ddim", "pndm", "dpm++2m")))
    async with Service(database, backend, clock=lambda: NOW) as opened:
        await opened.terms.agree(MEMBER)
        yield opened


@pytest.fixture
def channels(service: Service) -> PromptChannels:
    return service.prompt_channels


async def open_channel(channels: PromptChannels, **chosen: object) -> PromptChannelDetails:
    changes = replace(PromptChannelChanges(), **chosen)
    return await channels.open(GUILD, PROMPTS, MODERATOR, changes)


def found(channels: PromptChannels) -> PromptChannel:
    channel = channels.find(PROMPTS)
    assert channel is not None
    return channel


def asked_by(user_id: int) -> Origin:
    return replace(ORIGIN, user_id=user_id, place=replace(ORIGIN.place, channel_id=PROMPTS))


async def submit(channels: PromptChannels, message_id: int = MESSAGE, prompt: str = "1girl, smile") -> Job:
    """A member's message, claimed and accepted."""
    channel = found(channels)
    await channels.claim(channel, message_id, MEMBER)
    return await channels.submit(message_id, channels.request_for(channel, prompt), asked_by(MEMBER))


# ---- opening, changing, closing --------------------------------------------------------------------------------------


async def test_a_channel_is_opened_with_its_quota_and_level_each_with_an_audit_row(
    channels: PromptChannels, service: Service, database: Database
) -> None:
    details = await open_channel(
        channels, prefix="masterpiece", seed=5, shape="portrait", per_hour=2500, level=ChannelLevel.STRICT
    )
    assert details.channel == found(channels)
    assert (details.channel.prefix, details.channel.seed, details.channel.shape) == ("masterpiece", 5, "portrait")
    assert details.quota is not None
    assert (details.quota.per_hour, details.level) == (2500, ChannelLevel.STRICT)
    assert (await service.settings.fetch_channel(GUILD, PROMPTS)).level is ChannelLevel.STRICT
    rows = await audit.search(database, GUILD, target=f"channel:{PROMPTS}")
    assert {row.action for row in rows} == {"channel.open", "quota.set", "settings.change"}
    assert {row.actor_id for row in rows} == {MODERATOR}
    assert await channels.fetch_details(GUILD, 25) == [details]
    assert await channels.fetch_details(GUILD + 1, 25) == []


async def test_what_is_not_chosen_is_the_servers_own_preset_and_shape(
    channels: PromptChannels, service: Service
) -> None:
    await service.settings.change(GUILD, MODERATOR, preset="fast", shape="landscape")
    channel = (await open_channel(channels)).channel
    assert (channel.preset, channel.shape, channel.seed) == ("fast", "landscape", None)
    request = channels.request_for(channel, "1girl")
    assert (request.preset, request.width, request.height) == ("fast", 640, 512)


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ({"preset": "slow"}, "There is no preset 'slow'"),
        ({"shape": "square"}, "This server allows these sizes only: portrait, landscape"),
    ],
)
async def test_what_is_not_possible_changes_nothing(
    channels: PromptChannels, service: Service, database: Database, chosen: dict[str, str], sentence: str
) -> None:
    await service.settings.change(GUILD, MODERATOR, allowed_shapes=("portrait", "landscape"))
    with pytest.raises(InvalidRequest, match=sentence):
        await open_channel(channels, **({"shape": "portrait"} | chosen), per_hour=1000, level=ChannelLevel.STRICT)
    assert channels.find(PROMPTS) is None
    assert await quotas.fetch_rules(database, GUILD, NOW) == []
    assert (await guild_settings.load_channel(database, GUILD, PROMPTS)).level is ChannelLevel.STANDARD


async def test_a_channel_is_opened_once(channels: PromptChannels) -> None:
    await open_channel(channels)
    with pytest.raises(InvalidRequest, match="is open already"):
        await open_channel(channels)


async def test_an_edit_changes_what_is_named_and_empties_what_is_emptied(channels: PromptChannels) -> None:
    await open_channel(
        channels, prefix="masterpiece", suffix="night", preset="fast", seed=5, answer=AnswerMode.THREAD, per_hour=1000
    )
    changes = PromptChannelChanges(suffix="", cooldown_seconds=60, other_messages=OtherMessages.DELETE)
    details = await channels.edit(PROMPTS, MODERATOR, changes)
    channel = details.channel
    assert (channel.prefix, channel.suffix, channel.preset, channel.seed) == ("masterpiece", "", "fast", 5)
    assert (channel.cooldown_seconds, channel.answer) == (60, AnswerMode.THREAD)
    assert channel.other_messages is OtherMessages.DELETE
    assert details.quota is not None
    channel = (await channels.edit(PROMPTS, MODERATOR, PromptChannelChanges(preset="", seed=-1))).channel
    assert (channel.preset, channel.seed) == (None, None)


async def test_a_channel_without_a_preset_has_none_whatever_the_server_chose(
    channels: PromptChannels, service: Service
) -> None:
    await service.settings.change(GUILD, MODERATOR, preset="fast")
    await open_channel(channels, preset="")
    assert (await submit(channels)).request.preset is None


async def test_a_closed_channel_is_an_ordinary_one(channels: PromptChannels, database: Database) -> None:
    await open_channel(channels)
    await channels.close(GUILD, PROMPTS, MODERATOR)
    assert channels.find(PROMPTS) is None
    for act in (
        channels.close(GUILD, PROMPTS, MODERATOR),
        channels.edit(PROMPTS, MODERATOR, PromptChannelChanges(prefix="masterpiece")),
    ):
        with pytest.raises(NotFound, match="is no prompt channel"):
            await act
    assert len(await audit.search(database, GUILD, action="channel.close")) == 1


async def test_a_channel_that_was_deleted_is_open_no_more(channels: PromptChannels) -> None:
    await open_channel(channels)
    await channels.forget_channel(PROMPTS + 1)
    assert channels.find(PROMPTS) is not None
    await channels.forget_channel(PROMPTS)
    assert channels.find(PROMPTS) is None
    assert await channels.load() == []


async def test_moderators_hear_of_a_problem_once_until_the_channel_is_edited(
    channels: PromptChannels, service: Service
) -> None:
    await service.settings.change(GUILD, MODERATOR, audit_channel_id=70)
    channel = (await open_channel(channels)).channel
    assert await channels.note_problem(channel, "I can't answer.") == 70
    assert await channels.note_problem(channel, "I can't answer.") is None
    (details,) = await channels.fetch_details(GUILD, 25)
    assert details.channel.problem == "I can't answer."
    await service.settings.change(GUILD, MODERATOR, review_channel_id=71)
    await channels.edit(PROMPTS, MODERATOR, PromptChannelChanges(suffix="night"))
    assert await channels.note_problem(channel, "I can't answer.") == 71


async def test_a_problem_that_nobody_wants_to_hear_of_is_kept_for_the_list(channels: PromptChannels) -> None:
    channel = (await open_channel(channels)).channel
    assert await channels.note_problem(channel, "I can't answer.") is None
    (details,) = await channels.fetch_details(GUILD, 25)
    assert details.channel.problem == "I can't answer."


# ---- messages --------------------------------------------------------------------------------------------------------


async def test_a_message_is_claimed_once_whatever_is_sent_twice(channels: PromptChannels) -> None:
    channel = (await open_channel(channels)).channel
    claims = await asyncio.gather(*(channels.claim(channel, MESSAGE, MEMBER) for _ in range(5)))
    assert sorted(claims, key=str) == [None, None, None, None, PromptStatus.TAKEN]
    assert [message.message_id for message in await channels.fetch_unfinished(PROMPTS)] == [MESSAGE]


async def test_in_a_cooldown_a_member_is_told_once_when_it_ends(channels: PromptChannels, service: Service) -> None:
    channel = (await open_channel(channels, cooldown_seconds=600)).channel
    assert await channels.wait_until(channel, MESSAGE, MEMBER) is None
    assert await channels.claim(channel, MESSAGE, MEMBER) is PromptStatus.TAKEN
    assert await channels.claim(channel, MESSAGE + 1, MEMBER) is PromptStatus.COOLING
    assert await channels.wait_until(channel, MESSAGE + 1, MEMBER) == NOW + timedelta(minutes=10)
    assert await channels.claim(channel, MESSAGE + 2, MEMBER) is PromptStatus.COOLING
    assert await channels.wait_until(channel, MESSAGE + 2, MEMBER) is None
    assert await channels.claim(channel, MESSAGE + 3, OTHER) is PromptStatus.TAKEN

    def later() -> datetime:
        return NOW + timedelta(minutes=10)

    service.clock = later
    assert await channels.claim(channel, MESSAGE + 4, MEMBER) is PromptStatus.TAKEN


@pytest.mark.parametrize("ahead", [timedelta(hours=3), timedelta(days=1), timedelta(days=365)])
async def test_a_clock_that_was_ahead_keeps_nobody_waiting(
    channels: PromptChannels, service: Service, ahead: timedelta
) -> None:
    channel = (await open_channel(channels, cooldown_seconds=600)).channel
    service.clock = lambda: NOW + ahead
    assert await channels.claim(channel, MESSAGE, MEMBER) is PromptStatus.TAKEN
    assert await channels.claim(channel, MESSAGE + 1, MEMBER) is PromptStatus.COOLING
    service.clock = lambda: NOW
    assert await channels.claim(channel, MESSAGE + 2, MEMBER) is PromptStatus.TAKEN
    assert await channels.claim(channel, MESSAGE + 3, MEMBER) is PromptStatus.COOLING
    assert await channels.wait_until(channel, MESSAGE + 3, MEMBER) == NOW + timedelta(minutes=10)


async def test_a_clock_that_is_set_back_a_little_ends_no_cooldown(channels: PromptChannels, service: Service) -> None:
    channel = (await open_channel(channels, cooldown_seconds=600)).channel
    assert await channels.claim(channel, MESSAGE, MEMBER) is PromptStatus.TAKEN
    service.clock = lambda: NOW - timedelta(minutes=5)
    assert await channels.claim(channel, MESSAGE + 1, MEMBER) is PromptStatus.COOLING


@pytest.mark.parametrize("status", [PromptStatus.COOLING, PromptStatus.ACCEPTED, PromptStatus.ANSWERED])
async def test_editing_a_message_gets_nobody_round_the_cooldown(
    channels: PromptChannels, service: Service, status: PromptStatus
) -> None:
    """Whether it had to wait, was painted already, or got words."""
    channel = (await open_channel(channels, cooldown_seconds=600)).channel
    edited = MESSAGE + 1 if status is PromptStatus.COOLING else MESSAGE
    if status is PromptStatus.ACCEPTED:
        await submit(channels)
    else:
        await channels.claim(channel, MESSAGE, MEMBER)
    await channels.claim(channel, MESSAGE + 1, MEMBER)
    if status is PromptStatus.ANSWERED:
        service.clock = lambda: NOW + timedelta(minutes=10)
        await channels.claim(channel, MESSAGE + 2, MEMBER)
        await channels.mark_answered(MESSAGE, 5)
    message = await channels.find_message(edited)
    assert message is not None
    assert message.status is status
    for _ in range(3):
        assert not await channels.may_paint_again(channel, message, is_waiting=False)
    service.clock = lambda: NOW + timedelta(minutes=20)
    assert await channels.may_paint_again(channel, message, is_waiting=False)
    assert not await channels.may_paint_again(channel, message, is_waiting=False)


@pytest.mark.parametrize("trouble", ["refused", "too long", "storage"])
async def test_an_edit_that_is_not_accepted_leaves_the_earlier_picture_waiting(
    channels: PromptChannels, service: Service, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """Taking back and accepting are one transaction: a kill in between once lost the prompt."""
    channel = (await open_channel(channels)).channel
    job = await submit(channels)
    words = {"refused": FORBIDDEN, "too long": "hat, " * 400, "storage": "1girl, umbrella"}[trouble]
    if trouble == "storage":

        async def fail(*_: object) -> None:
            raise sqlite3.OperationalError("disk I/O error")

        monkeypatch.setattr(message_rows, "accept_message", fail)
    with pytest.raises((UserError, sqlite3.Error)):
        await channels.submit(MESSAGE, channels.request_for(channel, words), asked_by(MEMBER), replaced=job)
    assert (await service.jobs.fetch(job.id)).status is JobStatus.QUEUED
    message = await channels.find_message(MESSAGE)
    assert message is not None
    assert message.job_id == job.id


async def test_an_accepted_message_is_its_jobs(channels: PromptChannels, database: Database) -> None:
    await open_channel(channels, negative_prompt="hat", seed=5)
    job = await submit(channels)
    assert (job.status, job.channel_id, job.request.negative_prompt, job.request.seed) == (
        JobStatus.QUEUED,
        PROMPTS,
        "hat",
        5,
    )
    message = await channels.find_message(MESSAGE)
    assert message is not None
    assert (message.status, message.job_id) == (PromptStatus.ACCEPTED, job.id)
    assert await channels.find_job(message) == job
    assert await channels.fetch_unfinished(PROMPTS) == []


async def test_a_refused_message_is_taken_until_it_is_answered(channels: PromptChannels) -> None:
    await open_channel(channels)
    with pytest.raises(PromptRefused):
        await submit(channels, prompt=f"1girl, {FORBIDDEN} cafe")
    message = await channels.find_message(MESSAGE)
    assert message is not None
    assert (message.status, await channels.find_job(message)) == (PromptStatus.TAKEN, None)
    await channels.mark_answered(MESSAGE, 2000)
    message = await channels.find_message(MESSAGE)
    assert message is not None
    assert (message.status, message.reply_id) == (PromptStatus.ANSWERED, 2000)
    assert await channels.fetch_unfinished(PROMPTS) == []


async def test_a_first_message_waits_for_its_members_agreement(channels: PromptChannels, service: Service) -> None:
    channel = (await open_channel(channels)).channel
    await channels.claim(channel, MESSAGE, OTHER)
    with pytest.raises(ConsentRequired) as raised:
        await channels.submit(MESSAGE, channels.request_for(channel, "1girl"), asked_by(OTHER))
    await service.terms.require_pending(raised.value.pending_id, OTHER)
    waiting = await service.terms.agree(OTHER, raised.value.pending_id)
    assert waiting is not None
    assert waiting[0].prompt == "1girl"


async def test_a_deleted_message_takes_its_picture_and_our_answers_with_it(
    channels: PromptChannels, database: Database
) -> None:
    channel = (await open_channel(channels)).channel
    job_id = await paint(database, MEMBER)
    await channels.claim(channel, MESSAGE, MEMBER)
    await channels.mark_answered(MESSAGE, 2000)
    async with database.transaction() as connection:
        await connection.execute("UPDATE prompt_messages SET job_id = ?", (job_id,))
    message = await channels.find_message(MESSAGE)
    assert message is not None
    assert [picture.png for picture in await jobs.fetch_pictures(database, job_id)] == [PNG]
    assert await channels.forget(message) == {(PROMPTS, 2000), (CHANNEL, 55)}
    assert [picture.png for picture in await jobs.fetch_pictures(database, job_id)] == [None]
    assert await channels.find_message(MESSAGE) is None


async def test_a_deleted_message_that_waits_is_taken_back(channels: PromptChannels, database: Database) -> None:
    await open_channel(channels)
    job = await submit(channels)
    message = await channels.find_message(MESSAGE)
    assert message is not None
    assert await channels.forget(message) == set()
    cancelled = await jobs.fetch(database, job.id)
    assert cancelled is not None
    assert cancelled.status is JobStatus.CANCELLED
