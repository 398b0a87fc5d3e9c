"""Prompt channels on the stage: opened by the moderator in #prompts, written into by members."""

from __future__ import annotations

from db import jobs, prompt_channels
from domain import Job
from engine.images.metadata import read_png
from sandbox.world.things import Channel, Message
from tests.support.stage import Stage, is_delivered


def prompts(stage: Stage) -> Channel:
    return stage.channel("prompts")


async def open_channel(stage: Stage, **options: object) -> Message:
    """Open #prompts; what the moderator is answered."""
    asked = await stage.mira.slash(stage.paintings, "channel open", channel=prompts(stage).id, **options)
    return stage.mira.answer(asked)


async def edit_channel(stage: Stage, **options: object) -> None:
    await stage.mira.slash(stage.paintings, "channel edit", channel=prompts(stage).id, **options)


def answers_to(stage: Stage, message: Message) -> list[Message]:
    return [
        one
        for one in stage.mira.sees(stage.server.world.channels[message.channel_id])
        if one.reference and int(one.reference["message_id"]) == message.id
    ]


async def answer_to(stage: Stage, message: Message) -> Message:
    """Wait for the first answer to a message."""
    return await stage.ana.until(lambda: next(iter(answers_to(stage, message)), None))


async def picture_for(stage: Stage, message: Message) -> Message:
    """Wait for the answer to a message that shows its picture."""
    return await stage.ana.until(lambda: next((one for one in answers_to(stage, message) if is_delivered(one)), None))


def request_of(picture: Message) -> dict[str, object]:
    """The request that a picture's metadata tells of."""
    info = read_png(picture.attachments[0].data)
    assert info is not None
    return info.request


async def job_of(stage: Stage, message: Message) -> Job:
    """The job that a message became."""
    row = await prompt_channels.fetch_message(stage.database, message.id)
    assert row is not None
    assert row.job_id is not None
    job = await jobs.fetch(stage.database, row.job_id)
    assert job is not None
    return job
