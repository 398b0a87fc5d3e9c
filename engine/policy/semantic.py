"""The semantic score: how much a prompt reads like one that a clause forbids, whatever its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.policy.tokens import Token


@dataclass(frozen=True, slots=True)
class Opinion:
    """Probability by clause, and the two thresholds of each: refuse at, review at."""

    scores: Mapping[str, float]
    refuse_at: Mapping[str, float]
    review_at: Mapping[str, float]


class SemanticModel:
    def opinion(self, tokens: list[Token]) -> Opinion:
        return Opinion({}, {}, {})


def default_model() -> SemanticModel | None:
    return None
