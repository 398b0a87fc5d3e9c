"""The stage on which stories are told: the real bot, the loopback Discord, and the people in it."""

from __future__ import annotations

import asyncio
from asyncio import constants
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot import create_bot
from cogs.core.bot import Bot
from cogs.core.rate_limit import RateLimit
from db.database import Database
from domain import JobStatus
from engine.safety import FixedScores, SafetyChecker
from engine.sampling.model import LoadedModel
from engine.worker.local_backend import LocalBackend
from sandbox.people.person import WAIT_SECONDS, Person, channel_named
from sandbox.server import LoopbackDiscord
from sandbox.world.things import Channel, Message
from sandbox.world.world import World, default_world
from service import Service
from settings import Settings

FAST_EDITS_SECONDS = 0.2

StartStage = Callable[..., AbstractAsyncContextManager["Stage"]]


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
    running: AsyncExitStack  # closes the bot

    @property
    def service(self) -> Service:
        return self.bot.service

    @property
    def database(self) -> Database:
        """What is stored; the service alone writes to it."""
        return self.service._context.database  # pyright: ignore[reportPrivateUsage]

    def channel(self, name: str) -> Channel:
        return channel_named(self.server.world, name)

    @property
    def paintings(self) -> Channel:
        return self.channel("paintings")

    @property
    def owner(self) -> Person:
        """The person who runs the bot."""
        rosa = next(user for user in self.server.world.users.values() if user.name == "rosa")
        return Person(self.server, rosa.id)

    async def agree(self, *people: Person) -> None:
        """Skip the first-use consent for these people."""
        for person in people:
            await self.service.terms.agree(person.id)

    async def change_settings(self, channel: Channel | None = None, **values: Any) -> None:
        """Change the server's settings, or those of one channel, as the moderator."""
        guild_id, channel_id = self.paintings.guild_id or 0, 0 if channel is None else channel.id
        await self.service.settings.change(guild_id, self.mira.id, channel_id=channel_id, **values)

    async def choose_review_channel(self) -> None:
        """Let appeals, reports and approvals come to #mod-review."""
        await self.change_settings(review_channel_id=self.channel("mod-review").id)

    def advance(self, by: timedelta) -> None:
        """Move the service's clock on."""
        clock = self.service.clock
        self.service.clock = lambda: clock() + by

    async def until_status(self, job_id: int, status: JobStatus, seconds: float = WAIT_SECONDS) -> None:
        """Wait, change by change, until a job has this status and the engine is through with it."""
        changed = asyncio.Event()
        self.service.subscribe(lambda _: changed.set())
        async with asyncio.timeout(seconds):
            while (await self.service.jobs.fetch(job_id)).status is not status or self.service.dispatch.progress(
                job_id
            ):
                await changed.wait()
                changed.clear()

    async def until_progress(self, job_id: int, step: int, seconds: float = WAIT_SECONDS) -> None:
        """Wait, change by change, until the engine has painted so many steps of a job."""
        changed = asyncio.Event()
        self.service.subscribe(lambda _: changed.set())
        async with asyncio.timeout(seconds):
            while (progress := self.service.dispatch.progress(job_id)) is None or progress.step < step:
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
    # Where each callback comes from is noted in this mode; one frame says it, ten are read from many files.
    constants.DEBUG_STACK_DEPTH = 1
    asyncio.get_running_loop().set_debug(True)  # then a thread that calls the loop unsafely fails, not only seldom
    async with create_bot(
        settings, backend, guild_ready_timeout=0.05, edit_interval_seconds=FAST_EDITS_SECONDS, **options
    ) as bot:
        # As long as Discord asks, in seconds that pass as soon as somebody waits for them.
        bot.rate_limit = RateLimit(clock=server.rate_limits.now, sleep=server.rate_limits.let_pass)
        starting = asyncio.create_task(bot.start("loopback"))
        try:
            await _ready(bot, starting)
            yield bot
        finally:
            await bot.close()
            await asyncio.gather(starting, return_exceptions=True)


async def _ready(bot: Bot, starting: asyncio.Task[None]) -> None:
    waiting = asyncio.create_task(bot.wait_until_ready())
    await asyncio.wait({waiting, starting}, timeout=WAIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        await starting  # raises what went wrong
        raise AssertionError("the bot did not become ready")


@asynccontextmanager
async def make_stage(
    folder: Path, model: LoadedModel, checker: SafetyChecker, world: World | None = None, **settings: Any
) -> AsyncGenerator[Stage]:
    """A stage whose database lies in `folder`; at the end nothing may have broken Discord's rules.

    `settings` are fields of `Settings`. `world` is the one that an earlier stage left behind: with it and the folder of
    that stage this is the bot after a restart.
    """
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(LoopbackDiscord(world or default_world()))
        stack.enter_context(server.attached())
        chosen = Settings(_env_file=None, database=folder / "bot.sqlite3", **settings)  # pyright: ignore[reportCallIssue]
        backend = LocalBackend(model, checker, reproducible=chosen.reproducible)
        running = await stack.enter_async_context(AsyncExitStack())
        bot = await running.enter_async_context(running_bot(server, chosen, backend))
        people = {user.name: Person(server, user.id) for user in server.world.users.values()}
        yield Stage(server, chosen, bot, backend, people["ana"], people["ben"], people["mira"], running)
    assert server.violations == []


@asynccontextmanager
async def restarted(stage: Stage) -> AsyncGenerator[Stage]:
    """Close the stage's bot, and start a new one with a new worker on its database and in its world."""
    await stage.running.aclose()
    backend = LocalBackend(stage.backend._model, FixedScores(), reproducible=stage.settings.reproducible)
    async with AsyncExitStack() as running:
        bot = await running.enter_async_context(running_bot(stage.server, stage.settings, backend))
        yield replace(stage, bot=bot, backend=backend, running=running)
