"""Real parts for every test: a tiny model of the real classes, SQLite on disk, the bot on the loopback Discord."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot import create_bot
from cogs.core.bot import Bot
from db import guild_settings
from domain import JobStatus, Place, Request
from engine.policy import judge
from engine.safety import FixedScores, SafetyChecker
from engine.sampling.model import LoadedModel, load_model
from engine.worker.local_backend import LocalBackend
from sandbox.people.person import Person
from sandbox.server import LoopbackDiscord
from sandbox.world.world import Channel, Message, World, default_world
from scripts.random_model import build_random_model
from service import Service
from settings import Settings

logging.getLogger("discord").setLevel(logging.WARNING)

FAST_EDITS_SECONDS = 0.2


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model of random weights."""
    return build_random_model(tmp_path_factory.mktemp("models") / "tiny", "tiny")


@pytest.fixture(scope="session")
def tiny_model(tiny_model_dir: Path) -> LoadedModel:
    return load_model(str(tiny_model_dir))


@pytest.fixture
def checker() -> SafetyChecker:
    """A picture check that finds every picture safe; tests inject other scores."""
    return FixedScores()


@pytest.fixture(scope="session", autouse=True)
def _policy_is_loaded() -> None:
    """Read the rules once and beforehand, as bot.py does: nobody's first answer waits for them."""
    request = Request(
        prompt="1girl", width=64, height=64, num_inference_steps=1, guidance_scale=1.0, scheduler="ddim", seed=0
    )
    judge(request, Place())


@dataclass(slots=True)
class Stage:
    """A running bot in its loopback Discord, and the people in it."""

    server: LoopbackDiscord
    settings: Settings
    bot: Bot
    backend: LocalBackend
    ana: Person
    ben: Person
    mira: Person  # the moderator

    @property
    def service(self) -> Service:
        return self.bot.service

    def channel(self, name: str) -> Channel:
        return next(one for one in self.server.world.channels.values() if one.name == name)

    @property
    def paintings(self) -> Channel:
        return self.channel("paintings")

    async def agree(self, *people: Person) -> None:
        """Skip the first-use consent for these people."""
        for person in people:
            await self.service.agree(person.id)

    async def change_settings(self, channel: Channel | None = None, **values: Any) -> None:
        """Change the server's settings, or those of one channel, as the moderator."""
        guild_id, channel_id = self.paintings.guild_id or 0, 0 if channel is None else channel.id
        async with self.service.database.transaction() as connection:
            await guild_settings.change(
                connection, guild_id, self.mira.id, self.service.clock(), channel_id=channel_id, **values
            )

    async def until_status(self, job_id: int, status: JobStatus, seconds: float = 30.0) -> None:
        """Wait, change by change, until a job has this status and the engine is through with it."""
        changed = asyncio.Event()
        self.service.subscribe(lambda _: changed.set())
        async with asyncio.timeout(seconds):
            while (await self.service.job(job_id)).status is not status or self.service.progress(job_id):
                await changed.wait()
                changed.clear()

    async def until_progress(self, job_id: int, step: int, seconds: float = 30.0) -> None:
        """Wait, change by change, until the engine has painted so many steps of a job."""
        changed = asyncio.Event()
        self.service.subscribe(lambda _: changed.set())
        async with asyncio.timeout(seconds):
            while (progress := self.service.progress(job_id)) is None or progress.step < step:
                await changed.wait()
                changed.clear()

    async def picture(self, person: Person, channel: Channel | None = None, **options: Any) -> Message:
        """Ask for a picture and wait until it is delivered."""
        asked = await person.slash(channel or self.paintings, "imagine", **({"prompt": "1girl, smile"} | options))
        message = person.answer(asked)
        await person.until(lambda: is_delivered(message))
        return message


def is_delivered(message: Message) -> bool:
    """Whether a job's message shows its pictures."""
    return any(one.filename.endswith((".png", ".webp")) for one in message.attachments)


@asynccontextmanager
async def running_bot(
    server: LoopbackDiscord, settings: Settings, backend: LocalBackend, **options: Any
) -> AsyncGenerator[Bot]:
    """The real bot, logged in to a loopback server."""
    async with create_bot(
        settings, backend, guild_ready_timeout=0.05, edit_interval_seconds=FAST_EDITS_SECONDS, **options
    ) as bot:
        starting = asyncio.create_task(bot.start("loopback"))
        try:
            await _ready(bot, starting)
            yield bot
        finally:
            await bot.close()
            await asyncio.gather(starting, return_exceptions=True)


async def _ready(bot: Bot, starting: asyncio.Task[None]) -> None:
    waiting = asyncio.create_task(bot.wait_until_ready())
    await asyncio.wait({waiting, starting}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        await starting  # raises what went wrong
        raise AssertionError("the bot did not become ready")


@pytest.fixture
async def stage(tmp_path: Path, tiny_model: LoadedModel, checker: SafetyChecker) -> AsyncGenerator[Stage]:
    """A running bot on a loopback Discord; at the end nothing may have broken Discord's rules."""
    async with make_stage(tmp_path, tiny_model, checker) as made:
        yield made


@asynccontextmanager
async def make_stage(
    tmp_path: Path, model: LoadedModel, checker: SafetyChecker, world: World | None = None, **changes: Any
) -> AsyncGenerator[Stage]:
    """The same with other settings (`changes`), or once more in a world that a stage has left (a restart)."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(LoopbackDiscord(world or default_world()))
        stack.enter_context(server.attached())
        settings = Settings(_env_file=None, database=tmp_path / "bot.sqlite3", **changes)  # pyright: ignore[reportCallIssue]
        backend = LocalBackend(model, checker)
        bot = await stack.enter_async_context(running_bot(server, settings, backend))
        people = {user.name: Person(server, user.id) for user in server.world.users.values()}
        yield Stage(server, settings, bot, backend, people["ana"], people["ben"], people["mira"])
    assert server.violations == []


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own environment must not change what the tests run."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
