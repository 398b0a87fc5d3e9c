"""Erasing and forgetting as use cases: taken up again after a stop, beside everybody else's writes, once an hour."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from db import erasure, guild_settings, jobs, pictures, privacy, space
from service.context import Context
from service.jobs import Jobs
from service.privacy import Privacy
from tests.support.idle_backend import IdleBackend
from tests.support.people import GUILD, MEMBER, MODERATOR, OTHER
from tests.support.requests import NOW
from tests.support.traces import PNG, WORDS, in_files, live, paint


@pytest.fixture
def use_case(context: Context) -> Privacy:
    return Privacy(context, Jobs(context, IdleBackend()))


async def test_an_erasure_leaves_no_word_in_the_files_and_a_smaller_file(use_case: Privacy, context: Context) -> None:
    await live(context.database, MEMBER)
    await paint(context.database, MEMBER, png=PNG + bytes(2_000_000), in_row=True)
    await space.give_back(context.database)
    before = context.database.path.stat().st_size
    assert await use_case.erase_member(MEMBER) == []
    assert not in_files(context.database, WORDS)
    assert context.database.path.stat().st_size < before - 1_900_000


async def test_erasing_ends_what_is_open(use_case: Privacy, context: Context) -> None:
    job_id = await paint(context.database, MEMBER)
    async with context.writing() as connection:
        await connection.execute("UPDATE jobs SET status = 'queued', finished_at = NULL, delivered_at = NULL")
    assert await use_case.erase_member(MEMBER) == [job_id]
    assert await jobs.fetch(context.database, job_id) is None


async def test_an_interrupted_erasure_is_finished_by_the_next_start(use_case: Privacy, context: Context) -> None:
    await live(context.database, MEMBER)
    async with context.writing() as connection:
        await erasure.note_erasure(connection, MEMBER, NOW)  # and here the process ended
    await use_case.forget()
    assert not in_files(context.database, WORDS)
    assert await erasure.fetch_unfinished(context.database) == []


async def test_others_write_while_a_member_s_many_pictures_are_erased(use_case: Privacy, context: Context) -> None:
    for _ in range(12):
        await paint(context.database, MEMBER, png=PNG + bytes(300_000), in_row=True)
    left: list[int] = []

    async def write() -> None:
        while True:
            async with context.writing() as connection:
                await guild_settings.change(connection, GUILD, MODERATOR, NOW, max_images=len(left) % 4 + 1)
            left.append((await privacy.summarise(context.database, MEMBER)).get("pictures you asked for", 0))

    writer = asyncio.create_task(write())
    await use_case.erase_member(MEMBER)
    writer.cancel()
    assert any(0 < count < 12 for count in left), "nobody else wrote before the erasure was through"


async def test_forgetting_runs_once_an_hour(use_case: Privacy, context: Context) -> None:
    await use_case.forget()
    job_id = await paint(context.database, OTHER)
    async with context.writing() as connection:
        await connection.execute("UPDATE jobs SET finished_at = 0")
    context.clock = lambda: NOW + timedelta(minutes=59)
    await use_case.forget()
    assert await pictures.fetch_picture(context.database, job_id, 0) == PNG
    context.clock = lambda: NOW + timedelta(minutes=60)
    await use_case.forget()
    assert await pictures.fetch_picture(context.database, job_id, 0) is None


async def test_servers_that_left_and_came_back_while_the_bot_was_away_are_noticed(
    use_case: Privacy, context: Context
) -> None:
    await paint(context.database, MEMBER)
    await use_case.note_present(set())
    context.clock = lambda: NOW + timedelta(days=29)
    await use_case.note_present({GUILD})
    context.clock = lambda: NOW + timedelta(days=60)
    await use_case.forget()
    assert await erasure.fetch_guild_ids(context.database) == {GUILD}
    await use_case.note_present(set())
    context.clock = lambda: NOW + timedelta(days=91)
    await use_case.forget()
    assert await erasure.fetch_guild_ids(context.database) == set()
