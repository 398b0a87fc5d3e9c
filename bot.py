"""The bot: composition root and command line.

    python bot.py               run on Discord
    python bot.py --check       what is configured, reachable and loadable
    python bot.py --commands    the application commands as the JSON array that Discord gets
    python bot.py --restore X   put a backup in the database's place

Settings → Database → Backend → Service → Bot, closed in reverse. Heavy imports happen where they are used, so that
`--help` answers at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sqlite3
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from cogs.core.bot import Bot
    from engine.safety import SafetyChecker
    from engine.worker.backend import Backend

NO_TOKEN = (
    "DISCORD_TOKEN is not set: put your bot's token into .env (README.md says how), "
    "or type `make demo` to try the bot without Discord."
)

log = logging.getLogger("bot")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parse(arguments)
    try:
        settings = load_settings(options.env_file)
    except SettingsError as error:
        return _fail(str(error))
    if options.commands:
        return asyncio.run(_print_commands(settings))
    if options.restore is not None:
        return _restore(settings, options.restore)
    if options.check:
        return asyncio.run(_check(settings))
    if settings.discord_token is None:
        return _fail(NO_TOKEN)
    return _run(settings, settings.discord_token.get_secret_value())


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bot.py", description="A Discord bot that paints with Waifu Diffusion v1.3.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="show what is configured, reachable and loadable, and exit")
    what.add_argument("--commands", action="store_true", help="print the application commands as JSON, and exit")
    what.add_argument("--restore", type=Path, metavar="FILE", help="put a backup in the database's place, and exit")
    parser.add_argument("--env-file", type=Path, default=Path(".env"), help="the settings file (default: .env)")
    return parser.parse_args(arguments)


def _fail(sentence: str) -> int:
    sys.stderr.write(sentence + "\n")
    return 2


def _restore(settings: Settings, backup: Path) -> int:
    """Bring a backup back; the bot must not run."""
    from db.backup import restore
    from db.database import DatabaseError
    from db.lock import DatabaseLock

    try:
        with DatabaseLock(settings.database):
            done = restore(settings.database, backup, datetime.now(UTC))
    except DatabaseError as error:
        return _fail(str(error))
    sys.stdout.write(f"{done.database} is now the state of {backup}, with {done.jobs} requests.\n")
    if done.set_aside is not None:
        sys.stdout.write(f"What was there before lies in {done.set_aside}.\n")
    return 0


def _run(settings: Settings, token: str) -> int:
    import aiohttp
    import discord

    from db.database import DatabaseError
    from db.problems import explain
    from domain import ModelUnavailable

    discord.utils.setup_logging(level=logging.getLevelNamesMapping()[settings.log_level])
    try:
        asyncio.run(_run_until_stopped(settings, token))
    except KeyboardInterrupt:
        return 0
    except discord.LoginFailure:
        return _fail("Discord does not accept DISCORD_TOKEN. Copy it again from your application's Bot page.")
    except discord.PrivilegedIntentsRequired:
        return _fail(
            "MESSAGE_CONTENT_INTENT is true, but the intent is switched off for your application. "
            "Switch on Message Content Intent on its Bot page, or set MESSAGE_CONTENT_INTENT=false."
        )
    except (DatabaseError, ModelUnavailable) as error:
        return _fail(str(error))
    except sqlite3.Error as error:  # a damaged page that only a use case reads
        log.debug("the database failed", exc_info=True)
        return _fail(explain(settings.database, error))
    except aiohttp.ClientConnectionError as error:
        return _fail(f"Discord can't be reached ({error}). Check this machine's network, then start the bot again.")
    return 0


async def _run_until_stopped(settings: Settings, token: str) -> None:
    backend = await asyncio.to_thread(load_backend, settings)
    async with create_bot(settings, backend) as bot:
        running = asyncio.create_task(bot.start(token))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
        try:
            await running
        except asyncio.CancelledError:
            log.info("stopping: pictures that are not finished are taken up again at the next start")


@asynccontextmanager
async def create_bot(settings: Settings, backend: Backend, **options: Any) -> AsyncGenerator[Bot]:
    """The bot with everything it needs, opened; `options` go to `cogs.core.bot.Bot`. Closes in reverse at the end."""
    from cogs.core.bot import Bot
    from db.opening import opened_alone
    from service import Limits, Service

    limits = Limits(
        max_queue=settings.max_queue,
        max_jobs_per_user=settings.max_jobs_per_user,
        credits_per_hour=settings.credits_per_hour,
        credits_per_day=settings.credits_per_day,
    )
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(opened_alone(settings.database, datetime.now(UTC)))
        service = await stack.enter_async_context(Service(database, backend, limits))
        yield await stack.enter_async_context(Bot(service, message_content=settings.message_content_intent, **options))


def load_backend(settings: Settings) -> Backend:
    """The model on its device behind the one worker thread. Slow; raises ModelUnavailable."""
    from engine.safety import load_safety_checker
    from engine.worker.assembly import make_backend

    checker = load_safety_checker()
    backend = make_backend(settings, checker=checker, rows_file=settings.database.with_name("rows.json"))
    _warm_up(checker)
    return backend


def _warm_up(checker: SafetyChecker) -> None:
    """Read the policy's rules and the picture check's models now: the first member must not wait for them."""
    from PIL import Image

    from domain import Place, Request, SafetyLevel
    from engine.policy import judge

    request = Request(
        prompt="1girl", width=64, height=64, num_inference_steps=1, guidance_scale=1.0, scheduler="ddim", seed=0
    )
    judge(request, Place())
    checker.check([Image.new("RGB", (64, 64), "white")], SafetyLevel.STRICT)


async def _print_commands(settings: Settings) -> int:
    from cogs.core.bot import SETUP, Bot

    async with Bot(None, message_content=settings.message_content_intent) as bot:
        await bot.load_extension(SETUP)
        sys.stdout.write(json.dumps(bot.command_payload(), ensure_ascii=False, indent=2) + "\n")
    return 0


async def _check(settings: Settings) -> int:
    """Print a table of what works; 0 if the bot could start, else 1."""
    rows = [
        _check_token(settings),
        await _check_discord(settings),
        await _check_database(settings),
        *await asyncio.to_thread(_check_model, settings),
    ]
    width = max(len(name) for name, _, _ in rows)
    for name, is_fine, words in rows:
        sys.stdout.write(f"{'ok  ' if is_fine else 'FAIL'}  {name:<{width}}  {words}\n")
    return 0 if all(is_fine for _, is_fine, _ in rows) else 1


Row = tuple[str, bool, str]


def _check_token(settings: Settings) -> Row:
    if settings.discord_token is None:
        return ("token", False, NO_TOKEN)
    return ("token", True, "set (not shown)")


async def _check_discord(settings: Settings) -> Row:
    import aiohttp
    import discord
    from discord.http import HTTPClient

    if settings.discord_token is None:
        return ("Discord", False, "not tried without a token")
    client = HTTPClient(asyncio.get_running_loop())
    try:
        user = await client.static_login(settings.discord_token.get_secret_value())
    except discord.LoginFailure:
        return ("Discord", False, "does not accept DISCORD_TOKEN; copy it again from your application's Bot page")
    except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
        return ("Discord", False, f"can't be reached ({error})")
    finally:
        await client.close()
    return ("Discord", True, f"logged in as {user['username']}")


async def _check_database(settings: Settings) -> Row:
    from db.database import Database, DatabaseError
    from db.lock import DatabaseLock

    try:
        with DatabaseLock(settings.database):
            async with Database(settings.database) as database:
                version = await database.fetch_schema_version()
    except DatabaseError as error:
        return ("database", False, str(error))
    return ("database", True, f"{settings.database}, schema {version}")


def _check_model(settings: Settings) -> list[Row]:
    from domain import ModelUnavailable
    from engine.policy import RULE_SET

    rows: list[Row] = [("policy", True, f"rule set {RULE_SET}")]
    try:
        backend = load_backend(settings)
    except ModelUnavailable as error:
        return [*rows, ("model", False, str(error))]
    identity = backend.profile.identity
    words = f"{identity.name}, {identity.weights}, {identity.dtype}, SHA-256 {identity.sha256[:16]}…"
    return [*rows, ("model", True, words), _check_safety()]


def _check_safety() -> Row:
    from PIL import Image

    from domain import SafetyLevel, SafetyVerdict
    from engine.safety import load_safety_checker

    report = load_safety_checker().check([Image.new("RGB", (64, 64), "white")], SafetyLevel.STRICT)[0]
    if report.verdict is SafetyVerdict.ERROR:
        return ("picture check", False, "its models can't be loaded, so every picture would be withheld")
    return ("picture check", True, "works")


if __name__ == "__main__":
    sys.exit(main())
