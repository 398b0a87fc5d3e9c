"""Kill the bot, and let everything around it fail, at random moments; then count what is lost, doubled or untrue.

    nice -n 15 python -m scripts.chaos --seed 1 --kills 200 --faults 200 --report FILE

The real bot runs in a process of its own before a loopback Discord, and six members ask, press, write and edit. Each
round something befalls it once; when everything has settled, the database and Discord's messages are judged: nothing
lost, doubled or stuck, charged what was delivered, no untrue sentence about money. The rounds are cut into pieces of
their own database and Discord. Finished pieces are in the report and are not played again, so a run can be stopped and
gone on with (`--minutes`) by the same code and seed; `--only` plays one piece. The order of events and acts follows
from the seed, the moment at which they strike from the machine as well. Exit status 1 if anything was found.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from scripts.misfortune.events import Piece, plan
from scripts.misfortune.rounds import opened
from scripts.misfortune.verdict import KINDS, MISSED
from scripts.random_model import build_random_model


async def play(piece: Piece, model: Path, folder: Path) -> list[str]:
    """All rounds of a piece, one line each; its database lies in `folder`."""
    lines: list[str] = []
    async with opened(piece, model, folder) as rounds:
        for number, event in enumerate(piece.events):
            lines.append(await rounds.play(number, event))
            print(f"{piece.number} {lines[-1]}", flush=True)
    return lines


def table(rounds: list[dict[str, Any]]) -> str:
    """One line an event: how often it came, how often the bot did not run into it, and what was found after it."""
    rows = ["| what befell it | rounds | missed | " + " | ".join(KINDS) + " |", "| --- " * (len(KINDS) + 3) + "|"]
    for event in [*sorted({one["event"] for one in rounds}), ""]:
        some = [one for one in rounds if event in ("", one["event"])]
        found = Counter(kind for one in some for kind, _ in one["findings"])
        counts = " | ".join(str(found[kind]) for kind in KINDS)
        missed = sum(one["details"].endswith(MISSED) for one in some)
        rows.append(f"| {event or '**all**'} | {len(some)} | {missed} | {counts} |")
    return "\n".join(rows)


def tree() -> str:
    """Which code is played: the commit, and what was changed since."""
    git = ("git", "-C", str(Path(__file__).parent))
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
        changes = subprocess.run([*git, "diff", "HEAD"], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit.strip() + (f"+{hashlib.sha256(changes).hexdigest()[:12]}" if changes else "")


def read_report(report: Path | None, run: dict[str, Any]) -> dict[int, list[dict[str, Any]]]:
    """Piece → its rounds, of those that were finished. Raises ValueError if they are of another run than this one."""
    if report is None or not report.exists():
        return {}
    lines = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if line.get("run") != run:
            raise ValueError(
                f"{report} holds pieces of another run ({line.get('run')}, this one is {run}). Name another file: one "
                "table can't be made of both."
            )
    return {line["piece"]: line["rounds"] for line in lines}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--size", type=int, default=20, help="rounds of a piece")
    parser.add_argument("--report", type=Path, help="where finished pieces are written down, one line each")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no piece after this time")
    parser.add_argument("--only", type=int, help="the number of one piece")
    parser.add_argument("--keep", type=Path, help="a folder in which the databases stay")
    options = parser.parse_args(arguments)
    run = {name: getattr(options, name) for name in ("seed", "kills", "faults", "size")} | {"tree": tree()}
    try:
        done = read_report(options.report, run)
    except ValueError as error:
        parser.error(str(error))
    ends_at = time.monotonic() + options.minutes * 60
    with tempfile.TemporaryDirectory() as folder:
        model = build_random_model(Path(folder) / "tiny", "tiny")
        for piece in plan(options.seed, options.kills, options.faults, options.size):
            if piece.number in done or options.only not in (None, piece.number) or time.monotonic() > ends_at:
                continue
            place = (options.keep or Path(folder)) / f"piece{piece.number}"
            shutil.rmtree(place, ignore_errors=True)  # of a run that was stopped in it
            place.mkdir(parents=True)
            lines = asyncio.run(play(piece, model, place))
            done[piece.number] = [json.loads(line) for line in lines]
            if options.report is not None:
                with options.report.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"run": run, "piece": piece.number, "rounds": done[piece.number]}) + "\n")
    rounds = [one for number in sorted(done) for one in done[number]]
    print(table(rounds))
    return 1 if any(one["findings"] for one in rounds) else 0


if __name__ == "__main__":
    sys.exit(main())
