"""The bot in processes of its own, for tests that kill it: `PORT DATABASE` on standard input starts one.

Imports and the model are loaded once; every bot is a fork of that, so a restart takes a moment instead of seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path


def main(model_folder: str) -> None:
    import torch

    from engine.safety import FixedScores
    from engine.sampling.model import load_model

    torch.set_num_threads(1)  # a pool of threads would not survive the fork
    model = load_model(model_folder)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _answer("ready")
    for line in sys.stdin:
        port, database = line.split()
        pid = os.fork()
        if pid == 0:
            asyncio.run(_run(model, FixedScores(), int(port), Path(database)))
            os._exit(0)
        _answer(str(pid))


async def _run(model: object, checker: object, port: int, database: Path) -> None:
    from bot import _cancel_at_sigterm, create_bot  # pyright: ignore[reportPrivateUsage]
    from engine.worker.local_backend import LocalBackend
    from sandbox.server import point_discord_at
    from settings import Settings
    from tests.support import whims

    plenty = {"credits_per_hour": 100_000, "credits_per_day": 1_000_000, "message_content_intent": True}
    settings = Settings(_env_file=None, database=database, **plenty)  # pyright: ignore[reportCallIssue, reportArgumentType]
    backend = LocalBackend(model, checker)  # pyright: ignore[reportArgumentType]
    with point_discord_at(port):
        async with create_bot(settings, backend, guild_ready_timeout=0.05, edit_interval_seconds=0.2) as bot:
            running = asyncio.create_task(bot.start("loopback"))
            _cancel_at_sigterm(running)
            whims.obey(bot, database)
            with contextlib.suppress(asyncio.CancelledError):
                await running


def _answer(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
