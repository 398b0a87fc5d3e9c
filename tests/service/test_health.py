"""What is owed is written in the end, and what runs until the end survives any error."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import datetime

import pytest

from service.health import LONGEST_WAIT_SECONDS, Health
from tests.support.requests import NOW


class Waits:
    """Stands for sleeping: remembers how long, and may end the story."""

    def __init__(self, most: int = 100) -> None:
        self.seconds: list[float] = []
        self.most = most

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if len(self.seconds) >= self.most:
            raise asyncio.CancelledError


def now() -> datetime:
    return NOW


@pytest.mark.parametrize(
    "error",
    [
        sqlite3.OperationalError("database or disk is full"),
        sqlite3.OperationalError("database is locked"),
        sqlite3.OperationalError("disk I/O error"),
        OSError(28, "No space left on device"),
    ],
)
async def test_a_write_is_tried_until_storage_takes_it(error: Exception) -> None:
    waits, failures = Waits(), [error] * 10
    health = Health(now, waits)

    async def write() -> str:
        if failures:
            raise failures.pop()
        return "written"

    assert await health.until_written("storing", write) == "written"
    assert waits.seconds[:4] == [0.5, 1.0, 2.0, 4.0]
    assert max(waits.seconds) == LONGEST_WAIT_SECONDS
    assert health.problems == []


async def test_what_is_no_fault_of_storage_is_not_tried_again() -> None:
    async def write() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await Health(now, Waits()).until_written("storing", write)


async def test_a_loop_goes_on_after_any_error_and_says_what_is_wrong_meanwhile() -> None:
    waits, turns = Waits(most=3), 0
    health = Health(now, waits)

    async def turn() -> None:
        nonlocal turns
        turns += 1
        raise KeyError("row")

    with pytest.raises(asyncio.CancelledError):
        await health.keep_going("delivery", turn)
    assert turns == 3
    (problem,) = health.problems
    assert (problem.name, problem.times, problem.since) == ("delivery", 3, NOW)
    assert "KeyError" in problem.error


async def test_a_turn_that_works_takes_the_problem_off_the_list_and_the_waits_begin_again() -> None:
    waits, turns = Waits(most=4), iter([True, True, False, True, True])
    health = Health(now, waits)

    async def turn() -> None:
        if next(turns):
            raise OSError("broken")
        assert len(health.problems) == 1

    with pytest.raises(asyncio.CancelledError):
        await health.keep_going("progress", turn)
    assert waits.seconds == [0.5, 1.0, 0.5, 1.0]
