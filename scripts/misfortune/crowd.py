"""Members who ask, press, write, edit and take back, each at a moment of their own."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

from sandbox.people import labels_of
from sandbox.people.person import Person, Refused
from sandbox.server import LoopbackDiscord
from sandbox.world.things import ApiError, Channel, Interaction, Message

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
        self.asked: dict[int, str] = {}  # interaction id → what was asked
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
        prompt = self._words()
        self._note(await person.slash(channel, "imagine", prompt=prompt, steps=steps, images=images), prompt)

    async def press_again(self, person: Person) -> None:
        label = self.dice.choice(("Again", "Again", "Vary", "Upscale"))
        asked = await self._press(person, label)
        if asked is not None and label != "Again":
            await self._choose(person, asked)

    async def press_number(self, person: Person) -> None:
        await self._press(person, self.dice.choice("1234"))

    async def press_delete(self, person: Person) -> None:
        await self._press(person, "Delete")

    async def press_cancel(self, person: Person) -> None:
        await self._press(person, "Cancel")

    async def press_edit(self, person: Person) -> None:
        message = self._message_with(person, "Edit")
        if message is not None:
            opened = await person.click(message, "Edit")
            prompt = self._words()
            self._note(await person.submit(opened, prompt=prompt), prompt)

    async def look(self, person: Person) -> None:
        await person.slash(self.dice.choice(self.easels), self.dice.choice(("queue", "quota me", "privacy show")))

    async def _press(self, person: Person, label: str) -> Interaction | None:
        """Press what begins with this word: under several pictures a number follows."""
        message = self._message_with(person, label)
        if message is None:
            return None
        pressed = await person.click(message, next(one for one in labels_of(message) if one.split()[0] == label))
        self._note(pressed, label)
        return pressed

    async def _choose(self, person: Person, asked: Interaction) -> None:
        """Press one of the choices of a private answer; a form is left unfilled."""
        answer = self.server.world.messages.get(asked.response_message_id or 0)
        choices = [one for one in labels_of(answer) if "credit" in one] if answer is not None else []
        if answer is not None and choices:
            label = self.dice.choice(choices)
            self._note(await person.click(answer, label), label)

    def _message_with(self, person: Person, label: str) -> Message | None:
        places = [*self.easels, *self.prompts, person.dm()]
        found = [
            message
            for place in places
            for message in person.sees(place)
            if message.only_for is None and any(one.split()[0] == label for one in labels_of(message))
        ]
        return self.dice.choice(found) if found else None

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

    def _note(self, interaction: Interaction, words: str) -> None:
        self.asked[interaction.id] = words
