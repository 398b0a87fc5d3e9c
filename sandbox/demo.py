"""`make demo`: the real bot on the loopback Discord, one scripted /imagine, then a page to use it by hand.

python -m sandbox.demo [--prompt "…"] [--port 8765] [--out picture.png] [--once]
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.client import Person
from sandbox.page_server import PageServer
from sandbox.server import LoopbackDiscord
from sandbox.world import Event, Message, default_world

if TYPE_CHECKING:
    from engine.worker import Backend
    from settings import Settings

PATIENCE_SECONDS = 300.0
# The demo model paints in a second; at Discord's pace one would never see the progress.
EDIT_SECONDS = 0.4


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; 0 if the picture arrived."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo", description="Try the bot without Discord.")
    parser.add_argument("--prompt", default="1girl, pink hair, twintails, glasses, smile, blue background")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--out", type=Path, default=Path("demo.png"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--once", action="store_true", help="stop after the picture")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        return asyncio.run(_demo(options))
    except KeyboardInterrupt:
        return 0
    except TimeoutError:
        sys.stderr.write("The bot did not answer in time; the lines above say why.\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"The page can't be served on port {options.port} ({error.strerror}). Try PORT=8766.\n")
        return 1


async def _demo(options: argparse.Namespace) -> int:
    from bot import create_bot, load_backend
    from domain import ModelUnavailable

    with tempfile.TemporaryDirectory(prefix="painter-") as folder:
        settings = _settings(Path(folder))
        _say("Loading the demo model …")
        try:
            backend = await asyncio.to_thread(load_backend, settings)
        except ModelUnavailable as error:
            sys.stderr.write(f"{error}\n")
            return 1
        server = LoopbackDiscord(default_world(), 0 if options.once else options.port)
        _mount_page(server, backend)
        async with server:
            with server.attached():
                async with create_bot(
                    settings, backend, guild_ready_timeout=0.05, edit_interval_seconds=EDIT_SECONDS
                ) as bot:
                    running = asyncio.create_task(bot.start("loopback"))
                    try:
                        await _until_ready(bot, running)
                        return await _play(options, server, running)
                    finally:
                        await bot.close()
                        await asyncio.gather(running, return_exceptions=True)


def _settings(folder: Path) -> Settings:
    """The defaults, whatever `.env` says: the demo never needs a token and never touches the bot's database."""
    from settings import Settings

    chosen: dict[str, Any] = {"_env_file": None, "discord_token": None, "database": folder / "demo.sqlite3"}
    return Settings(
        **chosen, model=None, message_content_intent=True, credits_per_hour=100_000, credits_per_day=1_000_000
    )


def _mount_page(server: LoopbackDiscord, backend: Backend) -> None:
    people = {user.name: user.id for user in server.world.users.values()}
    side = backend.profile.shapes["square"][0]
    note = f"{backend.profile.identity.name}: paints {side} pixels, shown {backend.profile.display_scale}× larger"
    PageServer(server, [people["ana"], people["ben"], people["mira"]], note).mount()


async def _play(options: argparse.Namespace, server: LoopbackDiscord, running: asyncio.Task[None]) -> int:
    ana = next(user.id for user in server.world.users.values() if user.name == "ana")
    delivered = await _paint(options, server, Person(server, ana))
    if options.once or not delivered:
        return 0 if delivered else 1
    _say(f"\nNow it is your turn: open {server.base_url} and type /imagine. Ctrl-C ends it.")
    await running
    return 0


async def _until_ready(bot: Any, running: asyncio.Task[None]) -> None:
    waiting = asyncio.create_task(bot.wait_until_ready())
    await asyncio.wait({waiting, running}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        waiting.cancel()
        await running


async def _paint(options: argparse.Namespace, server: LoopbackDiscord, ana: Person) -> bool:
    """One /imagine as a newcomer would do it; prints what the channel shows."""
    channel = next(one for one in server.world.channels.values() if one.name == "paintings")
    started = time.perf_counter()
    _say(f"\nana in #{channel.name}: /imagine {options.prompt}")
    asked = await ana.slash(channel, "imagine", prompt=options.prompt, seed=options.seed)
    answer = ana.answer(asked)
    _say(f"  (only ana sees) {_line(answer)}")
    if not answer.components:
        return False
    stop = server.world.subscribe(_printer(started))
    agreed = await ana.click(answer, "I agree")
    message = ana.answer(agreed)
    try:
        await ana.until(lambda: _is_over(message), PATIENCE_SECONDS)
    finally:
        stop()
    if not _has_picture(message):
        return False
    options.out.write_bytes(message.attachments[0].data)
    _say(f"\nThe picture lies in {options.out.resolve()}")
    return True


def _printer(started: float) -> Any:
    """Prints each state that the bot's messages go through."""
    shown: set[str] = set()

    def hear(event: Event) -> None:
        if event.name not in ("MESSAGE_CREATE", "MESSAGE_UPDATE") or not event.data["author"]["bot"]:
            return
        line = _describe(event.data["content"], event.data["embeds"], event.data["attachments"])
        if line not in shown:
            shown.add(line)
            _say(f"  {time.perf_counter() - started:5.1f} s  {line}")

    return hear


def _line(message: Message) -> str:
    return _describe(message.content, message.embeds, [{"filename": one.filename} for one in message.attachments])


def _describe(content: str, embeds: list[dict[str, Any]], files: list[dict[str, Any]]) -> str:
    texts = [content] if content else []
    for embed in embeds:
        texts += [embed["title"]] if embed.get("title") else []
        texts += [embed["description"].split("\n")[-1]] if embed.get("description") else []
        texts += [f"{one['name']} {one['value']}" for one in embed.get("fields", [])]
    texts += [f"[{one['filename']}]" for one in files]
    return " | ".join(text.replace("\n", " ") for text in texts)


def _has_picture(message: Message) -> bool:
    return any(one.filename.endswith((".png", ".webp")) for one in message.attachments)


def _is_over(message: Message) -> bool:
    labels = [button.get("label") for row in message.components for button in row["components"]]
    return "Delete" in labels


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
