"""What a message of the loopback Discord says and offers, as a person reads it."""

from __future__ import annotations

import re

from sandbox.people.person import Person
from sandbox.world.layout import BUTTON, texts, walk
from sandbox.world.things import Channel, Message
from tests.support.stage import Stage

_FIELD = re.compile(r"\*\*([^*]+)\*\* (.*?)(?= · \*\*|$)")


def text_of(message: Message) -> str:
    """Everything that a message says."""
    parts = [message.text]
    for embed in message.embeds:
        parts += [embed.get("title", ""), embed.get("description", ""), (embed.get("footer") or {}).get("text", "")]
        parts += [f"{field['name']}: {field['value']}" for field in embed.get("fields", [])]
    return "\n".join(parts)


def everything_in(message: Message) -> str:
    """All that a message carries, seen or read aloud: for saying that something is nowhere in it."""
    files = [(one.filename, one.description) for one in message.attachments]
    return f"{message.content} {message.embeds} {message.components} {files}"


def title_of(message: Message) -> str:
    """The title of a message's first card; empty where there is none."""
    if message.embeds:
        return str(message.embeds[0].get("title") or "")
    first = next(iter(texts(message.components)), "")
    return first.partition("\n")[0].removeprefix("### ") if first.startswith("### ") else ""


def fields_of(message: Message) -> dict[str, str]:
    """What a message's card says by name: an embed's fields, or `**Name** value` between dots or on lines."""
    if message.embeds:
        return {field["name"]: field["value"] for field in message.embeds[0]["fields"]}
    lines = "\n".join(texts(message.components)).splitlines()
    return {name: value.strip() for line in lines if line.startswith("-# **") for name, value in _FIELD.findall(line)}


def labels_of(message: Message) -> list[str | None]:
    """What stands on a message's buttons."""
    return [one.get("label") for one in walk(message.components) if one["type"] == BUTTON]


async def choose(person: Person, message: Message, label: str, choice: str) -> Message:
    """Press a button that asks back privately, then the choice that begins like this; the public answer."""
    asked = person.answer(await person.click(message, label))
    assert asked.only_for == person.id
    found = next(one for one in labels_of(asked) if one and one.startswith(choice))
    return person.answer(await person.click(asked, found))


def titled(stage: Stage, start: str, channel: Channel | None = None) -> list[Message]:
    """The messages that everybody sees in a channel (#paintings) whose cards' titles begin like this, oldest first."""
    return [one for one in stage.ben.sees(channel or stage.paintings) if title_of(one).startswith(start)]


async def told(stage: Stage, person: str, command: str, **options: object) -> str:
    """What a command answers, privately."""
    who = getattr(stage, person)
    answer = who.answer(await who.slash(stage.paintings, command, **options))
    assert answer.only_for == who.id
    return text_of(answer)
