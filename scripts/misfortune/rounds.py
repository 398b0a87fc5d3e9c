"""One piece of a chaos run: the bot in a process, its loopback Discord, and one event a round."""

from __future__ import annotations

import asyncio
import random
import resource
import signal
import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from db import prompt_channels
from db.database import Database
from domain.prompt_channels import AnswerMode, PromptChannel
from sandbox.people.person import Person
from sandbox.server import LoopbackDiscord
from sandbox.world import changes
from sandbox.world.world import World, default_world
from scripts.misfortune.crowd import SPREAD_SECONDS, Crowd
from scripts.misfortune.events import CLOCKS, KILLS, Piece, discord_fault
from scripts.misfortune.verdict import MISSED, STRUCK, Finding, Witness, as_line, is_settled, judge, read_state
from tests.support.kills import BotProcess, agree, bot_process, start, until
from tests.support.whims import SIGNAL, Whims

SETTLE_SECONDS = 90.0
STOP_SECONDS = 45.0
ANSWER_SECONDS = 20.0
# How far back it counts what the bot asks of Discord, and how long a fault waits for it.
BUSY_CALLS, MISSED_SECONDS = 60, 15.0
MORE_MEMBERS = ("cleo", "dora", "emil")


@dataclass(slots=True)
class Lateness:
    """Holds up requests, before they are carried out or (the answer only) after it."""

    seconds: float = 0.0
    times: int = 0
    after: bool = False

    def middleware(self) -> Middleware:
        @web.middleware
        async def hold_up(request: web.Request, handler: Handler) -> web.StreamResponse:
            is_late = self.times > 0 and "/gateway" not in request.path
            if not is_late:
                return await handler(request)
            self.times -= 1
            if not self.after:
                await asyncio.sleep(self.seconds)
                return await handler(request)
            response = await handler(request)
            await asyncio.sleep(self.seconds)
            return response

        return hold_up


