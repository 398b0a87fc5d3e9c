"""`python -m scripts.mutation sample` draws the mutants, `table` prints what the tests noticed."""

# The tools come with an extra that `make check` does not install.
# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
import tomllib
from collections import Counter
from pathlib import Path

from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import TestOutcome

from scripts.mutation.mutants import mutated, room_of, sample
from scripts.mutation.rooms import ROOMS

SESSION = Path(".mutation/session.sqlite")
EQUIVALENT = Path("scripts/mutation/equivalent.toml")
SHARES = {"service": 70, "db": 80, "domain": 40, "policy": 50, "cogs": 70}
LEAST = 30


def draw(seed: int) -> None:
    SESSION.parent.mkdir(exist_ok=True)
    database = WorkDB(str(SESSION), WorkDB.Mode.create)
    database.clear()
    for room in ROOMS:
        items = sample(room, SHARES.get(room, LEAST), seed)
        database.add_work_items(items)
        print(f"{room}: {len(items)} mutants")


def table() -> None:
    equivalent = {entry["id"] for entry in tomllib.loads(EQUIVALENT.read_text()).get("mutant", [])}
    counts: dict[str, Counter[str]] = {room: Counter() for room in ROOMS}
    database = WorkDB(str(SESSION), WorkDB.Mode.open)
    for work, result in database.completed_work_items:
        spec = work.mutations[0]
        path = str(spec.module_path)
        counts[room_of(path)]["tried"] += 1
        if result.test_outcome != TestOutcome.SURVIVED:
            counts[room_of(path)]["noticed"] += result.test_outcome == TestOutcome.KILLED
        elif work.job_id in equivalent:
            counts[room_of(path)]["equivalent"] += 1
        else:
            source = Path(path).read_text()
            line = spec.start_pos[0] - 1
            after = (mutated(spec, source) or source).splitlines()[line].strip()
            print(f"{work.job_id} {path}:{line + 1} {spec.operator_name}\n    {after}")
    print("| room | mutants | noticed | equivalent | share |\n| --- | --- | --- | --- | --- |")
    for room, found in counts.items():
        judged = found["tried"] - found["equivalent"]
        share = f"{found['noticed'] / judged:.0%}" if judged else "-"
        print(f"| {room} | {found['tried']} | {found['noticed']} | {found['equivalent']} | {share} |")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.mutation", description=__doc__)
    parser.add_argument("command", choices=("sample", "table"))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.command == "sample":
        draw(arguments.seed)
    else:
        table()


if __name__ == "__main__":
    main()
