"""The real bot in a process of its own that writes down how long each interaction waited for its first answer.

`python -m scripts.benchmark.answering PORT DATABASE OUT`: it ends at SIGTERM. OUT gets one JSON line an interaction:
its id, the milliseconds from the frame being read to the answer being sent, and when that was (monotonic seconds).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from discord.webhook import async_ as webhooks

from bot import _cancel_at_sigterm, create_bot, load_backend  # pyright: ignore[reportPrivateUsage]
from cogs.core.bot import Bot
from sandbox.endpoints import point_discord_at
from scripts.benchmark.looplag import measure_lags
from settings import Settings

PLENTY: dict[str, Any] = {"_env_file": None, "credits_per_hour": 100_000, "credits_per_day": 1_000_000}


def main(port: int, database: Path, out: Path) -> None:
    settings = Settings(database=database, model=None, **PLENTY)
    backend = load_backend(settings)
    try:
        with out.open("w", encoding="utf-8", buffering=1) as file:
            asyncio.run(_run(settings, backend, port, lambda line: file.write(json.dumps(line) + "\n")))
    finally:
        backend.close()


async def _run(settings: Settings, backend: Any, port: int, write: Callable[[dict[str, Any]], object]) -> None:
    with point_discord_at(port):
        async with create_bot(settings, backend, guild_ready_timeout=0.05) as bot:
            running = asyncio.create_task(bot.start("loopback"))
            watching = asyncio.create_task(measure_lags(lambda lag: write({"at": time.monotonic(), "lag": lag * 1000})))
            _cancel_at_sigterm(running)
            _time_answers(bot, write)
            with contextlib.suppress(asyncio.CancelledError):
                await running
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


def _time_answers(bot: Bot, write: Callable[[dict[str, Any]], object]) -> None:
    """Note when an interaction's frame is read and when its answer goes out, at discord.py's two ends."""
    read_at: dict[int, float] = {}
    parsers: dict[str, Any] = bot._connection.parsers  # pyright: ignore[reportPrivateUsage]
    parse, send = parsers["INTERACTION_CREATE"], webhooks.AsyncWebhookAdapter.create_interaction_response

    def parse_and_note(data: Any) -> None:
        read_at[int(data["id"])] = time.monotonic()
        parse(data)

    def send_and_note(adapter: Any, interaction_id: int, *arguments: Any, **more: Any) -> Any:
        sent_at = time.monotonic()
        if (began := read_at.pop(interaction_id, None)) is not None:
            write({"id": interaction_id, "at": sent_at, "own": (sent_at - began) * 1000})
        return send(adapter, interaction_id, *arguments, **more)

    parsers["INTERACTION_CREATE"] = parse_and_note
    setattr(webhooks.AsyncWebhookAdapter, "create_interaction_response", send_and_note)  # noqa: B010 - not its type


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
