"""What stands between a request and the queue: what is decided first, and what is written down about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from db import strikes
from domain import InvalidRequest
from tests.support.desk import Desk
from tests.support.people import GUILD, MEMBER
from tests.support.requests import ORIGIN, USUAL_REQUEST

LONG = "a" * 1501


async def count(desk: Desk, table: str) -> int:
    row = await desk.database.fetch_one(f"SELECT count(*) FROM {table}")
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
async def test_a_text_that_is_too_long_is_no_refusal_and_no_strike(desk: Desk, field: str) -> None:
    request = replace(USUAL_REQUEST, **{field: LONG})
    for _ in range(3):
        with pytest.raises(InvalidRequest, match="1,500 characters"):
            await desk.service.submit(request, ORIGIN)
    assert await count(desk, "decisions") == 0
    assert await strikes.fetch_all(desk.database, GUILD, MEMBER) == []
