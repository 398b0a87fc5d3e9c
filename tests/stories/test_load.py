"""Many people at once: each picture in its own message, fair turns, no limit of Discord's met by our own doing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.images.metadata import read_png
from engine.safety import SafetyChecker
from engine.sampling.model import LoadedModel
from sandbox.people.person import Person
from sandbox.world import changes
from sandbox.world.things import Message
from tests.support.stage import is_delivered, make_stage

USERS, JOBS = 10, 10
# Discord limits writes per channel, so one channel alone would take minutes.
CHANNELS = 5


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_ten_members_with_ten_jobs_each(tmp_path: Path, tiny_model: LoadedModel, checker: SafetyChecker) -> None:
    async with make_stage(tmp_path, tiny_model, checker, max_queue=200) as stage:
        guild = next(iter(stage.server.world.guilds.values()))
        people = [
            Person(stage.server, stage.server.world.add_member(guild, f"member{number}").id) for number in range(USERS)
        ]
        channels = [changes.add_channel(stage.server.world, guild, f"easel-{number}") for number in range(CHANNELS)]
        await stage.agree(*people)
        stage.backend.pause()
        asked: dict[int, tuple[Person, Message]] = {}

        async def ask_for_all(number: int, person: Person) -> None:
            for job in range(JOBS):
                seed = number * 100 + job
                channel = channels[number % CHANNELS]
                asking = await person.slash(channel, "imagine", prompt=f"picture {seed}", seed=seed, steps=4)
                asked[seed] = (person, person.answer(asking))

        await asyncio.gather(*(ask_for_all(number, person) for number, person in enumerate(people)))
        stage.backend.resume()
        for seed, (person, message) in asked.items():
            await person.until(lambda message=message: is_delivered(message), seconds=400)
            info = read_png(message.attachments[0].data)
            assert info is not None
            assert (info.seed, info.request["prompt"]) == (seed, f"picture {seed}")
        finished = await stage.database.fetch_all("SELECT user_id FROM jobs ORDER BY finished_at, id")
        order = [row["user_id"] for row in finished]
        assert len(order) == USERS * JOBS
        # Round robin: when the first member is served for the k-th time, nobody else is more than the jobs that
        # are painted together behind.
        together = 16
        for user_id in {*order}:
            for turn, place in enumerate(number for number, owner in enumerate(order) if owner == user_id):
                assert place < (turn + 1) * USERS + together
        assert stage.server.rate_limited == []
