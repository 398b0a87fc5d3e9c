"""What the policy's semantic model learns from: labelled prompts, written, composed and gathered."""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import tomllib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from domain import Action, Place
from engine.policy.__main__ import request_of
from engine.policy.judging import Policy
from engine.policy.rules import default_rules
from scripts.policy_long_prompts import LongPrompts, fill

PROMPTS = Path(__file__).with_name("policy_prompts")
SENTENCES = 9_000
CATEGORIES = {
    "sexual_adult": "adult", "violence_gore": "gore", "self_harm": "self_harm", "hate": "i", "harassment": "e",
    "illegal": "a",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and its label: "ok", a clause or a house rule. `kind` tells written prompts from what only helps."""

    label: str
    text: str
    weight: float
    kind: str


def written(name: str) -> Iterator[Example]:
    """Hand-written prompts; `# x` sets the label of the lines below it."""
    label = "ok"
    for line in (PROMPTS / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            label = line[2:]
        elif line:
            yield Example(label, line, 2.0, "written")


@cache
def templates(name: str = "templates.toml") -> dict[str, Any]:
    return tomllib.loads((PROMPTS / name).read_text(encoding="utf-8"))


def composed(name: str, seed: int) -> Iterator[Example]:
    """Prompts made from a file of templates: each slot filled at random."""
    document, dice = templates(name), random.Random(seed)
    for template in document["template"]:
        for _ in range(template["count"]):
            text = fill(dice.choice(template["texts"]), document["slots"], dice)
            yield Example(template["label"], text, 1.0, name.removesuffix(".toml"))


def long_harmless(prompts: LongPrompts, seed: int) -> Iterator[Example]:
    dice = random.Random(seed)
    for style in prompts.styles:
        yield from (Example("ok", prompts.harmless(style, dice), 1.0, "long") for _ in range(style.count))


def harmless(path: Path) -> Iterator[Example]:
    """The column "prompt" of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from (Example("ok", row["prompt"], 1.0, "prompt") for row in csv.DictReader(file))


def rated(path: Path) -> Iterator[Example]:
    """Unsafe prompts of a CSV file whose text, not only whose picture, at least four of five raters called unsafe."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found = re.search(r"text unsafe ([\d.]+)", row["evidence"])
            if found and float(found.group(1)) >= 0.8 and row["category"] in CATEGORIES:
                yield Example(CATEGORIES[row["category"]], row["prompt"], 0.5, "rated")


def sentences(folder: Path) -> Iterator[Example]:
    """WordNet's examples of how words are used, those that no rule refuses; the same ones each time."""
    found: set[str] = set()
    for part in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{part}").read_text(encoding="utf-8").splitlines():
            found.update(text.strip(" ;") for text in re.findall(r'"([^"]{12,120})"', line.partition("| ")[2]))
    chosen = sorted(found)
    random.Random(3).shuffle(chosen)
    yield from (Example("ok", text, 0.4, "sentence") for text in chosen[:SENTENCES] if not fires(text))


def titles(path: Path) -> Iterator[Example]:
    """English titles of anime, the half whose checksum is even."""
    items = json.loads(path.read_text(encoding="utf-8"))["items"]
    names = {name for item in items for name in item.get("titleTranslate", {}).get("en", ())}
    yield from (
        Example("ok", name, 1.0, "title") for name in sorted(names) if is_for_training(name) and not fires(name)
    )


def is_for_training(name: str) -> bool:
    return zlib.crc32(name.encode()) % 2 == 0


@cache
def rules_alone() -> Policy:
    return Policy(default_rules())


def fires(text: str) -> bool:
    """Whether a rule has a word against `text`: such an example would teach the opposite of the rules."""
    return rules_alone().judge(request_of(text), Place(guild_id=0)).action is not Action.ALLOW


def twins(example: Example, prompts: LongPrompts, seed: int) -> Iterator[Example]:
    """The example; half also with a style around it, a fifth among harmless tags, a quarter in a long prompt.

    So a style means nothing, and neither does what stands beside a forbidden thing.
    """
    slots, dice = templates()["slots"], random.Random(seed)
    yield example
    if dice.random() < 1 / 2:
        text = f"{dice.choice(slots['style'])} {example.text}{dice.choice(slots['tail'])}".strip()
        yield replace(example, text=text, weight=example.weight / 2, kind="styled")
    if dice.random() < 1 / 5:
        tags = dice.sample(slots["dan"], dice.randint(2, 12))
        at = dice.randint(0, len(tags))
        text = dice.choice((", ", ", ", ". ")).join([*tags[:at], example.text, *tags[at:]])
        yield replace(example, text=text, weight=example.weight / 2, kind="among tags")
    if dice.random() < 1 / 4:
        yield hidden(example, prompts, dice)


def hidden(example: Example, prompts: LongPrompts, dice: random.Random) -> Example:
    """The example somewhere in a long harmless prompt; a forbidden one among nothing about children."""
    text = prompts.around(example.text, dice, grown_up=example.label != "ok")
    return replace(example, text=text, weight=1.0, kind="hidden")


def framed(example: Example, prompts: LongPrompts, seed: int) -> Iterator[Example]:
    """The example; an eighth of them also in a long prompt."""
    dice = random.Random(seed)
    yield example
    if dice.random() < 1 / 8:
        yield hidden(example, prompts, dice)


def gather(arguments: argparse.Namespace) -> list[list[Example]]:
    """Examples that stay together when some are held out: a written prompt with its twins, others alone."""
    lines = [example for path in sorted(PROMPTS.glob("written_*.txt")) for example in written(path.name)]
    prompts = LongPrompts(PROMPTS / "long.toml", [line.text for line in lines if line.label == "ok"])
    groups = [list(twins(line, prompts, index)) for index, line in enumerate(lines)]
    groups += [list(framed(line, prompts, index)) for index, line in enumerate(composed("frames.toml", 8))]
    groups += [[example] for example in [*composed("templates.toml", 7), *long_harmless(prompts, 9)]]
    sources = (
        (harmless, arguments.benign), (rated, arguments.unsafe), (sentences, arguments.sentences),
        (titles, arguments.titles),
    )  # fmt: skip
    groups += [[example] for read, path in sources if path for example in read(path)]
    random.Random(1).shuffle(groups)
    return groups
