"""Let two members press everything under finished pictures while the bot is killed; compare what is said and stored.

    nice -n 15 python -m scripts.workshop_walks --walks 100 --seed 1

A walk begins with one to four pictures; then come pick, Upscale, Vary, Remix, Edit, Use as start, Keep, Delete, Again
and Details, and what is done with all pictures at once, in random order, sometimes two at the same moment, sometimes
with a kill -9 in between. At its end every message must say the truth about sizes, seeds, parents, credits and what its
buttons mean, and nothing that was deleted may be left in Discord or on the disk, nor be marked as kept. Ten walks share
a database. The order of acts follows from the seed, the moments from the machine as well.
Exit status 1 if anything was untrue.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

from scripts.misfortune.truth import outcomes
from scripts.misfortune.workshop import DATABASE, opened
from scripts.random_model import build_random_model

ACTS = 8
WALKS_TOGETHER = 10


async def play(seed: int, walks: int, model: Path, folder: Path) -> tuple[Counter[str], list[str]]:
    """How often each act was tried and what came of it, and what was untrue."""
    acted, found = Counter[str](), list[str]()
    async with opened(seed, model, folder) as workshop:
        for number in range(1, walks + 1):
            untrue = await workshop.walk(ACTS)
            acted.update(workshop.acted)
            print(f"seed {seed}, walk {number}: {' '.join(workshop.acted)}: {untrue or 'true'}", flush=True)
            found += untrue
            if untrue:
                break  # the next walk would find the same again
    acted.update(outcomes(folder / DATABASE))
    return acted, found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--walks", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    acted, found = Counter[str](), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        model = build_random_model(Path(folder) / "tiny", "tiny")
        for first in range(0, options.walks, WALKS_TOGETHER):
            place = Path(folder) / str(first)
            place.mkdir()
            walks = min(WALKS_TOGETHER, options.walks - first)
            more, untrue = asyncio.run(play(options.seed * 1000 + first, walks, model, place))
            acted.update(more)
            found += untrue
    print(f"{options.walks} walks, seed {options.seed}: {len(found)} untrue; {dict(acted.most_common())}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
