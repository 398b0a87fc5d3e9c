"""What is wrong at the moment, for the log and for the person who runs the bot; and trying again until it is right."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from db.database import DatabaseError
from domain.health import Problem

log = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 60.0

Done = TypeVar("Done")
Sleep = Callable[[float], Awaitable[object]]

# What storage says when it can't write now: full, locked, read-only, broken.
STORAGE_ERRORS = (sqlite3.Error, DatabaseError, OSError)


class Health:
    """Problems by name. One that is solved is taken off the list by what noted it."""

    def __init__(self, clock: Callable[[], datetime], sleep: Sleep = asyncio.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._problems: dict[str, Problem] = {}

    @property
    def problems(self) -> list[Problem]:
        """What is wrong now, oldest first."""
        return sorted(self._problems.values(), key=lambda problem: problem.since)

    def note(self, name: str, error: BaseException) -> str:
        """Log an error in something that goes on all the same; returns the reference that the log shows."""
        reference = secrets.token_hex(4)
        words, now = f"{type(error).__name__}: {error}"[:200], self._clock()
        known = self._problems.get(name)
        if known is None:
            self._problems[name] = Problem(name=name, error=words, since=now, times=1, reference=reference)
        else:
            self._problems[name] = replace(known, error=words, times=known.times + 1, reference=reference)
        log.error("%s failed (reference %s)", name, reference, exc_info=error)
        return reference

    def solve(self, name: str) -> None:
        """It works (again)."""
        solved = self._problems.pop(name, None)
        if solved is not None:
            log.info("%s works again after %d failures", name, solved.times)

    async def until_written(self, name: str, write: Callable[[], Awaitable[Done]]) -> Done:
        """A write that is owed: try it with growing waits until storage takes it. `write` can be repeated."""
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                done = await write()
            except STORAGE_ERRORS as error:
                self.note(name, error)
                await self._sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
            else:
                self.solve(name)
                return done

    async def keep_going(self, name: str, turn: Callable[[], Awaitable[None]]) -> None:
        """Call `turn` again and again until cancelled; an error is noted, and after a wait the next turn comes."""
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                await turn()
            except Exception as error:  # noqa: BLE001 - the border of whatever runs until the end
                self.note(name, error)
                await self._sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
            else:
                self.solve(name)
                wait = FIRST_WAIT_SECONDS
