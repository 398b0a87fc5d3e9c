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

from engine.console import accept_any_console, shows_unicode
from settings import DEFAULT_ENV_FILE, Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from cogs.core.bot import Bot
    from domain.findings import Finding
    from engine.safety import SafetyChecker
    from engine.worker.backend import Backend

NO_TOKEN = (
    "DISCORD_TOKEN is not set: put your bot's token into .env (README.md says how), "
    "or type `make demo` to try the bot without Discord."
)

log = logging.getLogger("bot")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    accept_any_console()
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
    parser.add_argument("--env-file", type=Path, default=DEFAULT_ENV_FILE, help="the settings file (default: .env)")
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
    if done.months is None:
        sys.stdout.write(
            "No folder with its pictures lies beside the backup: the pictures that were here stay, and those that the "
            "backup does not know are kept until you decide (docs/running.md).\n"
        )
    elif done.months:
        sys.stdout.write(f"Its pictures are back, too (month files: {done.months}).\n")
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
    except (aiohttp.ClientError, TimeoutError) as error:
        return _fail(f"Discord can't be reached ({error}). Check this machine's network, then start the bot again.")
    except discord.HTTPException as error:
        return _fail(f"Discord does not let the bot in now ({error}). Its state is on https://discordstatus.com.")
    return 0


async def _run_until_stopped(settings: Settings, token: str) -> None:
    async with create_bot(settings) as bot:
        running = asyncio.create_task(bot.start(token))
        _cancel_at_sigterm(running)
        try:
            await running
        except asyncio.CancelledError:
            log.info("stopping: pictures that are not finished are taken up again at the next start")


def _cancel_at_sigterm(running: asyncio.Task[None]) -> None:
    """End as with SIGTERM under Docker or systemd; Windows' event loop has no signal handlers of its own."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(signal.SIGTERM, running.cancel)
    except NotImplementedError:
        for name in ("SIGTERM", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), lambda *_: loop.call_soon_threadsafe(running.cancel))


@asynccontextmanager
async def create_bot(settings: Settings, backend: Backend | None = None, **options: Any) -> AsyncGenerator[Bot]:
    """The bot with everything it needs, opened; `options` go to `cogs.core.bot.Bot`. Closes in reverse at the end.

    Without a `backend` the settings' model is loaded. Either is closed with the bot.
    """
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
        if backend is not None:
            stack.push_async_callback(asyncio.to_thread, backend.close)
        # The lock before the model: a second bot says at once that the database is in use.
        database = await stack.enter_async_context(opened_alone(settings.database, datetime.now(UTC)))
        if backend is None:
            backend = await asyncio.to_thread(load_backend, settings)
            stack.push_async_callback(asyncio.to_thread, backend.close)
        service = await stack.enter_async_context(Service(database, backend, limits))
        yield await stack.enter_async_context(Bot(service, message_content=settings.message_content_intent, **options))


def load_backend(settings: Settings, checker: SafetyChecker | None = None) -> Backend:
    """The model on its device behind the one worker thread. Slow; raises ModelUnavailable."""
    from engine.safety import load_safety_checker
    from engine.worker.assembly import make_backend
    from service.preflight import check_picture_check

    checker = checker or load_safety_checker(anime_model=settings.anime_model)
    backend = make_backend(settings, checker=checker, rows_file=settings.database.with_name("rows.json"))
    # Its models are read at the first picture: the first member must not wait for them.
    check_picture_check(checker)
    return backend


async def _print_commands(settings: Settings) -> int:
    from cogs.core.bot import SETUP, Bot

    async with Bot(None, message_content=settings.message_content_intent) as bot:
        await bot.load_extension(SETUP)
        sys.stdout.write(json.dumps(bot.command_payload(), ensure_ascii=not shows_unicode(), indent=2) + "\n")
    return 0


async def _check(settings: Settings) -> int:
    """Print a table of what works; 0 if the bot could start, else 1."""
    from domain.findings import Health
    from service.preflight import check_database

    findings = [
        *await _check_token(settings),
        *await check_database(settings.database, datetime.now(UTC)),
        *await asyncio.to_thread(_check_model, settings),
    ]
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        sys.stdout.write(f"{finding.health:<4}  {finding.name:<{width}}  {finding.words}\n")
    return 1 if any(finding.health is Health.FAIL for finding in findings) else 0


async def _check_token(settings: Settings) -> list[Finding]:
    from cogs.core.reachability import check_discord
    from domain.findings import Finding, Health

    token = settings.discord_token
    if token is None:
        untried = Finding(name="Discord", words="not tried without a token", health=Health.FAIL)
        return [Finding(name="token", words=NO_TOKEN, health=Health.FAIL), untried]
    found = await check_discord(token.get_secret_value(), message_content=settings.message_content_intent)
    return [Finding(name="token", words="set (not shown)"), *found]


def _check_model(settings: Settings) -> list[Finding]:
    """Load everything as a start would, and paint three short pictures."""
    from domain import ModelUnavailable
    from domain.findings import Finding, Health
    from engine.safety import load_safety_checker
    from service.preflight import check_device, check_model, check_picture_check, check_policy

    findings, checker = [check_policy()], load_safety_checker(anime_model=settings.anime_model)
    try:
        findings.append(check_device(settings.device))
        backend = load_backend(settings, checker)
    except ModelUnavailable as error:
        return [*findings, Finding(name="model", words=str(error), health=Health.FAIL)]
    try:
        return [*findings, *check_model(backend), check_picture_check(checker)]
    finally:
        backend.close()


if __name__ == "__main__":
    sys.exit(main())
