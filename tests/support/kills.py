"""The bot in a process that is killed at a chosen request, before a loopback Discord that lives on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from db import agreements
from db.database import Database
from engine.policy.licence import TERMS_VERSION
from sandbox.people.person import WAIT_SECONDS, Person
from sandbox.server import ApiCall, LoopbackDiscord
from sandbox.world.things import ApiError

ROOT = Path(__file__).parents[2]


class BotProcess:
    """Starts bots as forks of one loaded process, and kills them."""

    def __init__(self, loader: asyncio.subprocess.Process, port: int, database: Path) -> None:
        self._loader, self._port, self._database = loader, port, database
        self.pid = 0

    async def start(self) -> None:
        assert self._loader.stdin is not None
        assert self._loader.stdout is not None
        self._loader.stdin.write(f"{self._port} {self._database}\n".encode())
        self.pid = int(await self._loader.stdout.readline())

    def kill(self) -> None:
        self.send(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Send a signal; a process that is gone already, or never was, hears nothing."""
        with contextlib.suppress(ProcessLookupError):
            if self.pid:  # 0 would be this process and all its family
                os.kill(self.pid, number)

    @property
    def is_alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return self.pid > 0


@asynccontextmanager
async def bot_process(model: Path, server: LoopbackDiscord, database: Path) -> AsyncGenerator[BotProcess]:
    loader = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.bot_process",
        str(model),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert loader.stdout is not None
    assert await loader.stdout.readline() == b"ready\n"
    bot = BotProcess(loader, server.port, database)
    try:
        yield bot
    finally:
        bot.kill()
        loader.kill()
        await loader.wait()


async def start(bot: BotProcess, server: LoopbackDiscord) -> None:
    """Start the bot, and wait until it listens."""
    server.gateway.sessions.clear()
    await bot.start()
    await until(lambda: server.gateway.sessions and server.world.commands[None])


class Killer:
    """Kills the bot at one moment; what it hears comes from the server's requests.

    `moment` is "arriving" (before Discord carries the request out) or "done" (after it, before the bot hears of it);
    `passing` requests to `route` are let through first. `matches` tells the request that is meant from others to that
    route: a bot that came back sends again what it never heard the answer to, at a moment that the machine chooses.
    """

    def __init__(
        self,
        bot: BotProcess,
        route: tuple[str, str],
        passing: int,
        moment: str,
        matches: Callable[[ApiCall], bool] = lambda _: True,
    ) -> None:
        self.bot, self.route, self.passing, self.moment, self.matches = bot, route, passing, moment, matches
        self.struck = asyncio.Event()

    def __call__(self, moment: str, call: ApiCall) -> None:
        if (call.method, call.route) != self.route or self.struck.is_set() or not self.matches(call):
            return
        if moment == "before" and self.moment == "arriving" and self._is_due():
            raise ApiError(503, 0, "the bot was killed")
        if moment == "after" and self.moment == "done":
            self._is_due()

    def _is_due(self) -> bool:
        self.passing -= 1
        if self.passing >= 0:
            return False
        self.bot.kill()
        self.struck.set()
        return True


async def agree(database: Path, *people: Person) -> None:
    """Skip the first-use consent for these people, in a database that no bot has open."""
    async with Database(database) as opened, opened.transaction() as connection:
        for person in people:
            await agreements.agree(connection, person.id, TERMS_VERSION, datetime.now(UTC))


async def until(condition: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
    """Wait for what another process does: only looking again tells."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - no event crosses the process border
            await asyncio.sleep(0.05)
