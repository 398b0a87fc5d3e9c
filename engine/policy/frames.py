"""Rules over found terms: which of them fire, and where.

The order of comma-separated tags never matters: "prompt" looks at everything, "tag" and "near" within one part only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.policy.matching import Hit
from engine.policy.rules import Rule

NEAR = 8
"""How many words may lie between the terms of a rule with scope "near"."""


@dataclass(frozen=True, slots=True)
class Firing:
    """A rule that fired, and the hits that made it fire."""

    rule: Rule
    hits: tuple[Hit, ...]


Groups = Mapping[str, Sequence[Hit]]


def fire(rules: Iterable[Rule], found: Groups, negative: Groups) -> list[Firing]:
    """The rules whose groups are all met; `negative` holds what the negative prompt names."""
    firings: list[Firing] = []
    for rule in rules:
        if all(group in found for group in rule.all) and all(group in negative for group in rule.negative):
            hits = _meet(rule, found)
            if hits is not None:
                firings.append(Firing(rule, hits))
    return firings


def _meet(rule: Rule, found: Groups) -> tuple[Hit, ...] | None:
    """The hits that make the rule fire, or None."""
    if rule.scope == "prompt":
        if any(group in found for group in rule.none):
            return None
        hits = tuple(hit for group in rule.all for hit in found[group])
        return hits if _are_apart(rule, hits) else None
    tags = set.intersection(*({hit.tag for hit in found[group]} for group in rule.all))
    for tag in sorted(tags):
        if any(hit.tag == tag for group in rule.none for hit in found.get(group, ())):
            continue
        hits = [[hit for hit in found[group] if hit.tag == tag] for group in rule.all]
        if rule.scope != "near" or _are_near(hits):
            met = tuple(hit for group in hits for hit in group)
            if _are_apart(rule, met):
                return met
    return None


def _are_apart(rule: Rule, hits: Sequence[Hit]) -> bool:
    """One word alone never makes a frame: there are as many words as groups."""
    return len({index for hit in hits for index in range(hit.first, hit.last + 1)}) >= len(rule.all)


def _are_near(groups: list[list[Hit]]) -> bool:
    """Whether one hit of each group lies within NEAR words of one hit of the first group."""
    return any(all(any(_gap(anchor, hit) <= NEAR for hit in group) for group in groups[1:]) for anchor in groups[0])


def _gap(one: Hit, other: Hit) -> int:
    return max(one.first, other.first) - min(one.last, other.last) - 1
