"""Find words that the policy respells into an accusation: nobody may be accused over a spelling that was guessed.

    python scripts/respelt_words.py FILE…

Every different word of the files (JSON lines with "prompt", CSV files with a column "prompt" or "tag", or plain text)
is judged beside a word on the other axis of each hard rule, by the rules alone. Printed is each word whose prompt is
refused under clause b or a hard rule as respelt, but not as written; then how many words there were. Status 1 if any.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from domain import Action, Place, Verdict
from engine.policy.__main__ import request_of
from engine.policy.judging import Policy
from engine.policy.rules import default_rules

CHANNEL = Place(guild_id=0)
GROWN_UP = Place(guild_id=0, age_restricted=True, adult_opt_in=True)
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands beside the word, and where it is asked for."""

    text: str
    place: Place


FRAMES = (
    Frame("children, {}", CHANNEL),
    Frame("children {}", CHANNEL),
    Frame("nude, {}", GROWN_UP),
    Frame("nude {}", GROWN_UP),
    Frame("donald trump, {}", GROWN_UP),
    Frame("{}", GROWN_UP),
)


@dataclass(frozen=True, slots=True)
class Accusation:
    """A word that is accused as respelt only, the frame, and the rules."""

    word: str
    frame: str
    rules: tuple[str, ...]


@lru_cache(maxsize=1)
def _policies() -> tuple[Policy, Policy]:
    """The rules with and without respelling."""
    return Policy(default_rules()), Policy(default_rules(), respells=False)


def accusations(words: Iterable[str]) -> Iterator[Accusation]:
    """The words that are accused as respelt, not as written."""
    respelling, literal = _policies()
    for word in words:
        for frame in FRAMES:
            request = request_of(frame.text.format(word))
            verdict = respelling.judge(request, frame.place)
            if is_accused(verdict) and not is_accused(literal.judge(request, frame.place)):
                yield Accusation(word, frame.text, verdict.rules)
                break


def is_accused(verdict: Verdict) -> bool:
    """Whether the verdict is a strike at once: a refusal under clause b or a hard rule."""
    return verdict.action is Action.REFUSE and (verdict.clause == "b" or verdict.tier == "hard")


def words_of(prompts: Iterable[str]) -> list[str]:
    """Every different word, with and without the marks around it."""
    found: set[str] = set()
    for prompt in prompts:
        text = prompt.casefold()
        found.update(text.split())
        found.update(re.findall(r"[\w'-]+", text))
        found.update(re.findall(r"[^\W_]+", text))
    return sorted(word for word in found if len(word) < _LONGEST)


def prompts_of(path: Path) -> Iterator[str]:
    """The prompts of a file of JSON lines, of a CSV file, or of plain text."""
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            yield from (str(json.loads(line)["prompt"]) for line in file)
        elif path.suffix == ".csv":
            yield from (row.get("prompt") or row["tag"] for row in csv.DictReader(file))
        else:
            yield from file


def main(files: list[str]) -> int:
    words = words_of(prompt for file in files for prompt in prompts_of(Path(file)))
    found = list(accusations(words))
    for accusation in found:
        print(accusation.word, accusation.frame, *accusation.rules, sep="\t")
    print(f"{len(words)} different words, {len(found)} of them accused as respelt only")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
