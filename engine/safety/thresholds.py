"""Which scores withhold a picture, where, and under which clause.

How the numbers were chosen (docs/safety.md has the table): no picture that deserves to be withheld was looked at, so
recall rests on the models' authors; each limit is set well above what 700 harmless pictures score, and below what the
authors call unsafe.

- "hentai" never passes 0.12 on harmless pictures (flat skin tones) and 0.01 on drawn characters.
- "porn" alone reaches 0.96 on strongly blurred photographs (25 pixels wide, enlarged), where Open-NSFW stays under
  0.03; so the two are averaged, and "porn" counts for itself only when it is all but certain.
- Open-NSFW's authors call less than 0.2 safe and more than 0.8 unsafe; flat skin tones reach 0.29.
- The gore model's package blocks at 0.85 and reviews at 0.35; an all-black picture has 0.47 "sexual".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from domain import SafetyLevel, SafetyReport, SafetyVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A weighted sum of scores that is unsafe from `at[level]` on; None: not judged in such a place.

    The strict check (a prompt with an age word, a start picture) uses `strict` whatever the place, unless the place's
    own limit is lower, and names `strict_clause`.
    """

    name: str
    weights: Mapping[str, float]
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
        """A score that no model gave counts as 0."""
        limit = self.value(level, strict)
        if limit is None:
            return False
        return sum(weight * scores.get(name, 0.0) for name, weight in self.weights.items()) >= limit


def _levels(strict: float | None, standard: float | None, adult: float | None) -> dict[SafetyLevel, float | None]:
    return {SafetyLevel.STRICT: strict, SafetyLevel.STANDARD: standard, SafetyLevel.ADULT: adult}


def _sexual(
    name: str, weights: Mapping[str, float], *, strict: float, direct: float | None, standard: float | None
) -> Limit:
    """A house rule that age-restricted channels may lift; after an age word it is clause b, and nobody lifts it."""
    at = _levels(direct, standard, None)
    return Limit(name=name, weights=weights, clause="adult", strict_clause="b", strict=strict, at=at)


def _everywhere(
    name: str, weights: Mapping[str, float], clause: str, *, strict: float, at: tuple[float, float, float]
) -> Limit:
    """A rule that holds at every level, after an age word too; `at` is for direct messages, standard and adult."""
    return Limit(name=name, weights=weights, clause=clause, strict_clause=clause, strict=strict, at=_levels(*at))


_EXPLICIT = {"nsfwjs.hentai": 1.0, "nsfwjs.porn": 0.5, "open_nsfw.nsfw": 0.5}

LIMITS: tuple[Limit, ...] = (
    _everywhere(
        "drawn young-looking and explicit", {"anime.young_explicit": 1.0}, "b", strict=0.2, at=(0.35, 0.35, 0.35)
    ),
    _sexual("explicit", _EXPLICIT, strict=0.3, direct=0.5, standard=0.6),
    _sexual("certainly explicit", {"nsfwjs.porn": 1.0}, strict=0.6, direct=0.97, standard=0.97),
    _sexual("suggestive", {**_EXPLICIT, "nsfwjs.sexy": 1.0}, strict=0.45, direct=0.8, standard=None),
    _sexual("nudity in a photograph", {"open_nsfw.nsfw": 1.0}, strict=0.4, direct=0.6, standard=0.8),
    _sexual("sexual content", {"shock.sexual": 1.0}, strict=0.6, direct=0.75, standard=0.85),
    _sexual("anime rated 18", {"anime.r18": 1.0}, strict=0.2, direct=0.5, standard=0.7),
    _sexual("anime rated 15", {"anime.r18": 1.0, "anime.r15": 1.0}, strict=0.6, direct=0.9, standard=None),
    _sexual("flagged by diffusers' checker", {"sd_checker.flagged": 1.0}, strict=0.5, direct=0.5, standard=0.5),
    _everywhere("gore", {"shock.graphic": 1.0}, "gore", strict=0.6, at=(0.7, 0.85, 0.85)),
)


def judge_scores(scores: Mapping[str, float], level: SafetyLevel, *, strict: bool = False) -> SafetyReport:
    """The verdict on one picture: unsafe as soon as one limit is reached; the first in the list names the clause."""
    for limit in LIMITS:
        if limit.reached(scores, level, strict):
            clause = limit.strict_clause if strict else limit.clause
            return SafetyReport(verdict=SafetyVerdict.UNSAFE, scores=scores, clause=clause)
    return SafetyReport(verdict=SafetyVerdict.SAFE, scores=scores)
