"""A transaction's news: announced after its commit, each once, and never when nothing was committed."""

from __future__ import annotations

import pytest

from db import meta
from domain import NotFound
from service.context import Context, Topic

KEY = "a key"


@pytest.fixture
def heard(context: Context) -> list[tuple[Topic, int]]:
    """Whatever the context announces."""
    heard: list[tuple[Topic, int]] = []
    for topic in Topic:
        context.topics.subscribe(topic, lambda subject_id, topic=topic: heard.append((topic, subject_id)))
    return heard


async def test_news_are_told_once_each_in_order_and_when_they_are_committed(
    context: Context, heard: list[tuple[Topic, int]]
) -> None:
    async with context.writing_news() as (connection, news):
        await meta.remember(connection, KEY, "written")
        for topic, subject_id in [(Topic.JOBS, 4), (Topic.AUDIT, 0), (Topic.JOBS, 4), (Topic.JOBS, 5)]:
            news.add(topic, subject_id)
        assert (heard, await meta.recall(context.database, KEY)) == ([], None)
    assert heard == [(Topic.JOBS, 4), (Topic.AUDIT, 0), (Topic.JOBS, 5)]
    assert await meta.recall(context.database, KEY) == "written"


async def test_what_writes_nothing_new_tells_nothing(context: Context, heard: list[tuple[Topic, int]]) -> None:
    async with context.writing_news():
        pass
    assert heard == []


async def test_what_is_undone_tells_nothing(context: Context, heard: list[tuple[Topic, int]]) -> None:
    async def undone() -> None:
        async with context.writing(Topic.CASES, Topic.AUDIT) as connection:
            await meta.remember(connection, KEY, "written")
            raise NotFound("There is none.")

    async def undone_with_news() -> None:
        async with context.writing_news() as (connection, news):
            await meta.remember(connection, KEY, "written")
            news.add(Topic.CASES)
            raise NotFound("There is none.")

    for write in (undone, undone_with_news):
        with pytest.raises(NotFound):
            await write()
    assert heard == []
    assert await meta.recall(context.database, KEY) is None


async def test_topics_that_are_always_news_are_told_after_the_commit(
    context: Context, heard: list[tuple[Topic, int]]
) -> None:
    async with context.writing(Topic.CASES, Topic.AUDIT) as connection:
        await meta.remember(connection, KEY, "written")
        assert heard == []
    assert heard == [(Topic.CASES, 0), (Topic.AUDIT, 0)]
