"""What every use case works with: the database, the clock, and the topics that it announces after a commit.

What shows something in Discord listens to topics: a background task runs when its own topic has news.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

import aiosqlite

from db.database import Database

Listener = Callable[[int], None]


class Topic(StrEnum):
    """One kind of news. With `JOBS` and `PROGRESS` comes the job's id, with the others 0.

    `PROGRESS`: the worker took a step; nothing about it is in the database.
    """

    JOBS = "jobs"
    PROGRESS = "progress"
    AUDIT = "audit"
    CASES = "cases"
    CASE_DECISIONS = "case decisions"
    CHALLENGES = "challenges"
    DECISIONS = "decisions"
    PROMPT_CHANNELS = "prompt channels"
    QUEUE = "queue"
    SETTINGS = "settings"
    STARBOARD = "starboard"
    STRIKES = "strikes"


class Topics:
    """Calls every listener of a topic, in the event loop."""

    def __init__(self) -> None:
        self._listeners: defaultdict[Topic, list[Listener]] = defaultdict(list)

    def subscribe(self, topic: Topic, listener: Listener) -> None:
        self._listeners[topic].append(listener)

    def announce(self, topic: Topic, subject_id: int = 0) -> None:
        """Tell that something about the topic is new. Listeners must not block."""
        for listener in self._listeners[topic]:
            listener(subject_id)


class News:
    """What a transaction has to tell once it is committed, each topic and subject once."""

    def __init__(self) -> None:
        self._news: dict[tuple[Topic, int], None] = {}

    def add(self, topic: Topic, subject_id: int = 0) -> None:
        """Something about the topic was written."""
        self._news[topic, subject_id] = None

    def __iter__(self) -> Iterator[tuple[Topic, int]]:
        return iter(self._news)


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Context:
    """`clock` gives the current time in UTC; tests replace it."""

    database: Database
    clock: Callable[[], datetime]
    topics: Topics = field(default_factory=Topics)

    def now(self) -> datetime:
        return self.clock()

    @asynccontextmanager
    async def writing(self, *topics: Topic) -> AsyncGenerator[aiosqlite.Connection]:
        """One transaction: all or nothing. After its commit the topics are announced."""
        async with self.writing_news(*topics) as (connection, _):
            yield connection

    @asynccontextmanager
    async def writing_news(self, *topics: Topic) -> AsyncGenerator[tuple[aiosqlite.Connection, News]]:
        """One transaction; the topics and what is added to its news are announced after the commit.

        For what is only sometimes news, and for news about one job.
        """
        news = News()
        for topic in topics:
            news.add(topic)
        async with self.database.transaction() as connection:
            yield connection, news
        for topic, subject_id in news:
            self.topics.announce(topic, subject_id)
