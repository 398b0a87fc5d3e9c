"""Clause b's combination rules over placeholder words: the real lists are data that people review."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from engine.policy.judging import Policy
from engine.policy.rules import default_rules


@lru_cache(maxsize=1)
def policy() -> Policy:
    """The shipped rules of clause b over the axes {ageterm}, {privterm}, {harmterm}."""
    rules = default_rules()
    axes = {"b.age": "ageterm", "b.age-near": "ageterm", "b.sexual-all": "privterm", "b.harm": "harmterm"}
    groups = {name: (axes[name],) if name in axes else () for name in rules.groups}
    groups |= {"b.adult-negative": ("grownterm",), "b.age-number": ("unusedterm",)}
    return Policy(replace(rules, groups=groups, allow=(), foreign=frozenset()))