@dataclass(slots=True)
class Rounds:
    """The state of one piece."""

    server: LoopbackDiscord
    bot: BotProcess
    database: Path
    crowd: Crowd
    witness: Witness
    lateness: Lateness
    dice: random.Random
    whims: Whims = field(default_factory=Whims)
    excused: set[int] = field(default_factory=set[int])
    known: set[Finding] = field(default_factory=set[Finding])
    may_lack_files: bool = False

    async def play(self, number: int, event: str) -> str:
        """One round; a line of the report."""
        began = time.monotonic()
        acts = self.crowd.begin(self.dice.randint(4, 8))
        await asyncio.sleep(self.dice.uniform(0.0, SPREAD_SECONDS + 1.0))
        details, extra = await (self._kill(event) if event in KILLS else self._fault(event))
        await self._finish(acts, ANSWER_SECONDS if event not in KILLS else 3.0)
        findings = [*extra, *await self._verdict()]
        jobs = len(read_state(self.database).jobs)
        return as_line(number, event, details, time.monotonic() - began, jobs, findings)

    async def start(self) -> None:
        await start(self.bot, self.server)

    async def _finish(self, acts: list[asyncio.Task[None]], seconds: float) -> None:
        """Nobody waits longer for an answer than this."""
        _, waiting = await asyncio.wait(acts, timeout=seconds)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*acts, return_exceptions=True)

    # ---- kills -----------------------------------------------------------------------------------------------------

    async def _kill(self, event: str) -> tuple[str, list[Finding]]:
        self.bot.send(signal.Signals[event])
        found: list[Finding] = []
        try:
            await until(lambda: not self.bot.is_alive, STOP_SECONDS)
        except TimeoutError:
            found.append(Finding("stuck", f"the process still lives {STOP_SECONDS:g} seconds after {event}"))
            self.bot.kill()
            await until(lambda: not self.bot.is_alive)
        self.excused |= {one.interaction_id or 0 for one in self.server.world.messages.values() if one.is_thinking}
        away = self.crowd.begin(self.dice.randint(0, 2), only_messages=True)
        if away:
            await asyncio.wait(away, timeout=SPREAD_SECONDS + 1)
        await self.start()
        return f"{len(away)} acts while away", found

    # ---- faults ----------------------------------------------------------------------------------------------------

    async def _fault(self, event: str) -> tuple[str, list[Finding]]:
        seconds = self.dice.uniform(0.3, 8.0)
        if event.startswith("Discord is late"):
            late = self.dice.uniform(0.5, 4.0), self.dice.randint(1, 8), self.dice.random() < 0.5
            self.lateness.seconds, self.lateness.times, self.lateness.after = late
            await asyncio.sleep(SPREAD_SECONDS)
            left, self.lateness.times = self.lateness.times, 0
            return f"{late}, {STRUCK if left < late[1] else MISSED}", []
        if event.startswith("Discord"):
            return await self._answer_wrongly(event, seconds), []
        if event.startswith("the gateway"):
            how = self.dice.choice(("drop", "ask_to_reconnect", "invalidate"))
            await getattr(self.server.gateway, how)()
            return how, []
        if event == "clock jumps":
            self.whims = replace(self.whims, clock_seconds=self.dice.choice(CLOCKS))
            self._obey()
            return f"{self.whims.clock_seconds:+g} s", []
        await {"database locked": self._lock, "database full": self._fill, "database I/O error": self._break}[event](
            seconds
        )
        return f"{seconds:.1f} s", []

    async def _answer_wrongly(self, event: str, seconds: float) -> str:
        """Until it has struck and a while longer; or not at all, if the bot asks nothing of the kind for long."""
        busy = {(call.method, call.route) for call in self.server.calls[-BUSY_CALLS:]}
        fault = discord_fault(event, self.dice, busy)
        self.may_lack_files |= event == "Discord answers 4xx"
        words, times = str(fault), fault.times
        self.server.faults.append(fault)
        for _ in range(int(MISSED_SECONDS / 0.1)):
            if fault.times < times:
                break
            await asyncio.sleep(0.1)
        await asyncio.sleep(seconds)
        self.server.faults.clear()
        return f"{words}, {fault.times} left, {STRUCK if fault.times < times else MISSED}"

    def _obey(self) -> None:
        self.whims.write(self.database)
        self.bot.send(SIGNAL)

    async def _lock(self, seconds: float) -> None:
        """Another process holds the write lock."""
        with closing(sqlite3.connect(self.database, isolation_level=None, timeout=10)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(seconds)

    async def _fill(self, seconds: float) -> None:
        """The file may not grow."""
        self.whims = replace(self.whims, is_full=True)
        self._obey()
        await asyncio.sleep(seconds)
        self.whims = replace(self.whims, is_full=False)
        self._obey()

    async def _break(self, seconds: float) -> None:
        """The system refuses every write to every file of the process."""
        _, most = resource.prlimit(self.bot.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.bot.pid, resource.RLIMIT_FSIZE, (0, most))
        await asyncio.sleep(seconds)
        resource.prlimit(self.bot.pid, resource.RLIMIT_FSIZE, (most, most))

    # ---- the verdict -----------------------------------------------------------------------------------------------

    async def _verdict(self) -> list[Finding]:
        """Wait until nothing is owed, or for so long; then what is wrong that was not wrong before."""
        ends_at, quiet = time.monotonic() + SETTLE_SECONDS, (-1, -1)
        while time.monotonic() < ends_at:
            await asyncio.sleep(0.4)
            now = len(self.server.calls), len(self.server.world.messages)
            state = read_state(self.database)
            if now == quiet and is_settled(self.server, state, self.crowd, self.excused, frozenset(self.known)):
                break
            quiet = now
        state = read_state(self.database)
        found = judge(self.server, state, self.crowd, self.witness, self.excused, may_lack_files=self.may_lack_files)
        if not self.bot.is_alive:
            found.append(Finding("stuck", f"the process {self.bot.pid} has ended of itself"))
            await self.start()
        found += [Finding("rules", words) for words in self.server.violations]
        new = [one for one in dict.fromkeys(found) if one not in self.known]
        self.known.update(new)
        return new


@asynccontextmanager
async def opened(piece: Piece, model: Path, folder: Path) -> AsyncGenerator[Rounds]:
    """A fresh database and a fresh Discord with six members, three easels and two prompt channels."""
    dice, lateness = random.Random(piece.seed), Lateness()
    database = folder / "bot.sqlite3"
    server = LoopbackDiscord(_world())
    server.app.middlewares.append(lateness.middleware())
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(server)
        bot = await stack.enter_async_context(bot_process(model, server, database))
        guild = next(iter(server.world.guilds.values()))
        channels = {one.name: one for one in server.world.channels.values()}
        prompts = [channels["prompts"], changes.add_channel(server.world, guild, "threads")]
        easels = [channels["paintings"], *(changes.add_channel(server.world, guild, f"easel-{n}") for n in range(2))]
        people = [Person(server, user.id) for user in server.world.users.values() if not user.bot]
        await agree(database, *people)
        async with Database(database) as written, written.transaction() as connection:
            for channel, answer in zip(prompts, AnswerMode, strict=True):
                opening = PromptChannel(
                    channel_id=channel.id,
                    guild_id=guild.id,
                    opened_by=people[0].id,
                    answer=answer,
                    latest_message_id=server.world.new_id(),
                )
                await prompt_channels.save(connection, opening, datetime.now(UTC))
        witness = Witness(server)
        stack.callback(server.world.subscribe(witness))
        rounds = Rounds(server, bot, database, Crowd(server, people, easels, prompts, dice), witness, lateness, dice)
        await rounds.start()
        yield rounds


def _world() -> World:
    world = default_world()
    guild = next(iter(world.guilds.values()))
    for name in MORE_MEMBERS:
        world.add_member(guild, name)
    return world
