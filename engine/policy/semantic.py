"""The semantic score: how much a prompt reads like one that a clause forbids, whatever its words.

A small model of plain arrays (`model.npz`, no pickle; its card is `model.md`): hashed word and letter n-grams
linearly, plus word vectors (mean, maximum and minimum over the words) through one hidden layer, into one probability
per label. N-grams never cross a comma, so the order of tags doesn't matter. Made by scripts/train_policy_model.py.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.policy.tokens import Token

MODEL_FILE = Path(__file__).with_name("model.npz")
CLAUSES: tuple[str, ...] = ("a", "c", "d", "e", "f", "g", "h", "i", "j", "k", "adult", "gore", "self_harm")
BUCKETS = 1 << 15
WIDTH = 64
_MOST_WORDS = 300
_LEAST_WORDS = 4

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Opinion:
    """Probabilities by clause (with the harmless rest they sum to 1), and each clause's two thresholds.

    The thresholds are for the sum over all clauses that count, and apply for the likeliest of them.
    """

    scores: Mapping[str, float]
    refuse_at: Mapping[str, float]
    review_at: Mapping[str, float]


NO_OPINION = Opinion({}, {}, {})


class SemanticModel:
    """The arrays of `model.npz`."""

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        words = np.asarray(arrays["words"], np.uint8).tobytes().decode().split("\n")
        self._index = {word: number for number, word in enumerate(words)}
        self._weights = np.asarray(arrays["word_weights"], np.float32)
        self._vectors = np.asarray(arrays["vectors"], np.float32) * np.asarray(arrays["vector_scale"], np.float32)
        self._grams = np.asarray(arrays["grams"], np.float32) * np.asarray(arrays["gram_scale"], np.float32)
        self._hidden = np.asarray(arrays["hidden"], np.float32)
        self._hidden_bias = np.asarray(arrays["hidden_bias"], np.float32)
        self._out = np.asarray(arrays["out"], np.float32)
        self._out_bias = np.asarray(arrays["out_bias"], np.float32)
        self._refuse_at = dict(zip(CLAUSES, map(float, np.asarray(arrays["refuse_at"], np.float32)), strict=True))
        self._review_at = dict(zip(CLAUSES, map(float, np.asarray(arrays["review_at"], np.float32)), strict=True))

    def opinion(self, tokens: list[Token]) -> Opinion:
        """The opinion on these words; none on fewer than four known ones or mostly unknown ones."""
        tokens = tokens[:_MOST_WORDS]
        known = [self._index[token.text] for token in tokens if token.text in self._index]
        if len(known) < _LEAST_WORDS or 2 * len(known) < len(tokens):
            return NO_OPINION
        grams = features(tokens)
        logits = self._grams[grams].sum(0) / max(1, len(grams)) ** 0.5
        hidden = np.maximum(self._hidden @ pool(self._vectors, self._weights, known) + self._hidden_bias, 0)
        logits = logits + self._out @ hidden + self._out_bias
        exponentials = np.exp(logits - logits.max())
        shares = exponentials / exponentials.sum()
        scores = {clause: round(float(share), 4) for clause, share in zip(CLAUSES, shares[1:], strict=True)}
        return Opinion(scores, self._refuse_at, self._review_at)


def features(tokens: list[Token]) -> list[int]:
    """The buckets of all n-grams in `tokens`, each once, sorted."""
    buckets: set[int] = set()
    for token in tokens:
        buckets.update(_word_buckets(token.text))
    for first, second in pairwise(tokens):
        if first.tag == second.tag:
            buckets.add(_bucket(f"{first.text} {second.text}"))
    return sorted(buckets)


def pool(vectors: Floats, weights: Floats, words: list[int]) -> Floats:
    """Weighted mean, maximum and minimum of the words' vectors, shape (3 * WIDTH,); zeros without words."""
    if not words:
        return np.zeros(3 * WIDTH, np.float32)
    rows, own = vectors[sorted(words)], weights[sorted(words)][:, None]
    weighted = rows * own
    return np.concatenate([4 * weighted.sum(0) / (own.sum() + 0.5), weighted.max(0), weighted.min(0)])


def quantise(table: Floats) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """`table` as whole numbers from -127 to 127, and the size of one step in each column."""
    scale = np.maximum(np.abs(table).max(0), 1e-9) / 127
    return np.round(table / scale).astype(np.int8), scale.astype(np.float32)


@lru_cache(maxsize=20_000)
def _word_buckets(word: str) -> tuple[int, ...]:
    return tuple(_bucket(gram) for gram in _grams(word[:30]))


def _grams(word: str) -> Iterator[str]:
    yield f"={word}"
    fenced = f"<{word}>"
    for size in (3, 4, 5):
        for start in range(len(fenced) - size + 1):
            yield fenced[start : start + size]


def _bucket(gram: str) -> int:
    return zlib.crc32(gram.encode("utf-8", "replace")) % BUCKETS


@lru_cache(maxsize=1)
def default_model() -> SemanticModel | None:
    """The model the bot ships with; None where the file is missing (rules alone decide then)."""
    if not MODEL_FILE.exists():
        return None
    with np.load(MODEL_FILE, allow_pickle=False) as arrays:
        return SemanticModel(dict(arrays))
