"""Which scores withhold a picture, where, and under which clause.

A limit adds up a model's classes and says from which sum on a picture is withheld, for each `SafetyLevel` and, whatever
the place, for the strict check (a prompt with an age word, a start picture). None: not judged there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from domain import SafetyLevel, SafetyReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Sums from `at[level]` on (or `strict`, if lower) are unsafe. `strict_clause` replaces `clause` then."""

    name: str
    scores: tuple[str, ...]
    clause: str
    strict_clause: str
    strict: float
    at: Mapping[SafetyLevel, float | None]

    def value(self, level: SafetyLevel, strict: bool) -> float | None:
        here = self.at[level]
        if not strict:
            return here
        return self.strict if here is None else min(here, self.strict)

    def reached(self, scores: Mapping[str, float], level: SafetyLevel, strict: bool) -> bool:
        """Whether the sum of the scores is at the limit; a model that was not asked adds nothing."""
        limit = self.value(level, strict)
        return limit is not None and sum(scores.get(name, 0.0) for name in self.scores) >= limit


def _levels(strict: float | None, standard: float | None, adult: float | None) -> dict[SafetyLevel, float | None]:
    return {SafetyLevel.STRICT: strict, SafetyLevel.STANDARD: standard, SafetyLevel.ADULT: adult}


LIMITS: tuple[Limit, ...] = (
    Limit(
        name="explicit drawing or photo",
        scores=("nsfwjs.hentai", "nsfwjs.porn"),
        clause="adult",
        strict_clause="b",
        strict=0.35,
        at=_levels(0.55, 0.7, None),
    ),
    Limit(
        name="suggestive",
        scores=("nsfwjs.hentai", "nsfwjs.porn", "nsfwjs.sexy"),
        clause="adult",
        strict_clause="b",
        strict=0.5,
        at=_levels(0.9, None, None),
    ),
    Limit(
        name="nudity in a photo",
        scores=("open_nsfw.nsfw",),
        clause="adult",
        strict_clause="b",
        strict=0.35,
        at=_levels(0.6, 0.8, None),
    ),
    Limit(
        name="sexual content",
        scores=("shock.sexual",),
        clause="adult",
        strict_clause="b",
        strict=0.5,
        at=_levels(0.75, 0.85, None),
    ),
    Limit(
        name="gore",
        scores=("shock.graphic",),
        clause="gore",
        strict_clause="gore",
        strict=0.6,
        at=_levels(0.75, 0.85, 0.85),
    ),
)


def judge_scores(scores: Mapping[str, float], level: SafetyLevel, *, strict: bool = False) -> SafetyReport:
    """The verdict on one picture: unsafe as soon as one limit is reached; the first in the list names the clause."""
    for limit in LIMITS:
        if limit.reached(scores, level, strict):
            clause = limit.strict_clause if strict else limit.clause
            return SafetyReport(verdict="unsafe", scores=scores, clause=clause)
    return SafetyReport(verdict="safe", scores=scores)
