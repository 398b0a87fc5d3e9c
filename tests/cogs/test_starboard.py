"""Stars in the database: one per member, none for oneself, one post per picture."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from db import starboard
from db.database import Database
from tests.support.requests import NOW

JOB = 1
AUTHOR = 1


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(tmp_path / "bot.sqlite3") as opened:
        async with opened.transaction() as connection:
            await connection.execute(
                """INSERT INTO jobs (id, user_id, guild_id, channel_id, status, request, images, created_at)
                   VALUES (?, ?, 2, 3, 'delivered', '{}', 1, 0)""",
                (JOB, AUTHOR),
            )
            await starboard.save(connection, 2, 33, 3, 9, NOW)
        yield opened


async def star(database: Database, user_id: int) -> bool:
    async with database.transaction() as connection:
        return await starboard.add_star(connection, JOB, user_id, NOW)


async def test_concurrent_stars_send_the_picture_once(database: Database) -> None:
    sent = await asyncio.gather(*(star(database, user_id) for user_id in range(10, 20)))
    assert sent.count(True) == 1
    assert [starred.job_id for starred in await starboard.fetch_unposted(database)] == [JOB]


async def test_ones_own_star_does_not_count(database: Database) -> None:
    for user_id in (AUTHOR, 10, 11):
        assert not await star(database, user_id)
    assert await starboard.count(database, JOB) == 2


async def test_a_star_counts_once_and_can_be_taken_back(database: Database) -> None:
    for _ in range(3):
        assert not await star(database, 10)
    assert await starboard.count(database, JOB) == 1
    async with database.transaction() as connection:
        await starboard.take_star(connection, JOB, 10)
    assert await starboard.count(database, JOB) == 0


async def test_without_a_starboard_nothing_is_sent(database: Database) -> None:
    async with database.transaction() as connection:
        assert await starboard.remove(connection, 2)
        assert not await starboard.remove(connection, 2)
    assert not any([await star(database, user_id) for user_id in range(10, 20)])


async def test_a_closed_picture_is_not_sent_again(database: Database) -> None:
    for user_id in (10, 11, 12):
        await star(database, user_id)
    async with database.transaction() as connection:
        await starboard.close(connection, JOB, 55)
    assert not await star(database, 13)
    assert await starboard.fetch_unposted(database) == []
