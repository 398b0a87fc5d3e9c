"""Two members who press everything under finished pictures, and a bot that is killed between and while they press."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.people.person import Person, channel_named
from sandbox.server import LoopbackDiscord
from sandbox.world.things import Channel, Interaction
from sandbox.world.world import default_world
from scripts.misfortune.crowd import EXPECTED
from scripts.misfortune.pressing import choose, message_with, press
from scripts.misfortune.truth import is_at_rest, untruths
from tests.support.kills import BotProcess, agree, bot_process, start, until

DATABASE = "bot.sqlite3"
SETTLE_SECONDS = 60.0
# How long an act may go on before the process is killed, and how long a press waits for a process that was.
KILL_SECONDS, ANSWER_SECONDS = 1.5, 10.0


@dataclass(slots=True)
class Workshop:
    """A channel with finished pictures, two members before it, and the process that answers them."""

    server: LoopbackDiscord
    bot: BotProcess
    database: Path
    people: list[Person]
    channel: Channel
    dice: random.Random
    acted: list[str] = field(default_factory=list[str])

    async def walk(self, acts: int) -> list[str]:
        """So many acts one after the other on a message of 1-4 pictures; what is untrue at the end."""
        self.acted = []
        await self._act(self.imagine)
        await self.rest()
        for _ in range(acts):
            await self._happen()
        await self.rest()
        return untruths(self.server, self.database)

    async def _happen(self) -> None:
        """One act; or two at the same moment; or one during which the process is killed."""
        chance = self.dice.random()
        if chance < 0.2:
            await asyncio.gather(self._act(self._any()), self._act(self._any()))
        elif chance < 0.35:
            await self._be_killed_during(self._any())
        else:
            await self._act(self._any())
        if self.dice.random() < 0.6:
            await self.rest()

    async def _be_killed_during(self, act: Callable[[Person], Awaitable[None]]) -> None:
        acting = asyncio.create_task(self._act(act))
        await asyncio.sleep(self.dice.uniform(0, KILL_SECONDS))
        self.bot.kill()
        self.acted.append("kill -9")
        await until(lambda: not self.bot.is_alive)
        acting.cancel()
        await asyncio.gather(acting, return_exceptions=True)
        await self.start()

    async def start(self) -> None:
        """Start the process, and wait until it listens."""
        await start(self.bot, self.server)

    async def rest(self) -> None:
        """Wait until nothing is owed, or for so long."""
        with contextlib.suppress(TimeoutError):  # then what is untrue says what is owed
            await until(lambda: is_at_rest(self.server, self.database), SETTLE_SECONDS)

    async def _act(self, act: Callable[[Person], Awaitable[None]]) -> None:
        person = self.dice.choice(self.people)
        self.acted.append(act.__name__)
        with contextlib.suppress(*EXPECTED):
            async with asyncio.timeout(ANSWER_SECONDS):
                await act(person)

    def _any(self) -> Callable[[Person], Awaitable[None]]:
        acts = {
            self.pick: 6, self.upscale: 3, self.vary: 4, self.remix: 3, self.edit: 2, self.start_from: 2,
            self.delete_one: 5, self.delete_all: 1, self.again: 2, self.details: 1, self.imagine: 2, self.keep: 2,
            self.pick_all: 3, self.upscale_all: 2, self.keep_all: 2, self.details_of_all: 1,
        }  # fmt: skip
        return self.dice.choices(list(acts), list(acts.values()))[0]

    # ---- what they do ----------------------------------------------------------------------------------------------

    async def imagine(self, person: Person) -> None:
        images = self.dice.choice((1, 2, 3, 4, 4))
        await person.slash(self.channel, "imagine", prompt="tree, lake", steps=4, images=images)

    async def pick(self, person: Person) -> None:
        await self._press(person, self.dice.choice("1234"))

    async def upscale(self, person: Person) -> None:
        await self._choose(person, await self._press(person, "Upscale"))

    async def vary(self, person: Person) -> None:
        await self._choose(person, await self._press(person, "Vary"))

    async def remix(self, person: Person) -> None:
        if (message := message_with(person, [self.channel], "Again", self.dice)) is not None:
            await person.submit(await person.menu(self.channel, "Remix", message), prompt="tree, hill")

    async def edit(self, person: Person) -> None:
        await self._fill(person, "Edit")

    async def start_from(self, person: Person) -> None:
        await self._fill(person, "Use as start")

    async def delete_one(self, person: Person) -> None:
        await self._press(person, "Delete")

    async def delete_all(self, person: Person) -> None:
        await self._press(person, "Delete all")

    async def again(self, person: Person) -> None:
        await self._press(person, "Again")

    async def details(self, person: Person) -> None:
        await self._press(person, "Details")

    async def keep(self, person: Person) -> None:
        await self._press(person, "Keep")

    async def pick_all(self, person: Person) -> None:
        await self._press(person, "All")

    async def upscale_all(self, person: Person) -> None:
        await self._choose(person, await self._press_for_all(person, "Upscale all"))

    async def keep_all(self, person: Person) -> None:
        await self._press_for_all(person, "Keep all")

    async def details_of_all(self, person: Person) -> None:
        await self._press_for_all(person, "Details of all")

    async def _press_for_all(self, person: Person, name: str) -> Interaction | None:
        """Such a button is there only where all are chosen."""
        await self.pick_all(person)
        return await self._press(person, name)

    async def _fill(self, person: Person, label: str) -> None:
        opened = await self._press(person, label)
        if opened is not None and opened.modal is not None:
            await person.submit(opened, prompt="tree, sea")

    async def _choose(self, person: Person, asked: Interaction | None) -> None:
        await choose(self.server, person, asked, self.dice)

    async def _press(self, person: Person, name: str) -> Interaction | None:
        return await press(person, [self.channel], name, self.dice)


@asynccontextmanager
async def opened(seed: int, model: Path, folder: Path) -> AsyncGenerator[Workshop]:
    """A fresh database and a fresh Discord. `seed` orders the acts; the moments are the machine's as well."""
    database = folder / DATABASE
    server = LoopbackDiscord(default_world())
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(server)
        bot = await stack.enter_async_context(bot_process(model, server, database))
        people = [Person(server, user.id) for user in server.world.users.values() if user.name in ("ana", "ben")]
        await agree(database, *people)
        channel = channel_named(server.world, "paintings")
        workshop = Workshop(server, bot, database, people, channel, random.Random(seed))
        await workshop.start()
        yield workshop
