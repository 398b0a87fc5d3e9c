"""`make demo`: the real bot on the loopback Discord, one scripted /imagine, then a page to use it by hand.

python -m sandbox.demo [--prompt "…"] [--port 8765] [--out picture.png] [--once]
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.page.server import PageServer
from sandbox.people.person import Refused
from sandbox.people.script import ask_for_picture, say, set_up
from sandbox.rest.limits import LIMITS, RouteLimit
from sandbox.server import LoopbackDiscord
from sandbox.world.world import default_world

if TYPE_CHECKING:
    from engine.worker.backend import Backend
    from settings import Settings

# The demo model paints in a second; at Discord's pace one would never see the progress. Hence more edits, from the bot
# and allowed by the server.
EDIT_SECONDS = 0.4
EDITS = {("PATCH", "/webhooks/{application_id}/{token}/messages/{message_id}"): RouteLimit(5, 2)}
# Enough to play with, and still so few that `/quota me` means something.
CREDITS_PER_HOUR, CREDITS_PER_DAY = 600, 6000


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; 0 if the picture arrived."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo", description="Try the bot without Discord.")
    parser.add_argument("--prompt", default="1girl, pink hair, twintails, glasses, smile, blue background")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--out", type=Path, default=Path("out/demo.png"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--once", action="store_true", help="stop after the picture")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if not options.prompt.strip():
        return _fail("PROMPT is empty: say what to paint, for example: 1girl, pink hair, smile.")
    if unusable := _why_not_writable(options.out):
        return _fail(unusable)
    try:
        return asyncio.run(_demo(options))
    except KeyboardInterrupt:
        return 0
    except TimeoutError:
        return _fail("The bot did not answer in time; the lines above say why.", 1)
    except Refused as error:
        return _fail(f"Discord would not take this command: {error}.")
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        return _fail(f"The page can't be served on port {options.port} ({why}). Try PORT={options.port + 1}.", 1)


def _why_not_writable(out: Path) -> str | None:
    """Make the picture's folder; what is wrong with it, before anything is painted."""
    if out.suffix.lower() != ".png" or out.is_dir():
        return f"OUT={out} must name a file that ends in .png."
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.open("ab").close()
        if not out.stat().st_size:
            out.unlink()
    except OSError as error:
        return f"OUT={out} can't be written ({error.strerror}); name another file."
    return None


def _fail(sentence: str, status: int = 2) -> int:
    sys.stderr.write(sentence + "\n")
    return status


async def _demo(options: argparse.Namespace) -> int:
    from bot import create_bot, load_backend
    from domain import ModelUnavailable

    with tempfile.TemporaryDirectory(prefix="painter-") as folder:
        settings = _settings(Path(folder))
        say("Loading the demo model …")
        try:
            backend = await asyncio.to_thread(load_backend, settings)
        except ModelUnavailable as error:
            return _fail(str(error), 1)
        server = LoopbackDiscord(default_world(real_deadlines=True), 0 if options.once else options.port)
        server.rate_limits.limits = LIMITS | EDITS
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
        **chosen,
        model=None,
        message_content_intent=True,
        credits_per_hour=CREDITS_PER_HOUR,
        credits_per_day=CREDITS_PER_DAY,
    )


def _mount_page(server: LoopbackDiscord, backend: Backend) -> None:
    people = {user.name: user.id for user in server.world.users.values()}
    side = backend.profile.shapes["square"][0]
    note = f"{backend.profile.identity.name}: paints {side} pixels, shown {backend.profile.display_scale}× larger"
    PageServer(server, [people["ana"], people["ben"], people["mira"]], note).mount()


async def _play(options: argparse.Namespace, server: LoopbackDiscord, running: asyncio.Task[None]) -> int:
    await set_up(server)
    delivered = await ask_for_picture(server, options.prompt, options.seed, options.out)
    if options.once or not delivered:
        return 0 if delivered else 1
    say(f"\nNow it is your turn: open {server.base_url} and type /imagine. Ctrl-C ends it.")
    await running
    return 0


async def _until_ready(bot: Any, running: asyncio.Task[None]) -> None:
    waiting = asyncio.create_task(bot.wait_until_ready())
    await asyncio.wait({waiting, running}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        waiting.cancel()
        await running


if __name__ == "__main__":
    sys.exit(main())
