"""How the CPU time of everything that reads a prompt grows with its length: 1 is proportional, the factor is quadratic.

    python scripts/measure_text_growth.py [--size N] [--times N] [--tries N]

For each reader and each hostile unit: CPU milliseconds for N characters, the least of all tries, and the growth to
`times` as many, divided by `times`. Unlike tests/support/work.py this sees what regular expressions cost.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine.policy.judging as judging
from domain import Place
from engine.policy.__main__ import request_of
from engine.policy.normalise import fold
from engine.policy.parse import branches
from engine.request.inline_syntax import split

UNITS = {
    "blanks": " ",
    "lines": " \n",
    "hashes": "#",
    "flags": "--no ",
    "settings": "Steps: 1, ",
    "entities": "&amp;",
    "choices": "[a|b|c|d|e|f|g]",
    "weights": "(a:1.",
    "spaced letters": "n u d e ",
    "hits": "naked, ",
    "unknown words": "qwzx vbnm ",
    "ideographs": "裸体",
}


def judge(text: str) -> None:
    """The whole policy, with nothing remembered."""
    policy = judging.default_policy()
    policy.forget()
    policy.judge(request_of(text), Place(guild_id=0))


READERS: dict[str, Callable[[str], object]] = {"split": split, "fold": fold, "branches": branches, "judge": judge}


def least_seconds(reader: Callable[[str], object], text: str, tries: int) -> float:
    """The least CPU time of `tries` calls: what the machine does beside can only add to it."""
    found: list[float] = []
    for _ in range(tries):
        started = time.process_time()
        reader(text)
        found.append(time.process_time() - started)
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=1_000, help="characters of the short text")
    parser.add_argument("--times", type=int, default=4, help="how many times longer the long one is")
    parser.add_argument("--tries", type=int, default=5)
    options = parser.parse_args()
    judging.MAX_CHARACTERS = options.size * options.times  # the length check would make everything trivially fast
    judge("1girl")  # loading is not counted
    for name, reader in READERS.items():
        for kind, unit in UNITS.items():
            texts = [(unit * size)[:size] for size in (options.size, options.size * options.times)]
            short, long = (least_seconds(reader, text, options.tries) for text in texts)
            print(f"{name:9} {kind:15} {1000 * short:8.2f} ms   growth {long / short / options.times:5.2f}", flush=True)


if __name__ == "__main__":
    main()
