"""Throw hostile text at the policy until time is up; stop at the first crash or slow prompt.

    nice -n 19 python scripts/fuzz_policy.py --minutes 10 [--seed N]

Every prompt must be judged without an error, within --limit milliseconds of CPU time (4,000 characters at most, judged
with the length check off), and give the same verdict twice. Prints the seed of each find so that it can be repeated.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine.policy.judging as judging
from domain import Place
from engine.policy.__main__ import request_of

LONGEST = 4_000
SYNTAX = [
    "(",
    ")",
    "[",
    "]",
    "|",
    ":",
    "AND",
    " BREAK ",
    "\\",
    "<lora:",
    ">",
    "{",
    "}",
    ",",
    ":0.5]",
    "((",
    "))",
    "&amp;",
    "&#x",
    "%4",
    "\\n",
]
INVISIBLE = [
    "\u200b",
    "\u200d",
    "\u202e",
    "\u202c",
    "\u00ad",
    "\u0301",
    "\u0489",
    "\ufe0f",
    "\u2060",
    "\u3164",
    "\x00",
    "\ud800",
]


def snippet(dice: random.Random, words: list[str]) -> str:
    """A few characters of one of many kinds."""
    kind = dice.randrange(10)
    if kind < 3:
        return dice.choice(words)
    if kind == 3:
        return dice.choice(SYNTAX) * dice.choice([1, 1, 2, 30])
    if kind == 4:
        return dice.choice(INVISIBLE) * dice.choice([1, 5, 60])
    if kind == 5:
        return chr(dice.choice([dice.randrange(128), dice.randrange(0x3000), dice.randrange(0x110000)])) * dice.choice(
            [1, 1, 9]
        )
    if kind == 6:
        return dice.choice([" ", ".", "-", "*", "_"]).join(dice.choice(words))
    if kind == 7:
        return "".join(dice.choice("0123456789@$!|+ -") for _ in range(dice.randrange(1, 24)))
    if kind == 8:
        return "".join(dice.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(dice.choice([3, 8, 60])))
    return dice.choice("aeo1 .") * dice.choice([2, 10, 400])


def hostile(dice: random.Random, words: list[str]) -> str:
    """One prompt: snippets side by side, or one snippet over and over."""
    if dice.random() < 0.2:
        unit = snippet(dice, words) + dice.choice(["", " ", ",", "\n"])
        return (unit * (LONGEST // max(1, len(unit)) + 1))[: dice.randrange(LONGEST)]
    parts: list[str] = []
    size = dice.randrange(LONGEST)
    while sum(map(len, parts)) < size:
        parts.append(snippet(dice, words) + dice.choice(["", " ", " ", ", "]))
    return "".join(parts)[:LONGEST]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=100, help="milliseconds of CPU time for one prompt")
    options = parser.parse_args()
    judging.MAX_CHARACTERS = LONGEST  # the length check would make everything trivially fast
    policy = judging.default_policy()
    words = sorted(
        {word for terms in policy.rules.groups.values() for term in terms for word in term.replace("*", "").split()}
    )
    until, seed, slowest = time.monotonic() + 60 * options.minutes, options.seed, 0.0
    while time.monotonic() < until:
        prompt = hostile(random.Random(seed), words)
        started = time.process_time()
        verdict = policy.judge(request_of(prompt, prompt[:200]), Place(guild_id=1))
        spent = 1000 * (time.process_time() - started)
        if spent > options.limit and _again(policy, prompt) > options.limit:
            print(f"seed {seed}: {spent:.0f} ms for {prompt[:200]!r}")
            return 1
        if verdict != policy.judge(request_of(prompt, prompt[:200]), Place(guild_id=1)):
            print(f"seed {seed}: two verdicts for {prompt[:200]!r}")
            return 1
        slowest, seed = max(slowest, spent), seed + 1
    print(f"{seed - options.seed} prompts, slowest {slowest:.1f} ms, no find")
    return 0


def _again(policy: judging.Policy, prompt: str) -> float:
    """The time of a second try, so that a pause of the machine is no find; caches are emptied first."""
    policy.forget()
    started = time.process_time()
    policy.judge(request_of(prompt, prompt[:200]), Place(guild_id=1))
    return 1000 * (time.process_time() - started)


if __name__ == "__main__":
    sys.exit(main())
