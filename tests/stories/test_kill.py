"""The bot is killed with SIGKILL at many different moments; every accepted job is delivered exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from db.database import Database
from engine.images.metadata import read_png
from engine.policy.licence import TERMS_VERSION
from sandbox.people.person import Person
from sandbox.server import Call, LoopbackDiscord
from sandbox.world.world import ApiError, default_world

ROOT = Path(__file__).parents[2]
CALLBACK = ("POST", "/interactions/{interaction_id}/{token}/callback")
PROGRESS = ("PATCH", "/webhooks/{application_id}/{token}/messages/{message_id}")
DELIVERY = ("PATCH", "/channels/{channel_id}/messages/{message_id}")

# "arriving" kills before Discord carries the request out, "done" after it, before the bot hears the answer:
# accepted but nobody told, told but the message not known, painting, finished but not posted, posted but not marked.
# Each for the first and the second of two jobs, and once more for smaller ones.
MOMENTS = [
    (route, passing, moment, images)
    for images in (4, 3)
    for route in (CALLBACK, PROGRESS, DELIVERY)
    for passing in (0, 1)
    for moment in ("arriving", "done")
]


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
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


@asynccontextmanager
async def bot_process(model: Path, server: LoopbackDiscord, database: Path) -> AsyncGenerator[BotProcess]:
    loader = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "tests" / "bot_process.py"),
        str(model),
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


class Killer:
    """Kills the bot at one moment; what it hears comes from the server's requests."""

    def __init__(self, bot: BotProcess, route: tuple[str, str], passing: int, moment: str) -> None:
        self.bot, self.route, self.passing, self.moment = bot, route, passing, moment
        self.struck = asyncio.Event()

    def __call__(self, moment: str, call: Call) -> None:
        if (call.method, call.route) != self.route or self.struck.is_set():
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
    from datetime import UTC, datetime

    from db import agreements

    async with Database(database) as opened, opened.transaction() as connection:
        for person in people:
            await agreements.agree(connection, person.id, TERMS_VERSION, datetime.now(UTC))


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for what another process does: only looking again tells."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - no event crosses the process border
            await asyncio.sleep(0.05)


def accepted_jobs(database: Path) -> dict[int, str]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return dict(connection.execute("SELECT id, status FROM jobs").fetchall())


def delivered_jobs(server: LoopbackDiscord) -> Counter[int]:
    """How many messages show each job's picture."""
    shown: Counter[int] = Counter()
    for message in server.world.messages.values():
        infos = [read_png(one.data) for one in message.attachments if one.filename.endswith(".png")]
        shown.update({info.job_id for info in infos if info is not None and info.job_id is not None})
    return shown


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_every_accepted_job_is_delivered_once_however_the_bot_dies(tmp_path: Path, tiny_model_dir: Path) -> None:
    database = tmp_path / "bot.sqlite3"
    async with (
        LoopbackDiscord(default_world()) as server,
        bot_process(tiny_model_dir, server, database) as bot,
    ):
        ana, ben = (Person(server, user.id) for user in server.world.users.values() if user.name in ("ana", "ben"))
        channel = next(one for one in server.world.channels.values() if one.name == "paintings")
        await agree(database, ana, ben)
        await bot.start()
        for route, passing, moment, images in MOMENTS:
            await until(lambda: server.gateway.sessions and server.world.commands[None])
            killer = server.on_call = Killer(bot, route, passing, moment)
            asking = [
                asyncio.create_task(person.slash(channel, "imagine", prompt="1girl", steps=95, images=images))
                for person in (ana, ben)
            ]
            await until(killer.struck.is_set)
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            server.on_call = None
            server.gateway.sessions.clear()
            await bot.start()
            await until(lambda: set(accepted_jobs(database).values()) <= {"delivered"})
        accepted = accepted_jobs(database)
        assert len(accepted) >= len(MOMENTS)
        assert delivered_jobs(server) == Counter(dict.fromkeys(accepted, 1))
        assert server.violations == []
        # The buttons of a message that outlived many processes still work.
        message = next(one for one in server.world.messages.values() if one.attachments)
        opened = await ana.click(message, "Edit")
        assert opened.modal is not None
