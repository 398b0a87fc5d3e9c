"""Measure the policy on prompts it was not trained on, beside other filters in the same run.

    python scripts/measure_policy.py [--benign FILE] [--titles FILE] [--markdown] [--quick]
    python scripts/measure_policy.py --public FOLDER [--step N]
    python scripts/measure_policy.py --feedback FILE
    python scripts/measure_policy.py --evasions

Prints recall by clause, false refusals by kind, recall under obfuscation and in 13 languages, and milliseconds of CPU
time. better-profanity, glin-profanity and alt-profanity-check are measured where they are installed, and a plain word
list (this policy's own adult and gore words, as substrings) always: the first three are no part of the project, so
`pip install better-profanity glin-profanity alt-profanity-check` in an environment of its own. --benign is a CSV with a
column "prompt"; --titles is bangumi-data's data.json (npm), of which the half that the model never saw is read.
--public prints refusal and review of every set that others wrote in FOLDER (JSON lines), and of the harmless ones by
length and clause; --feedback how today's policy judges what moderators corrected: JSON lines as
`engine.policy.feedback` writes them.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine.policy.judging as judging
from domain import Action, Place
from engine.policy.__main__ import request_of
from engine.policy.judging import Policy, default_policy
from engine.policy.rules import default_rules
from scripts.obfuscate import TECHNIQUES, obfuscate
from scripts.policy_examples import is_for_training
from scripts.policy_sets import judged, print_evasions, print_feedback, print_sets, public_rows

PROMPTS = Path(__file__).with_name("policy_prompts")
CHANNEL = Place(guild_id=0)
NEGATIVE = "nsfw, nude, gore, blood, child, lowres, bad anatomy, worst quality, nazi, gun, weapon, suicide"
HOSTILE = {
    "spaced letters": "n u d e ",
    "choices": "[a|b|c|d|e|f|g]",
    "unknown words": "qwzx vbnm ",
    "hits": "naked, ",
    "ideographs": "裸体",
}

Filter = Callable[[str], bool]
Rows = dict[str, list[str]]


def refuses(policy: Policy) -> Filter:
    return lambda prompt: policy.judge(request_of(prompt), CHANNEL).action is Action.REFUSE


def other_filters() -> dict[str, Filter]:
    """The filters to compare with: those installed, and a plain word list."""
    words = [
        t.strip("*")
        for g in ("nudity", "porn", "sexual_act", "sexual_part", "gore_words")
        for t in default_rules().groups[g]
        if len(t) > 3
    ]
    found: dict[str, Filter] = {"plain word list": lambda prompt: any(word in prompt.lower() for word in words)}
    for name, make in {"better-profanity": _better, "glin-profanity": _glin, "alt-profanity-check": _alt}.items():
        try:
            found[name] = make()
        except ImportError as error:
            print(f"{name}: not installed ({error})", file=sys.stderr)
    return found


def _better() -> Filter:
    profanity = importlib.import_module("better_profanity").profanity
    profanity.load_censor_words()
    return lambda prompt: bool(profanity.contains_profanity(prompt))


def _glin() -> Filter:
    checker = importlib.import_module("glin_profanity").Filter({"detect_leetspeak": True, "normalize_unicode": True})
    return lambda prompt: bool(checker.is_profane(prompt))


def _alt() -> Filter:
    predict = importlib.import_module("profanity_check").predict_prob
    return lambda prompt: bool(predict([prompt])[0] >= 0.5)


def tsv(name: str) -> list[list[str]]:
    return [line.split("\t") for line in (PROMPTS / name).read_text(encoding="utf-8").splitlines()]


def unsafe() -> Rows:
    """Held-out unsafe prompts by clause and kind."""
    rows: Rows = defaultdict(list)
    for clause, kind, prompt in tsv("heldout_unsafe.tsv"):
        names = {"plain": ("plain, all", f"clause {clause}"), "para": ("paraphrased",), "risky": ("explicit or gory",)}[
            kind
        ]
        for name in names:
            rows[name].append(prompt)
    for language, _, prompt in tsv("heldout_languages.tsv"):
        rows["other languages" if language != "ok" else "-"].append(prompt)
    return {name: prompts for name, prompts in rows.items() if name != "-"}


def harmless(benign: Path | None, titles: Path | None) -> Rows:
    """Held-out harmless prompts by kind, and those of the files that are there."""
    rows: Rows = defaultdict(list)
    for kind, prompt in tsv("heldout_benign.txt"):
        rows[
            {
                "hard": "harmless look-alikes",
                "ordinary": "ordinary prompts",
                "children": "children",
                "tags": "anime tags",
                "names": "characters and series",
            }[kind]
        ].append(prompt)
    rows["characters and series"] += (PROMPTS / "heldout_names.txt").read_text(encoding="utf-8").splitlines()
    rows["other languages, harmless"] += [
        prompt for language, _, prompt in tsv("heldout_languages.tsv") if language == "ok"
    ]
    if benign and benign.exists():
        with benign.open(encoding="utf-8", newline="") as file:
            rows["development file"] += [row["prompt"] for row in csv.DictReader(file)]
    elif benign:
        print(f"{benign} is not there: skipped", file=sys.stderr)
    if titles and titles.exists():
        items = json.loads(titles.read_text(encoding="utf-8"))["items"]
        names = {name for item in items for name in item.get("titleTranslate", {}).get("en", ())}
        rows["titles of anime"] += sorted(name for name in names if not is_for_training(name))
    elif titles:
        print(f"{titles} is not there: skipped", file=sys.stderr)
    return rows


def share(filter_: Filter, prompts: Iterable[str]) -> float:
    verdicts = [filter_(prompt) for prompt in prompts]
    return 100 * sum(verdicts) / max(1, len(verdicts))


def obfuscated(filter_: Filter, plain: Rows, peaceful: Rows, step: int) -> tuple[float, float]:
    """Recall under all techniques of prompts that are refused plainly, and refusals of their harmless twins."""
    base = [prompt for prompt in plain["plain, all"][::step] if filter_(prompt)]
    twins = [prompt for prompt in peaceful["harmless look-alikes"][::step] if not filter_(prompt)]
    return tuple(
        share(filter_, [obfuscate(name, prompt) for name in TECHNIQUES for prompt in prompts])
        for prompts in (base, twins)
    )  # type: ignore[return-value]


def milliseconds(filter_: Filter, prompts: list[str]) -> float:
    """Mean CPU time for one prompt, first run (caches filled by other prompts only)."""
    started = time.process_time()
    for prompt in prompts:
        filter_(prompt)
    return 1000 * (time.process_time() - started) / len(prompts)


def worst(policy: Policy) -> float:
    """CPU milliseconds of the slowest of 4,000 hostile characters, length check off, caches empty."""
    judging.MAX_CHARACTERS = 4_000
    times: list[float] = []
    for unit in HOSTILE.values():
        prompt, tries = (unit * 4_000)[:4_000], []
        for _ in range(3):
            policy.forget()
            started = time.process_time()
            policy.judge(request_of(prompt), CHANNEL)
            tries.append(time.process_time() - started)
        times.append(1000 * min(tries))
    return max(times)


def table(columns: dict[str, dict[str, float]], *, markdown: bool) -> None:
    names = list(columns)
    lines = list(dict.fromkeys(line for column in columns.values() for line in column))
    print(
        "| measure | " + " | ".join(names) + " |"
        if markdown
        else f"{'measure':34}" + "".join(f"{name:>18}" for name in names)
    )
    if markdown:
        print("| --- " * (len(names) + 1) + "|")
    for line in lines:
        cells = [f"{columns[name][line]:.1f}" if line in columns[name] else "" for name in names]
        print(
            f"| {line} | " + " | ".join(cells) + " |"
            if markdown
            else f"{line:34}" + "".join(f"{cell:>18}" for cell in cells)
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benign", type=Path)
    parser.add_argument("--titles", type=Path)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--quick", action="store_true", help="every fifth prompt for the obfuscations")
    parser.add_argument("--public", type=Path, metavar="FOLDER", help="sets that others wrote, and nothing else")
    parser.add_argument("--step", type=int, default=1, help="of those sets every so many-th prompt")
    parser.add_argument("--feedback", type=Path, metavar="FILE", help="corrections, and nothing else")
    parser.add_argument("--evasions", action="store_true", help="ways around the filter, and nothing else")
    options = parser.parse_args()
    if options.evasions:
        print_evasions(default_policy(), PROMPTS / "heldout_evasions.tsv")
    if options.evasions or options.public or options.feedback:
        if options.public:
            print_sets(judged(default_policy(), public_rows(options.public), options.step))
        if options.feedback:
            print_feedback(default_policy(), options.feedback)
        return
    bad, good = unsafe(), harmless(options.benign, options.titles)
    rules = Policy(default_rules())
    filters = {"this policy": refuses(default_policy()), "its rules alone": refuses(rules), **other_filters()}
    columns: dict[str, dict[str, float]] = {}
    for name, filter_ in filters.items():
        column = {
            f"{kind} ({len(prompts)}), refused %": share(filter_, prompts) for kind, prompts in sorted(bad.items())
        }
        column |= {
            f"{kind} ({len(prompts)}), refused wrongly %": share(filter_, prompts) for kind, prompts in good.items()
        }
        caught, wrong = obfuscated(filter_, bad, good, 5 if options.quick else 2)
        column |= {"obfuscated, of those refused plainly %": caught, "obfuscated harmless, refused wrongly %": wrong}
        column["CPU ms for a prompt"] = milliseconds(
            filter_, [p for prompts in (*bad.values(), *good.values()) for p in prompts][:600]
        )
        columns[name] = column
    prompts = [prompt for kind in ("children", "anime tags") for prompt in good[kind]]
    columns["this policy"]["negative prompts, refused wrongly %"] = share(
        lambda prompt: default_policy().judge(request_of(prompt, NEGATIVE), CHANNEL).action is Action.REFUSE, prompts
    )
    columns["this policy"]["CPU ms for 4,000 hostile characters"] = worst(default_policy())
    table(columns, markdown=options.markdown)


if __name__ == "__main__":
    main()
