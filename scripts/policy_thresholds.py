"""Thresholds of the policy's semantic model by the prompt's length, from the scores of harmless texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.policy.semantic import CLAUSES, Curves

WORDS = (6, 12, 18, 24, 32, 48, 80, 130)
"""The lengths at which thresholds are set; between them they are on straight lines."""

LONG = 30
LEAST = 60
"""A family with fewer texts near a length has no say there."""

LOWEST, HIGHEST = -0.5, 3.0
"""Bounds of the thresholds to refuse at, as logits (38 and 95 %)."""

OFFSETS = -0.7, 2.0
"""A clause's curve lies no further (in logits) below and above the one for all clauses."""

LOWEST_REVIEW = -1.2
APART = 0.3
"""Review begins at least so much (in logits) below refusal."""

REVIEWED = 1.5
"""Review may take so many times the shares of harmless texts that refusal takes."""


@dataclass(frozen=True, slots=True)
class Family:
    """Harmless texts of a few kinds, and the shares of them that all clauses and that each clause may refuse.

    `long` is the share of all clauses from LONG words on.
    """

    every: float
    long: float
    each: float
    kinds: tuple[str, ...] = ()


FAMILIES: Mapping[str, Family] = {
    "look-alikes": Family(
        0.12, 0.05, 0.02, ("written", "styled", "among tags", "hidden", "frames", "templates", "long")
    ),
    "members": Family(0.08, 0.06, 0.012, ("diffusiondb_4000", "krea_1k")),
    "pretexts": Family(0.25, 0.25, 0.08, ("overt_benign",)),
    "sentences about groups": Family(0.23, 0.23, 0.18, ("hatecheck",)),
    "ordinary": Family(0.035, 0.012, 0.002),
}
"""Look-alikes were written in pairs that differ in one word; members' prompts hold some that deserve it; the next two
were built to be refused. Whatever is named nowhere is ordinary."""

Floats = NDArray[np.float64]


def logits_of(scores: NDArray[np.float32]) -> Floats:
    """(rows,): how sure the model is that a text is forbidden, log(p / (1 - p))."""
    harmless = np.clip(scores[:, 0].astype(np.float64), 1e-6, 1 - 1e-6)
    return np.log1p(-harmless) - np.log(harmless)


def curves(scores: NDArray[np.float32], words: Sequence[int], kinds: Sequence[str]) -> tuple[Curves, Curves]:
    """The curves to refuse and to review at, from (rows, labels) of harmless texts, their lengths and kinds."""
    found, likeliest = logits_of(scores), scores[:, 1:].argmax(1)
    families = np.array([family_of(kind) for kind in kinds])
    lengths = np.maximum(words, 1)
    refuse, review = (_curves(found, likeliest, lengths, families, factor) for factor in (1, REVIEWED))
    refuse = np.clip(refuse, LOWEST, HIGHEST)
    review = np.minimum(np.maximum(review, LOWEST_REVIEW), refuse - APART)
    return Curves(WORDS, refuse.round(3).tolist()), Curves(WORDS, review.round(3).tolist())


def _curves(
    found: Floats, likeliest: NDArray[np.intp], lengths: NDArray[np.int_], families: NDArray[np.str_], factor: float
) -> Floats:
    """(clauses, words): one curve for all, which never falls with length, and each clause's distance from it."""
    common = np.array([_threshold(found, _nearness(lengths, word), families, _shares(word, factor)) for word in WORDS])
    common = np.maximum.accumulate(common)
    above = found - np.interp(lengths, WORDS, common)
    each = {family: factor * one.each for family, one in FAMILIES.items()}
    mine = (np.where(likeliest == clause, above, -np.inf) for clause in range(len(CLAUSES)))
    offsets = [_threshold(values, np.ones(len(found)), families, each) for values in mine]
    return common + np.clip(offsets, *OFFSETS)[:, None]


def family_of(kind: str) -> str:
    return next((family for family, one in FAMILIES.items() if kind in one.kinds), "ordinary")


def _shares(word: int, factor: float) -> Mapping[str, float]:
    return {family: factor * (one.long if word >= LONG else one.every) for family, one in FAMILIES.items()}


def _nearness(lengths: NDArray[np.int_], word: int) -> Floats:
    """Weights that fall from one at `word` to nothing at half as much again and at two thirds."""
    return np.maximum(0, 1 - np.abs(np.log(lengths / word)) / np.log(1.5))


def _threshold(values: Floats, near: Floats, families: NDArray[np.str_], shares: Mapping[str, float]) -> float:
    """The least at which no family has more alarms than it may."""
    bounds = [LOWEST_REVIEW]
    for family, share in shares.items():
        weights = np.where(families == family, near, 0)
        if weights.sum() >= LEAST:
            bounds.append(_quantile(values, weights, share))
    return max(bounds)


def _quantile(values: Floats, weights: Floats, share: float) -> float:
    """A little more than the value from which on lies more than `share` of the weight."""
    order = np.argsort(values)[::-1]
    covered = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(covered, share * covered[-1], side="right")]) + 1e-3
