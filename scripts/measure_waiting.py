"""What ten thousand waiting jobs of one server cost: the login after a restart, places, and the progress loop.

    python scripts/measure_waiting.py --jobs 10000 --json

The real bot on a loopback Discord, with a tiny model that is paused. Its database holds the jobs as an earlier process
accepted them, each with its message. CPU milliseconds of this process (of all its threads for the login), and for the
login wall time too. With --json the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cogs.imagine.progress import Progress
from db.codec import encode_request
from db.database import Database
from db.meta import QUEUE_STATE, remember
from domain import Request, RequestOptions
from domain.queue import QueueState
from engine.prepare import complete
from engine.safety import FixedScores
from engine.sampling.model import load_model
from engine.worker.local_backend import LocalBackend
from sandbox.server import LoopbackDiscord
from sandbox.world.world import default_world
from scripts.measure_growth import Table, measure
from scripts.random_model import build_random_model
from settings import Settings
from tests.support.stage import running_bot

REPEATS = 25
PROMPT = "1girl, smile, hat, " * 4


async def fill(path: Path, request: Request, jobs: int, members: int, guild_id: int, channel_id: int) -> None:
    """Jobs of one server that wait, the oldest first, and a queue that is paused."""
    values = (jobs, members, guild_id, channel_id, encode_request(request), datetime.now(UTC).timestamp())
    async with Database(path) as database, database.transaction() as connection:
        await connection.execute(
            """WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < ?1)
               INSERT INTO jobs (user_id, guild_id, channel_id, message_id, request, images, created_at, cost)
               SELECT 1000 + i % ?2, ?3, ?4, 10000000 + i, ?5, 1, ?6, 1000 FROM numbers""",
            values,
        )
        await remember(connection, QUEUE_STATE, QueueState.PAUSED)


def cpu_ms(call: Callable[[], object]) -> float:
    spent: list[float] = []
    for _ in range(REPEATS):
        began = process_time()
        call()
        spent.append(process_time() - began)
    return statistics.median(spent) * 1000


async def run(options: argparse.Namespace, folder: Path) -> Table:
    table = Table()
    model = load_model(str(build_random_model(folder / "tiny", "tiny")), device="cpu")
    server = LoopbackDiscord(default_world())
    place = next(one for one in server.world.channels.values() if one.name == "paintings")
    settings = Settings(database=folder / "bot.sqlite3", max_queue=10 * options.jobs, _env_file=None)  # pyright: ignore[reportCallIssue]
    request = complete(RequestOptions(prompt=PROMPT), model.profile)
    await fill(settings.database, request, options.jobs, options.members, place.guild_id or 0, place.id)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(server)
        stack.enter_context(server.attached())
        backend = LocalBackend(model, FixedScores(), max_queue=10 * options.jobs)
        began = process_time(), perf_counter()
        bot = await stack.enter_async_context(running_bot(server, settings, backend))
        table.add("login, CPU", (process_time() - began[0]) * 1000, 3000)
        table.add("login, wall", (perf_counter() - began[1]) * 1000)
        asyncio.get_running_loop().set_debug(False)
        await bot.service.dispatch.finish_taking_up()
        table.add("until the engine has all of them, CPU", (process_time() - began[0]) * 1000)
        progress = bot.cog(Progress)
        while progress._earlier_ids:  # noqa: ASYNC110  # pyright: ignore[reportPrivateUsage]
            await asyncio.sleep(0.1)
        ids = await bot.service.jobs.fetch_open_ids()
        for name, job_id in (("first", ids[0]), ("middle", ids[len(ids) // 2]), ("last", ids[-1])):
            table.add(f"place of the {name} one", cpu_ms(lambda job_id=job_id: backend.standing(job_id)), 5)
        assert (standing := backend.standing(ids[-1])) is not None
        assert standing.ahead == len(ids) - 1
        table.add("a change (one is taken back) and a place", cpu_ms(lambda: _change(backend, ids)), 5)
        ticks = [cpu_ms(progress._tick) for _ in range(3)]  # pyright: ignore[reportPrivateUsage]
        table.add("a tick of the progress loop", max(ticks), 10)
    return table


def _change(backend: LocalBackend, ids: list[int]) -> None:
    """The fullest case: everybody behind moves up."""
    backend.cancel(ids.pop(0))
    backend.standing(ids[-1])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--members", type=int, default=2_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    measure(run, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
