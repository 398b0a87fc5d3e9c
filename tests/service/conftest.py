"""What the tests of use cases share: a database on disk and a clock, no Discord."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from db.database import Database
from service.context import Context
from tests.support.desk import Desk, open_desk
from tests.support.requests import NOW


@pytest.fixture
def context(database: Database) -> Context:
    """The database at `NOW`; a test moves time by another `context.clock`."""
    return Context(database, lambda: NOW)


@pytest.fixture
async def desk(database: Database) -> AsyncGenerator[Desk]:
    """The whole application on the database, with a backend that paints nothing."""
    async with open_desk(database) as opened:
        yield opened
