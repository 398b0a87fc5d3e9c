"""What storing a million jobs costs: CPU time of the statements that members wait for, and the longest write lock.

    python scripts/measure_growth.py --jobs 1000000 --json

Builds a database of the real schema with seeded rows (a year of jobs, one member with 1 % of them in one server, their
decisions, ledger rows, picture hashes and an audit log), then calls the functions that the bot calls. CPU milliseconds
of this process, the median of several calls; pictures are small, for their bytes are no part of the question. With
--json the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from db import audit, decisions, erasure, jobs, picture_hashes, quotas, retention
from db.codec import encode_request
from db.database import Database
from domain import Origin, Place
from domain.quotas import Asker, QuotaDefaults
from engine.policy.__main__ import request_of

NOW = datetime(2026, 6, 1, tzinfo=UTC)
YEAR = 365 * 86400
HEAVY, AVERAGE, LEFT = 1, 1001, 2  # member ids, and the server that is erased
GUILD, CHANNEL = 1, 5
REQUEST = request_of("1girl, smile, " * 8)
DEFAULTS = QuotaDefaults(per_hour=10**9, per_day=10**9, max_jobs=1000)
REPEATS = 15

# A row's member, server and time follow from its number; `mix` scatters them evenly and alike in every run.
_ROWS = """WITH RECURSIVE numbers(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < :jobs),
    scattered AS (SELECT i, (i * 2654435761 + :seed) % 4294967296 AS mix FROM numbers),
    made AS (SELECT i, CASE WHEN i % 100 = 0 THEN :heavy ELSE 1000 + mix % :members END AS user_id,
                    CASE WHEN i % 100 = 0 THEN 1 ELSE 1 + (mix / 7919) % :servers END AS guild_id,
                    :now - :year * (1.0 - 1.0 * i / :jobs) AS moment FROM scattered)"""
_FILL = (
    f"""{_ROWS} INSERT INTO jobs (user_id, guild_id, channel_id, message_id, status, request, images, created_at,
                                  started_at, finished_at, delivered_at, seconds, cost, spend)
        SELECT user_id, guild_id, :channel, 10000000 + i, 'delivered', :request, 1, moment, moment, moment + 9,
               moment + 10, 8, 1000, '[{{"amount":1000,"grant":null,"channel":5}}]' FROM made""",
    """INSERT INTO pictures (job_id, position, seed, width, height, png, verdict, scores)
       SELECT id, 0, 1, 512, 512, zeroblob(64), 'safe', '{}' FROM jobs""",
    "INSERT INTO picture_hashes (job_id, position, hashes) SELECT id, 0, zeroblob(136) FROM jobs",
    """INSERT INTO decisions (job_id, user_id, guild_id, channel_id, subject, action, rules, scores, spans, rule_set,
                              prompt, negative_prompt, prompt_sha256, decided_at)
       SELECT id, user_id, guild_id, 5, 'prompt', 'allow', '[]', '{}', '[]', '1', json_extract(request, '$.prompt'), '',
              hex(zeroblob(32)), created_at FROM jobs""",
    """INSERT INTO audit (guild_id, actor_id, action, target, details, created_at)
       SELECT guild_id, 9, 'job.delete', 'job:' || id, json_object('member', user_id), created_at
       FROM jobs WHERE id % 20 = 0""",
)


@dataclass(slots=True)
class Table:
    """Measured values beside their targets, in milliseconds unless the name says otherwise."""

    rows: list[tuple[str, float, float | None]] = field(default_factory=list[tuple[str, float, float | None]])

    def add(self, name: str, value: float, target: float | None = None) -> None:
        self.rows.append((name, value, target))
        mark = "" if target is None else f"   target {target:g}   {'ok' if value <= target else 'OVER'}"
        print(f"{name:<52} {value:10.2f}{mark}", flush=True)


def measure(run: Callable[[argparse.Namespace, Path], Coroutine[Any, Any, Table]], options: argparse.Namespace) -> None:
    """Fill a table in a folder that goes away again; with --json, print it as one JSON object at the end."""
    with tempfile.TemporaryDirectory() as folder:
        table = asyncio.run(run(options, Path(folder)))
    if options.json:
        print(json.dumps({name: round(value, 3) for name, value, _ in table.rows}))


async def build(path: Path, options: argparse.Namespace) -> None:
    """The schema by the bot itself, the rows by few large statements, the indexes at the end."""
    async with Database(path):
        pass
    values = {
        "jobs": options.jobs,
        "members": max(options.jobs // 50, 1),
        "servers": max(options.jobs // 5000, 2),
        "seed": options.seed,
        "heavy": HEAVY,
        "channel": CHANNEL,
        "now": NOW.timestamp(),
        "year": YEAR,
        "request": encode_request(REQUEST),
    }
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -200000")
        indexes = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        kept = indexes.fetchall()
        for name, _ in kept:
            connection.execute(f"DROP INDEX {name}")
        for sql in _FILL:
            connection.execute(sql, {name: value for name, value in values.items() if f":{name}" in sql})
        for _, sql in kept:
            connection.execute(sql)


async def cpu_ms(call: Callable[[], Awaitable[Any]], repeats: int = REPEATS) -> float:
    """The median CPU time of a call; the first one warms up."""
    await call()
    spent: list[float] = []
    for _ in range(repeats):
        began = process_time()
        await call()
        spent.append(process_time() - began)
    return statistics.median(spent) * 1000


class _Undo(Exception):
    """Ends a transaction without a trace."""


async def submit(database: Database, user_id: int) -> None:
    """The statement by which a request is accepted, and undone."""
    origin = Origin(user_id=user_id, place=Place(guild_id=GUILD, channel_id=CHANNEL))
    try:
        async with database.transaction() as connection:
            found = await jobs.enqueue(connection, REQUEST, origin, NOW, cost=1000, defaults=DEFAULTS, max_queue=10**6)
            assert found is not None
            raise _Undo
    except _Undo:
        pass


@asynccontextmanager
async def watched(database: Database) -> AsyncGenerator[list[tuple[float, float]]]:
    """(CPU, wall) seconds for which each transaction held the write lock, its commit included."""
    held: list[tuple[float, float]] = []
    original = database.transaction

    @asynccontextmanager
    async def transaction() -> AsyncGenerator[Any]:
        manager = original()
        connection = await manager.__aenter__()
        began = process_time(), perf_counter()
        try:
            yield connection
        except BaseException as error:
            await manager.__aexit__(type(error), error, error.__traceback__)
            raise
        await manager.__aexit__(None, None, None)
        held.append((process_time() - began[0], perf_counter() - began[1]))

    database.transaction = transaction  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield held
    finally:
        database.transaction = original


async def measure_reading(database: Database, table: Table) -> None:
    asker = Asker.of(Origin(user_id=HEAVY, place=Place(guild_id=GUILD, channel_id=CHANNEL)))
    table.add("submit, average member", await cpu_ms(lambda: submit(database, AVERAGE)), 6)
    table.add("submit, member with 1 % of all jobs", await cpu_ms(lambda: submit(database, HEAVY)), 6)
    standing = await cpu_ms(lambda: quotas.fetch_standing(database, asker, DEFAULTS, NOW))
    table.add("quota standing of that member", standing, 5)
    table.add("/audit, newest 21 of a server", await cpu_ms(lambda: audit.search(database, GUILD, limit=21)), 10)
    of_member = await cpu_ms(lambda: audit.search(database, GUILD, target=f"member:{HEAVY}", limit=21))
    table.add("/audit about that member", of_member, 10)
    hashes = await cpu_ms(lambda: picture_hashes.fetch_for_guild(database, GUILD))
    table.add("who made this: reading a server's hashes", hashes, 150)
    table.add("decisions the owner was not told of", await cpu_ms(lambda: decisions.fetch_unstored(database, 0)))
    table.add("open and undelivered jobs at a start", await cpu_ms(lambda: jobs.fetch_open(database)))


def _longest(table: Table, name: str, held: list[tuple[float, float]]) -> None:
    table.add(f"{name}: longest lock, CPU", max(cpu for cpu, _ in held) * 1000, 50)
    table.add(f"{name}: longest lock, wall", max(wall for _, wall in held) * 1000)
    table.add(f"{name}: transactions (number)", len(held))


async def measure_forgetting(database: Database, table: Table, options: argparse.Namespace) -> None:
    async with watched(database) as held:
        # So much later that about 5,000 jobs are older than the year for which they are kept.
        due = timedelta(seconds=YEAR * min(5000 / options.jobs, 0.5))
        await retention.forget_old(database, NOW + due)
        _longest(table, "retention", held)
        held.clear()
        async with database.transaction() as connection:
            await erasure.note_departure(connection, LEFT, NOW)
        await erasure.erase_departed(database, NOW + erasure.DEPARTED_KEPT)
        _longest(table, "departure of one server", held)
        held.clear()
        row = await database.fetch_one("SELECT count(*) FROM jobs WHERE user_id = ?", (HEAVY,))
        count = int(row[0]) if row else 0
        async with database.transaction() as connection:
            await erasure.note_erasure(connection, HEAVY, NOW)
        began = process_time()
        await erasure.erase_member(database, HEAVY, NOW)
        table.add(f"erase, a job of {count}", (process_time() - began) * 1000 / max(count, 1), 2)
        _longest(table, "erase", held)


async def run(options: argparse.Namespace, folder: Path) -> Table:
    table, path = Table(), folder / "growth.sqlite3"
    began = process_time()
    await build(path, options)
    print(f"{options.jobs} jobs, seed {options.seed}; built in {process_time() - began:.0f} s of CPU", flush=True)
    picture_bytes = 64
    table.add("file, bytes a job beside its picture", path.stat().st_size / options.jobs - picture_bytes, 3000)
    async with Database(path) as database:
        await measure_reading(database, table)
        await measure_forgetting(database, table, options)
    return table


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    measure(run, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
