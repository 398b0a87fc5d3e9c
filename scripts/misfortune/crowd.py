"""Members who ask, press, write, edit and take back, each at a moment of their own."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

from sandbox.people.person import Person, Refused
from sandbox.server import LoopbackDiscord
from sandbox.world.things import ApiError, Channel, Interaction, Message
from scripts.misfortune.pressing import choose, press

# Everybody's next act comes within so many seconds.
SPREAD_SECONDS = 2.5
EXPECTED = (Refused, ApiError, AssertionError, TimeoutError)


class Crowd:
    """Everything asked for has a number of its own in its prompt, by which the verdict finds it again."""

    def __init__(
        self, server: LoopbackDiscord, people: list[Person], easels: list[Channel], prompts: list[Channel],
        dice: random.Random,
    ) -> None:  # fmt: skip
        self.server, self.people, self.easels, self.prompts, self.dice = server, people, easels, prompts, dice
        self.said: dict[int, tuple[Person, Message]] = {}
        self._number = 1_000

    def begin(self, count: int, *, only_messages: bool = False) -> list[asyncio.Task[None]]:
        """So many acts. `only_messages`: the bot is away, and only messages wait for it."""
        acts = self._message_acts() if only_messages else self._acts()
        kinds, weights = list(acts), list(acts.values())
        return [asyncio.create_task(self._act(act)) for act in self.dice.choices(kinds, weights, k=count)]

    async def _act(self, act: Callable[[Person], Awaitable[None]]) -> None:
        person = self.dice.choice(self.people)
        await asyncio.sleep(self.dice.uniform(0, SPREAD_SECONDS))
        with contextlib.suppress(*EXPECTED):
            await act(person)

    def _acts(self) -> dict[Callable[[Person], Awaitable[None]], int]:
        return {
            self.imagine: 30, self.imagine_privately: 8, self.press_again: 12, self.press_edit: 8,
            self.press_delete: 5, self.press_number: 4, self.press_cancel: 12, self.look: 5, **self._message_acts(),
        }  # fmt: skip

    def _message_acts(self) -> dict[Callable[[Person], Awaitable[None]], int]:
        return {self.write: 14, self.edit: 6, self.delete: 3}

    # ---- commands and buttons --------------------------------------------------------------------------------------

    async def imagine(self, person: Person) -> None:
        await self._imagine(person, self.dice.choice(self.easels))

    async def imagine_privately(self, person: Person) -> None:
        await self._imagine(person, person.dm())

    async def _imagine(self, person: Person, channel: Channel) -> None:
        steps, images = self.dice.choice((4, 10, 40, 95)), self.dice.choice((1, 1, 1, 2, 4))
        await person.slash(channel, "imagine", prompt=self._words(), steps=steps, images=images)

    async def press_again(self, person: Person) -> None:
        label = self.dice.choice(("Again", "Again", "Vary", "Upscale"))
        asked = await self._press(person, label)
        if label != "Again":
            await choose(self.server, person, asked, self.dice)

    async def press_number(self, person: Person) -> None:
        await self._press(person, self.dice.choice("1234"))

    async def press_delete(self, person: Person) -> None:
        await self._press(person, "Delete")

    async def press_cancel(self, person: Person) -> None:
        await self._press(person, "Cancel")

    async def press_edit(self, person: Person) -> None:
        opened = await self._press(person, "Edit")
        if opened is not None:
            await person.submit(opened, prompt=self._words())

    async def look(self, person: Person) -> None:
        await person.slash(self.dice.choice(self.easels), self.dice.choice(("queue", "quota me", "privacy show")))

    async def _press(self, person: Person, name: str) -> Interaction | None:
        return await press(person, self._places(person), name, self.dice)

    def _places(self, person: Person) -> list[Channel]:
        return [*self.easels, *self.prompts, person.dm()]

    # ---- messages --------------------------------------------------------------------------------------------------

    async def write(self, person: Person) -> None:
        message = await person.say(self.dice.choice(self.prompts), self._words())
        self.said[message.id] = (person, message)

    async def edit(self, person: Person) -> None:
        del person
        if (own := self._own_message()) is not None:
            await own[0].edit(own[1], self._words())

    async def delete(self, person: Person) -> None:
        del person
        if (own := self._own_message()) is not None:
            await own[0].delete(own[1])

    def _own_message(self) -> tuple[Person, Message] | None:
        there = [one for message_id, one in self.said.items() if message_id in self.server.world.messages]
        return self.dice.choice(there) if there else None

    def _words(self) -> str:
        self._number += 1
        return f"tree, lake, picture {self._number}"
