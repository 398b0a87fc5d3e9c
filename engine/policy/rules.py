"""Rules as data: what a rule is, and how the TOML files under `rules/` become a rule set.

A file may hold `[groups]` (name → list of terms), `allow` (phrases whose words never count) and `[[rule]]` tables.
The terms of a file that says `foreign = true` are found as written only: misspelt names would hit too many of them.
A rule fires when every group of `all` is met: anywhere in the prompt, within one tag, or within a few words (`scope`
"prompt", "tag", "near", "close"). Terms of `none` excuse the tags that they stand in: hits in such tags alone don't
count; those of `unless` excuse the whole prompt. `negative` lists groups that the negative prompt must name too.
The semantic model overrules no rule that is `firm`: it doesn't know the names that such a rule looks for.
It overrules one that is `ambiguous` as easily as one of tier "doubt": curses and slurs are quoted, too.
Terms: `nude` (a whole word, its plural too), `decapitat*`, `*porn` and `*nackt*` (open ends), phrases of several
words; `=oral` (a comma-separated part of its own, nothing in a sentence); `@name` stands for all terms of that group.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

SCOPES = ("prompt", "tag", "near", "close")
RULE_SET = "2026.11.28"
"""The version that every verdict carries; the newest of the files' own versions."""

RULES_FOLDER = Path(__file__).with_name("rules")


class Tier(StrEnum):
    """How a rule that fires is treated; worst first. A tier nobody knows is read as hard."""

    HARD = "hard"  # refused everywhere, no moderator can allow it
    BLOCK = "block"  # refused everywhere, can be appealed
    DOUBT = "doubt"  # as block, unless the semantic score finds the tag of its words harmless
    AGE_RESTRICTED_ONLY = "age_restricted_only"  # refused except in age-restricted, opted-in channels
    REVIEW = "review"  # painted, but the picture is judged more strictly

    @classmethod
    def _missing_(cls, value: object) -> Tier:
        return cls.HARD


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of the policy; `clause` is a letter of Attachment A or a house rule's name."""

    id: str
    clause: str
    tier: Tier
    all: tuple[str, ...]
    none: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    scope: str = "prompt"
    firm: bool = False
    ambiguous: bool = False
    example: str = ""
    counter_example: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """Everything the rule engine knows; compare by `version`."""

    version: str
    groups: Mapping[str, tuple[str, ...]] = field(repr=False)
    rules: tuple[Rule, ...] = field(repr=False)
    allow: tuple[str, ...] = field(default=(), repr=False)
    foreign: frozenset[str] = field(default=frozenset(), repr=False)

    def __post_init__(self) -> None:
        known = set(self.groups)
        for rule in self.rules:
            missing = {*rule.all, *rule.none, *rule.unless, *rule.negative} - known
            if missing or not rule.all or rule.scope not in SCOPES:
                raise ValueError(f"rule {rule.id}: unknown groups {sorted(missing)}, no group at all or unknown scope")


def load_rules(folder: Path = RULES_FOLDER) -> RuleSet:
    """The rule set of all TOML files in `folder`; raises ValueError when they don't fit together."""
    documents = [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.toml"))]
    return assemble(documents)


def assemble(documents: Iterable[Mapping[str, Any]]) -> RuleSet:
    """One rule set of parsed TOML documents; groups of the same name are joined, rule ids must be unique."""
    groups: dict[str, list[str]] = {}
    rules: dict[str, Rule] = {}
    allow: list[str] = []
    foreign: set[str] = set()
    version = ""
    for document in documents:
        version = max(version, str(document.get("version", "")))
        allow += document.get("allow", [])
        for name, terms in document.get("groups", {}).items():
            groups.setdefault(name, []).extend(terms)
            foreign.update(terms if document.get("foreign") else ())
        for entry in document.get("rule", []):
            rule = _rule(entry, groups)
            if rule.id in rules:
                raise ValueError(f"two rules are called {rule.id}")
            rules[rule.id] = rule
    frozen = {name: tuple(dict.fromkeys(_spread(terms, groups))) for name, terms in groups.items()}
    return RuleSet(
        version=version, groups=frozen, rules=tuple(rules.values()), allow=tuple(allow), foreign=frozenset(foreign)
    )


def _spread(terms: Iterable[str], groups: Mapping[str, list[str]], depth: int = 3) -> Iterator[str]:
    """The terms with every `@name` replaced by that group's terms."""
    for term in terms:
        if not term.startswith("@"):
            yield term
        elif depth and term[1:] in groups:
            yield from _spread(groups[term[1:]], groups, depth - 1)
        else:
            raise ValueError(f"{term}: no such group, or groups that contain each other")


def _rule(entry: Mapping[str, Any], groups: dict[str, list[str]]) -> Rule:
    """A rule's own `terms` become a group that bears its id."""
    needed = tuple(entry.get("all", ()))
    if "terms" in entry:
        groups.setdefault(entry["id"], []).extend(entry["terms"])
        needed = (entry["id"], *needed)
    return Rule(
        id=entry["id"],
        clause=entry["clause"],
        tier=Tier(entry.get("tier", "hard")),
        all=needed,
        none=tuple(entry.get("none", ())),
        unless=tuple(entry.get("unless", ())),
        negative=tuple(entry.get("negative", ())),
        scope=entry.get("scope", "prompt"),
        firm=entry.get("firm", False),
        ambiguous=entry.get("ambiguous", False),
        example=entry.get("example", ""),
        counter_example=entry.get("counter_example", ""),
    )


@lru_cache(maxsize=1)
def default_rules() -> RuleSet:
    """The rules the bot ships with."""
    return load_rules()
