"""How long the bot itself takes to its first answer to a command, a button and the form.

    python -m scripts.measure_answers [--members 50] [--rounds 3] [--json]

The real bot with the demo model runs in a process of its own before a loopback Discord. First one member works alone
with nothing to paint, then `--members` do everything at once while the model paints for them. Own time is from the
interaction's frame being read to its answer being sent, inside the bot; beside it stands how late the bot's event loop
ran meanwhile, which is what an interaction waits before its frame is read. The load of the machine is printed, too:
these are wall times. With --json the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.people.person import Person
from sandbox.server import LoopbackDiscord
from sandbox.world import changes
from sandbox.world.things import Channel, Interaction, Message
from sandbox.world.world import default_world
from tests.support.kills import agree
from tests.support.stage import is_delivered

ROOT = Path(__file__).parents[1]
READY_SECONDS = 180.0
CHANNELS = 10


# discord.py knows a form only after Discord's answer to its opening; nobody fills one in faster than this.
TYPING_SECONDS = 1.0


@dataclass(slots=True)
class Notes:
    """What was done: an interaction's kind by its id, and from when to when each phase lasted."""

    kinds: dict[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])
    phases: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])

    async def of(self, phase: str, kind: str, asking: Awaitable[Interaction]) -> Interaction:
        interaction = await asking
        self.kinds[interaction.id] = (phase, kind)
        return interaction


async def work(notes: Notes, phase: str, person: Person, channel: Channel, rounds: int, *, wait: bool) -> None:
    """What a member does: ask, open the form, keep it, open its second page, and paint from there."""
    shown: Message | None = None
    for number in range(rounds):
        asked = await notes.of(phase, "/imagine", person.slash(channel, "imagine", prompt=f"1girl, {number}"))
        if wait or shown is None:
            shown = person.answer(asked)
            await person.until(lambda message=shown: is_delivered(message), 600)
        opened = await notes.of(phase, "form opens", person.click(shown, "Edit"))
        await asyncio.sleep(TYPING_SECONDS)
        kept = await notes.of(phase, "form to page 2", person.submit(opened, prompt="1boy, hat", then="more"))
        more = await notes.of(phase, "page 2 opens", person.click(person.answer(kept), "More settings"))
        await asyncio.sleep(TYPING_SECONDS)
        sent = await notes.of(phase, "form sent", person.submit(more, numbers="Steps: 8, Seed: 5"))
        if wait:
            message = person.answer(sent)
            await person.until(lambda message=message: is_delivered(message), 600)


async def measure(folder: Path, members: int, rounds: int) -> tuple[Notes, list[dict[str, Any]]]:
    """Both phases; the lines that the bot wrote down."""
    notes, out = Notes(), folder / "answers.jsonl"
    async with LoopbackDiscord(default_world()) as server:
        guild = next(iter(server.world.guilds.values()))
        people = [Person(server, server.world.add_member(guild, f"member{number}").id) for number in range(members)]
        channels = [changes.add_channel(server.world, guild, f"easel-{number}") for number in range(CHANNELS)]
        await agree(folder / "bot.sqlite3", *people)
        async with answering_bot(server, folder / "bot.sqlite3", out):
            began = time.monotonic()
            await work(notes, "idle", people[0], channels[0], 5 * rounds, wait=True)
            notes.phases["idle"] = (began, time.monotonic())
            began = time.monotonic()
            busy = (
                work(notes, "busy", person, channels[number % CHANNELS], rounds, wait=False)
                for number, person in enumerate(people)
            )
            await asyncio.gather(*busy)
            notes.phases["busy"] = (began, time.monotonic())
    return notes, [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


@asynccontextmanager
async def answering_bot(server: LoopbackDiscord, database: Path, out: Path) -> AsyncGenerator[None]:
    """The bot in its process, from when it has registered its commands."""
    arguments = ("-m", "scripts.benchmark.answering", str(server.port), str(database), str(out))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        anybody = Person(server, next(iter(server.world.users)))
        await anybody.until(lambda: server.gateway.sessions and server.world.commands[None], READY_SECONDS)
        await asyncio.sleep(1)  # until it has taken in what the gateway told it at the start
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


def summary(notes: Notes, lines: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """phase → kind → p50 and p99 in milliseconds, and how many."""
    times: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        if "own" in line and line["id"] in notes.kinds:
            phase, kind = notes.kinds[line["id"]]
            times[phase][kind].append(line["own"])
            times[phase]["all of these"].append(line["own"])
        elif "lag" in line:
            for phase, (began, ended) in notes.phases.items():
                if began <= line["at"] <= ended:
                    times[phase]["event loop late"].append(line["lag"])
    return {phase: {kind: _row(found) for kind, found in kinds.items()} for phase, kinds in times.items()}


def _row(found: list[float]) -> dict[str, float]:
    p50, p99 = (round(float(np.percentile(found, share)), 1) for share in (50, 99))
    return {"p50_ms": p50, "p99_ms": p99, "count": len(found)}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3, help="of everything, for each member")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        found = summary(*asyncio.run(measure(Path(folder), options.members, options.rounds)))
    load = {"before": round(before, 1), "after": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}
    print(
        f"{options.members} members; load of the machine {load['before']} to {load['after']} on {load['cores']} cores"
    )
    print(f"{'phase':<6} {'what':<16} {'count':>6} {'p50 ms':>8} {'p99 ms':>8}")
    for phase, kinds in found.items():
        for kind, row in kinds.items():
            print(f"{phase:<6} {kind:<16} {row['count']:>6} {row['p50_ms']:>8} {row['p99_ms']:>8}")
    if options.json:
        print(json.dumps({"members": options.members, "load": load, "answers": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
