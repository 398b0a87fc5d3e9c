"""Rules over found terms: which of them fire, and where.

The order of comma-separated tags never matters: "prompt" looks at everything, the others within one part only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.policy.matching import Hit
from engine.policy.rules import Rule

NEAR = 8
"""How many words may lie between the terms of a rule with scope "near"."""

CLOSE = 1
"""The same for scope "close"."""

_REACH = {"near": NEAR, "close": CLOSE}

_MAX_HITS = 30
"""How many hits of a group are tried: a limit for texts that repeat one word."""


@dataclass(frozen=True, slots=True)
class Firing:
    """A rule that fired, and the hits that made it fire; `excused` if only in tags with one of its `none` words."""

    rule: Rule
    hits: tuple[Hit, ...]
    excused: bool = False


Groups = Mapping[str, Sequence[Hit]]


def fire(rules: Iterable[Rule], found: Groups, negative: Groups) -> list[Firing]:
    """The rules whose groups are all met; `negative` holds what the negative prompt names."""
    firings: list[Firing] = []
    for rule in rules:
        named = all(group in found for group in rule.all) and all(group in negative for group in rule.negative)
        if named and not any(group in found for group in rule.unless):
            firing = _meet(rule, found)
            if firing is not None:
                firings.append(firing)
    return firings


def _meet(rule: Rule, found: Groups) -> Firing | None:
    """The rule with the hits that make it fire, the least excused ones, or None."""
    excused = {hit.tag for group in rule.none for hit in found.get(group, ())}
    if rule.scope == "prompt":
        hits = [sorted(found[group], key=lambda hit: hit.tag in excused) for group in rule.all]
        chosen = _choose(hits, reach=None)
        return Firing(rule, chosen, excused.issuperset(hit.tag for hit in chosen)) if chosen else None
    tags = set.intersection(*({hit.tag for hit in found[group]} for group in rule.all))
    for tag in sorted(tags, key=lambda tag: (tag in excused, tag)):
        hits = [[hit for hit in found[group] if hit.tag == tag] for group in rule.all]
        chosen = _choose(hits, reach=_REACH.get(rule.scope))
        if chosen:
            return Firing(rule, chosen, tag in excused)
    return None


def _choose(groups: Sequence[Sequence[Hit]], *, reach: int | None) -> tuple[Hit, ...] | None:
    """One hit of each group, none sharing a word with another, and within reach of the first; None if there is none."""
    for anchor in groups[0][:_MAX_HITS]:
        chosen = [anchor]
        for group in groups[1:]:
            fitting = (
                hit
                for hit in group[:_MAX_HITS]
                if all(_gap(hit, other) >= 0 for other in chosen) and (reach is None or _gap(anchor, hit) <= reach)
            )
            hit = next(fitting, None)
            if hit is None:
                break
            chosen.append(hit)
        else:
            return tuple(chosen)
    return None


def _gap(one: Hit, other: Hit) -> int:
    """How many words lie between two hits; negative when they share some."""
    return max(one.first, other.first) - min(one.last, other.last) - 1
