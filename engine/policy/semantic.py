"""The semantic score: how much a prompt reads like one that a clause forbids, whatever its words.

A small text encoder (all-MiniLM-L6-v2, tuned and in whole numbers; its card is `models/policy/README.md`) gives one
probability per label. It reads the whole prompt at once, in the order written, and its thresholds depend on the
prompt's length, so that a long prompt is not suspect for being long. Made by scripts/train_policy_model.py; runs on one
CPU core without PyTorch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import WordPiece

from engine.onnx_session import open_session
from engine.policy.respell import load_vocabulary
from engine.policy.tokens import Token

MODEL_FILE = Path(__file__).resolve().parents[2] / "models" / "policy" / "model.onnx"
CLAUSES: tuple[str, ...] = ("a", "c", "d", "e", "f", "g", "h", "i", "j", "k", "adult", "gore", "self_harm")
WINDOW = 384
"""How many pieces the model reads at once: 1,500 characters of English are about 330. More are read in windows."""

_STRIDE = 320
_LEAST_WORDS = 4
_MAX_WORDS = 300
_LONGEST_WORD = 40
_REMEMBERED = 256  # readings: rules of ambiguous words ask about a prompt's tags again

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Opinion:
    """Probabilities by clause (with the harmless rest they sum to 1), and each clause's two thresholds at this length.

    The thresholds are for the sum over all clauses that count, and apply for the likeliest of them.
    """

    scores: Mapping[str, float]
    refuse_at: Mapping[str, float]
    review_at: Mapping[str, float]


NO_OPINION = Opinion({}, {}, {})


class Wordpieces:
    """Words as the encoder's pieces."""

    def __init__(self, pieces: Sequence[str]) -> None:
        ids = {piece: number for number, piece in enumerate(pieces)}
        self._start, self._end, self._comma = (ids[mark] for mark in ("[CLS]", "[SEP]", ","))
        self._tokenizer = Tokenizer(WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=_LONGEST_WORD))

    def windows(self, tokens: Sequence[Token]) -> list[list[int]]:
        """The pieces of the words in their order, between start and end marks; a comma parts the tags.

        One window nearly always; what is longer than WINDOW is read in overlapping ones.
        """
        pieces = list(self._pieces(tokens))
        starts = range(0, max(1, len(pieces) - (WINDOW - 2) + _STRIDE), _STRIDE)
        return [[self._start, *pieces[start : start + WINDOW - 2], self._end] for start in starts]

    def _pieces(self, tokens: Sequence[Token]) -> Iterator[int]:
        for number, (_, words) in enumerate(groupby(tokens, key=lambda token: token.tag)):
            if number:
                yield self._comma
            texts = [token.text for token in words]
            yield from self._tokenizer.encode(texts, is_pretokenized=True, add_special_tokens=False).ids


@dataclass(frozen=True, slots=True)
class Curves:
    """Each clause's threshold by the number of words: straight lines between `words`, flat outside.

    `logits` is (clauses, words): the thresholds as log(p / (1 - p)), in which the steps are about even.
    """

    words: Sequence[int]
    logits: Sequence[Sequence[float]]

    def at(self, count: int) -> dict[str, float]:
        """The threshold of each clause for a prompt of `count` words."""
        found = (float(np.interp(count, self.words, row)) for row in self.logits)
        return {clause: 1 / (1 + math.exp(-value)) for clause, value in zip(CLAUSES, found, strict=True)}


class SemanticModel:
    """The encoder of an ONNX file, with its pieces and thresholds."""

    def __init__(self, path: Path, known_words: Collection[str]) -> None:
        self._session = open_session(path.read_bytes())
        notes: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self._pieces = Wordpieces(notes["pieces"].split("\n"))
        self._refuse_at, self._review_at = (Curves(**json.loads(notes[name])) for name in ("refuse_at", "review_at"))
        self._known = known_words
        self._read = lru_cache(maxsize=_REMEMBERED)(self._worst_shares)

    def opinion(self, tokens: Sequence[Token]) -> Opinion:
        """The opinion on these words; none on fewer than four known ones or mostly unknown ones."""
        tokens = shortened(tokens)
        known = sum(token.text in self._known for token in tokens)
        if known < _LEAST_WORDS or 2 * known < len(tokens):
            return NO_OPINION
        shares = self._read(tuple(map(tuple, self._pieces.windows(tokens))))
        scores = {clause: round(float(share), 4) for clause, share in zip(CLAUSES, shares[1:], strict=True)}
        return Opinion(scores, self._refuse_at.at(len(tokens)), self._review_at.at(len(tokens)))

    def forget(self) -> None:
        """Empty the memory of what was read last."""
        self._read.cache_clear()

    def _worst_shares(self, windows: tuple[tuple[int, ...], ...]) -> Floats:
        """(labels,): the probabilities of the least harmless window, the harmless rest first."""
        logits = self._logits(windows)
        exponentials = np.exp(logits - logits.max(1, keepdims=True))
        shares = exponentials / exponentials.sum(1, keepdims=True)
        return shares[shares[:, 0].argmin()]

    def _logits(self, windows: Sequence[Sequence[int]]) -> Floats:
        ids, mask = padded(windows)
        return np.asarray(self._session.run(None, {"ids": ids, "mask": mask})[0], np.float32)


def shortened(tokens: Sequence[Token]) -> Sequence[Token]:
    """At most _MAX_WORDS words: 1,500 characters of prose have fewer; of more, repeated ones are left out first."""
    if len(tokens) <= _MAX_WORDS:
        return tokens
    return list({token.text: token for token in reversed(tokens)}.values())[::-1][:_MAX_WORDS]


def padded(windows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(windows, longest) piece numbers, zeros at the end, and the mask that tells them apart."""
    longest = max(map(len, windows))
    ids = np.array([[*window, *[0] * (longest - len(window))] for window in windows], np.int64)
    mask = np.array([[1] * len(window) + [0] * (longest - len(window)) for window in windows], np.int64)
    return ids, mask


@lru_cache(maxsize=1)
def default_model() -> SemanticModel | None:
    """The model the bot ships with; None where the file is missing (rules alone decide then)."""
    return SemanticModel(MODEL_FILE, load_vocabulary().keys()) if MODEL_FILE.exists() else None
