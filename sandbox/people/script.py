"""What people do in the demo before it is your turn, and what they see, printed line by line."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sandbox.people.person import Person, channel_named, person
from sandbox.people.reading import labels_of
from sandbox.server import LoopbackDiscord
from sandbox.world.layout import texts
from sandbox.world.things import Event, Json, Message

PATIENCE_SECONDS = 300.0
# Twice the model's usual number: long enough to watch.
STEPS = 40


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


# ---- a moderator sets the bot up -------------------------------------------------------------------------------------


async def set_up(server: LoopbackDiscord) -> None:
    """What a moderator does once, by the same commands: agree for the server, open a prompt channel, choose where
    reports go."""
    mira, room = person(server, "mira"), channel_named(server.world, "mod-review")
    say("\nmira, a moderator, sets the bot up: /setup, /settings panel, /channel open #prompts")
    asked = await mira.slash(room, "setup")
    await mira.click(mira.answer(asked), "Agree for this server")
    panel = mira.answer(await mira.slash(room, "settings panel"))
    await mira.submit(await mira.click(panel, "settings:channels:0"), review=str(room.id))
    await mira.slash(room, "channel open", channel=channel_named(server.world, "prompts").id)


# ---- a member paints -------------------------------------------------------------------------------------------------


async def ask_for_picture(server: LoopbackDiscord, prompt: str, seed: int, out: Path) -> bool:
    """One /imagine as a newcomer would do it; prints what the channel shows. False if no picture came of it."""
    ana, channel = person(server, "ana"), channel_named(server.world, "paintings")
    started = time.perf_counter()
    say(f"\nana in #{channel.name}: /imagine {prompt}, in {STEPS} steps with seed {seed}")
    terms = ana.answer(await ana.slash(channel, "imagine", prompt=prompt, seed=seed, steps=STEPS))
    if not terms.components:
        say(f"  only ana sees: {terms.text}")
        return False
    title = terms.embeds[0]["title"] if terms.embeds else _plain(terms.text.split("\n")[0])
    say(f"  only ana sees: {title}, the rules of the model. ana presses “I agree”.")
    stop = server.world.subscribe(_printer(started))
    try:
        message = await _agree(ana, terms)
    finally:
        stop()
    if message is None or not _has_picture(message):
        return False
    await asyncio.to_thread(_save, message.attachments[0].data, out)
    return True


async def _agree(ana: Person, terms: Message) -> Message | None:
    """Press the button and wait for the end of the job; None if the bot only said no."""
    message = ana.answer(await ana.click(terms, "I agree"))
    if message.only_for is not None:
        say(f"  only ana sees: {message.text}")
        return None
    await ana.until(lambda: _is_over(message), PATIENCE_SECONDS)
    return message


def _save(data: bytes, out: Path) -> None:
    out.write_bytes(data)
    say(f"\nThe picture lies in {out.resolve()}")
    say(_read_back(out.read_bytes()))


def _read_back(data: bytes) -> str:
    """What our own reader finds in the picture's metadata."""
    from engine.images.metadata import read_png

    info = read_png(data)
    if info is None:
        return "It carries no metadata: Discord's limits made it another kind of file."
    kind = info.digital_source_type.rsplit("/", 1)[-1]
    return f"Its metadata, read back: {info.parameters.splitlines()[-1]}; {kind}"


# ---- what the channel shows, as text ---------------------------------------------------------------------------------


def _printer(started: float) -> Callable[[Event], None]:
    """Prints each state that the bot's messages in the channel go through."""
    shown: set[str] = set()

    def hear(event: Event) -> None:
        is_public = event.name in ("MESSAGE_CREATE", "MESSAGE_UPDATE") and event.only_for is None
        if not is_public or not event.data["author"]["bot"]:
            return
        line = _describe(event.data)
        if line not in shown:
            shown.add(line)
            say(f"  {time.perf_counter() - started:5.1f} s  {line}")

    return hear


def _describe(message: Json) -> str:
    lines = [message["content"], *texts(message["components"])]
    for embed in message["embeds"]:
        lines += [embed["title"]] if embed.get("title") else []
        lines += [embed["description"].split("\n")[-1]] if embed.get("description") else []
        lines += [f"{one['name']} {one['value']}" for one in embed.get("fields", [])]
    lines += [f"[{one['filename']}]" for one in message["attachments"]]
    return " | ".join(_plain(line) for line in lines if line)


def _plain(text: str) -> str:
    """Without Discord's markup."""
    text = re.sub(r"<t:(\d+):R>", lambda found: f"in {max(round(int(found[1]) - time.time()), 0)} s", text)
    text = re.sub(r"^(?:#{1,3}|-#) ", "", text, flags=re.MULTILINE)
    return re.sub(r"\*\*|`", "", text).replace("\n", " ")


def _has_picture(message: Message) -> bool:
    return any(one.filename.endswith((".png", ".webp")) for one in message.attachments)


def _is_over(message: Message) -> bool:
    return "Delete" in labels_of(message)
