"""What the tests of use cases share: a database on disk and a clock, no Discord."""

from __future__ import annotations

import pytest

from db.database import Database
from service.context import Context
from tests.support.requests import NOW


@pytest.fixture
def context(database: Database) -> Context:
    """The database at `NOW`; a test moves time by another `context.clock`."""
    return Context(database, lambda: NOW)
