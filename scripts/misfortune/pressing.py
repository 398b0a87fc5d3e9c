"""How members press: a button of some message that has one, and one of the choices that say what they cost."""

from __future__ import annotations

import random
from collections.abc import Iterable

from sandbox.people import labels_of
from sandbox.people.person import Person
from sandbox.server import LoopbackDiscord
from sandbox.world.things import Channel, Interaction, Message


def is_named(label: str, name: str) -> bool:
    """Whether a button is called that; under several pictures the number of the chosen one follows."""
    return label == name or label in {f"{name} {number}" for number in range(1, 5)}


def message_with(person: Person, places: Iterable[Channel], name: str, dice: random.Random) -> Message | None:
    """One of the messages for everybody in these channels that have a button of that name."""
    found = [
        message
        for place in places
        for message in person.sees(place)
        if message.only_for is None and any(is_named(one, name) for one in labels_of(message))
    ]
    return dice.choice(found) if found else None


async def press(person: Person, places: Iterable[Channel], name: str, dice: random.Random) -> Interaction | None:
    """Press the button of that name under one of the messages that have it; None if there is none."""
    message = message_with(person, places, name, dice)
    if message is None:
        return None
    return await person.click(message, next(one for one in labels_of(message) if is_named(one, name)))


async def choose(server: LoopbackDiscord, person: Person, asked: Interaction | None, dice: random.Random) -> None:
    """Press one of the choices of a private answer that say what they cost; a form is left unfilled."""
    answer = server.world.messages.get(asked.response_message_id or 0) if asked is not None else None
    choices = [one for one in labels_of(answer) if "credit" in one] if answer is not None else []
    if answer is not None and choices:
        await person.click(answer, dice.choice(choices))
