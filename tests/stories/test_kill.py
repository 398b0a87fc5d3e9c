"""The bot is killed with SIGKILL at many different moments; every accepted job is delivered exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from engine.images.metadata import read_png
from sandbox.people.person import Person, channel_named
from sandbox.server import LoopbackDiscord
from sandbox.world.world import default_world
from tests.support.kills import Killer, agree, bot_process, until

CALLBACK = ("POST", "/interactions/{interaction_id}/{token}/callback")
PROGRESS = ("PATCH", "/webhooks/{application_id}/{token}/messages/{message_id}")
DELIVERY = ("PATCH", "/channels/{channel_id}/messages/{message_id}")

# "arriving" kills before Discord carries the request out, "done" after it, before the bot hears the answer:
# accepted but nobody told, told but the message not known, painting, finished but not posted, posted but not marked.
# Each for the first and the second of two jobs, and once more for smaller ones.
MOMENTS = [
    (route, passing, moment, images)
    for images in (4, 3)
    for route in (CALLBACK, PROGRESS, DELIVERY)
    for passing in (0, 1)
    for moment in ("arriving", "done")
]


def accepted_jobs(database: Path) -> dict[int, str]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return dict(connection.execute("SELECT id, status FROM jobs").fetchall())


def delivered_jobs(server: LoopbackDiscord) -> Counter[int]:
    """How many messages show each job's picture."""
    shown: Counter[int] = Counter()
    for message in server.world.messages.values():
        infos = [read_png(one.data) for one in message.attachments if one.filename.endswith(".png")]
        shown.update({info.job_id for info in infos if info is not None and info.job_id is not None})
    return shown


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_every_accepted_job_is_delivered_once_however_the_bot_dies(tmp_path: Path, tiny_model_dir: Path) -> None:
    database = tmp_path / "bot.sqlite3"
    async with (
        LoopbackDiscord(default_world()) as server,
        bot_process(tiny_model_dir, server, database) as bot,
    ):
        ana, ben = (Person(server, user.id) for user in server.world.users.values() if user.name in ("ana", "ben"))
        channel = channel_named(server.world, "paintings")
        await agree(database, ana, ben)
        await bot.start()
        for route, passing, moment, images in MOMENTS:
            await until(lambda: server.gateway.sessions and server.world.commands[None])
            killer = server.on_call = Killer(bot, route, passing, moment)
            asking = [
                asyncio.create_task(person.slash(channel, "imagine", prompt="1girl", steps=95, images=images))
                for person in (ana, ben)
            ]
            await until(killer.struck.is_set)
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            server.on_call = None
            server.gateway.sessions.clear()
            await bot.start()
            await until(lambda: set(accepted_jobs(database).values()) <= {"delivered"})
        accepted = accepted_jobs(database)
        assert len(accepted) >= len(MOMENTS)
        assert delivered_jobs(server) == Counter(dict.fromkeys(accepted, 1))
        assert server.violations == []
        # The buttons of a message that outlived many processes still work.
        message = next(one for one in server.world.messages.values() if one.attachments)
        opened = await ana.click(message, "Edit")
        assert opened.modal is not None
