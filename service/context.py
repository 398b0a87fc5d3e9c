"""What every use case works with: the database, the clock, and the topics that it announces."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import aiosqlite

from db.database import Database
from service.topics import Topic, Topics


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
        async with self.database.transaction() as connection:
            yield connection
        for topic in topics:
            self.topics.announce(topic)
