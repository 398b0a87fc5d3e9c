"""What a message of the loopback Discord says and offers, as a person reads it."""

from __future__ import annotations

from sandbox.world.things import Channel, Message
from tests.support.stage import Stage


def text_of(message: Message) -> str:
    """Everything that a message says."""
    parts = [message.content]
    for embed in message.embeds:
        parts += [embed.get("title", ""), embed.get("description", ""), (embed.get("footer") or {}).get("text", "")]
        parts += [f"{field['name']}: {field['value']}" for field in embed.get("fields", [])]
    return "\n".join(parts)


def title_of(message: Message) -> str:
    """The title of a message's first card; empty where there is none."""
    return str(message.embeds[0].get("title") or "") if message.embeds else ""


def fields_of(message: Message) -> dict[str, str]:
    """The fields of a message's first card, by name."""
    return {field["name"]: field["value"] for field in message.embeds[0]["fields"]}


def labels_of(message: Message) -> list[str | None]:
    """What stands on a message's buttons."""
    return [one.get("label") for row in message.components for one in row["components"]]


def titled(stage: Stage, start: str, channel: Channel | None = None) -> list[Message]:
    """The messages that everybody sees in a channel (#paintings) whose cards' titles begin like this, oldest first."""
    return [one for one in stage.ben.sees(channel or stage.paintings) if one.embeds and title_of(one).startswith(start)]


async def told(stage: Stage, person: str, command: str, **options: object) -> str:
    """What a command answers, privately."""
    who = getattr(stage, person)
    answer = who.answer(await who.slash(stage.paintings, command, **options))
    assert answer.only_for == who.id
    return text_of(answer)
