"""Sets that others wrote, and moderators' corrections: refusal and review by set, by length and by clause."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from domain import Action, Place, Verdict
from domain.corrections import Ruling
from engine.policy.__main__ import request_of
from engine.policy.feedback import read_feedback
from engine.policy.judging import MAX_CHARACTERS, Policy

CHANNEL = Place(guild_id=0)
HARMLESS = (
    "parti", "coco_2000", "tifa", "t2i_compbench_val", "dpg", "oneig_anime", "oneig_other", "diffusiondb_4000",
    "krea_1k",
)  # fmt: skip
LENGTHS = (0, 8, 15, 25, 40, 60, 90, 130, 1_000)


@dataclass(frozen=True, slots=True)
class Judged:
    """One prompt of a set with its verdict."""

    name: str
    words: int
    verdict: Verdict

    @property
    def is_by_model_alone(self) -> bool:
        return all(rule.startswith("semantic.") for rule in self.verdict.rules)


def public_rows(folder: Path) -> Iterator[tuple[str, str]]:
    """(set, prompt) of every JSON-lines file in `folder`, a set's labels parted; the CSV of Danbooru tags by class."""
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            label = row.get("label")
            group = " copyright" if file.stem == "overt_unsafe" and str(row.get("g")).startswith("copyright") else ""
            yield f"{file.stem}{group}{f' {label}' if label else ''}", str(row["prompt"])
    for file in sorted(folder.glob("*.csv")):
        with file.open(encoding="utf-8", newline="") as source:
            for row in csv.DictReader(source):
                kind = "sex_act" if row["class"] == "sex_act" else "others"
                yield f"{file.stem} {kind}", f"1girl, solo, {row['tag']}, looking at viewer"


def judged(policy: Policy, rows: Iterable[tuple[str, str]], step: int = 1) -> list[Judged]:
    """Every `step`-th row judged in an ordinary channel."""
    return [
        Judged(name, len(prompt.split()), policy.judge(request_of(prompt[:MAX_CHARACTERS]), CHANNEL))
        for number, (name, prompt) in enumerate(rows)
        if number % step == 0
    ]


def by_set(found: Iterable[Judged]) -> list[list[str]]:
    """Set, rows, refused %, refused by the model alone %, review %, refused in direct messages %, clause b."""
    sets: dict[str, list[Judged]] = defaultdict(list)
    for one in found:
        sets[one.name].append(one)
    return [[name, *_shares(rows)] for name, rows in sorted(sets.items())]


def by_length(found: Iterable[Judged]) -> list[list[str]]:
    """Number of words, then rows and shares as in `by_set`, of the harmless sets; and the clauses that refused."""
    harmless = [one for one in found if one.name in HARMLESS]
    lines: list[list[str]] = []
    for low, high in pairwise(LENGTHS):
        rows = [one for one in harmless if low <= one.words < high]
        if rows:
            clauses = Counter(str(one.verdict.clause) for one in rows if one.verdict.action is Action.REFUSE)
            lines.append([f"{low} to {high - 1} words", *_shares(rows), _percent(clauses, len(rows))])
    return lines


def _percent(clauses: Counter[str], rows: int) -> str:
    return ", ".join(f"{clause} {100 * count / rows:.1f}" for clause, count in clauses.most_common())


def _shares(rows: list[Judged]) -> list[str]:
    refused = [one for one in rows if one.verdict.action is Action.REFUSE]
    reviewed = [one for one in rows if one.verdict.action is Action.REVIEW]
    counts = (
        len(refused),
        sum(one.is_by_model_alone for one in refused),
        len(reviewed),
        len(refused) + sum(one.verdict.clause != "b" for one in reviewed),
    )
    accused = sum(one.verdict.clause == "b" for one in refused)
    return [str(len(rows)), *(f"{100 * count / len(rows):.2f}" for count in counts), str(accused)]


def print_sets(found: list[Judged]) -> None:
    """Both tables as Markdown."""
    head = ["rows", "refused %", "by the model alone %", "review %", "refused in direct messages %", "clause b"]
    _print(["set", *head], by_set(found))
    _print(["harmless, by length", *head, "refused % by clause"], by_length(found))


def print_evasions(policy: Policy, file: Path) -> None:
    """Refusals by kind of evasion that the painter's text encoder can still read: lines of a kind, a tab, a prompt."""
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    found = [Judged(kind, len(prompt.split()), policy.judge(request_of(prompt), CHANNEL)) for kind, prompt in rows]
    head = ["rows", "refused %", "by the model alone %", "review %", "refused in direct messages %", "clause b"]
    _print(["evasion", *head], [*by_set(found), ["all", *_shares(found)]])


def print_feedback(policy: Policy, file: Path) -> None:
    """How today's policy judges what moderators corrected, by clause; what came without words is counted."""
    wordless = 0
    agreed: Counter[tuple[str, str]] = Counter()
    total: Counter[tuple[str, str]] = Counter()
    with file.open(encoding="utf-8") as lines:
        for correction in read_feedback(lines):
            if correction.prompt is None:
                wordless += 1
                continue
            verdict = policy.judge(request_of(correction.prompt, correction.negative_prompt), CHANNEL)
            refused = verdict.action is Action.REFUSE
            key = (correction.clause, correction.ruling.value)
            total[key] += 1
            agreed[key] += refused is (correction.ruling is Ruling.UPHELD)
    rows = [[*key, str(count), f"{100 * agreed[key] / count:.1f}"] for key, count in sorted(total.items())]
    _print(["clause", "what moderators did", "prompts", "agreed with today %"], rows)
    print(f"{wordless} without words, not judged")


def _print(head: list[str], rows: list[list[str]]) -> None:
    for line in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(line)} |")
    print()
