"""The semantic score: how much a prompt reads like one that a clause forbids, whatever its words.

A small text encoder (all-MiniLM-L6-v2, tuned and in whole numbers; its card is `models/policy/README.md`) gives one
probability per label. It reads the comma-separated parts in alphabetical order, so that the order of tags doesn't
matter. Made by scripts/train_policy_model.py; runs on one CPU core without PyTorch.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
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
WINDOW = 64
"""How many pieces the model reads at once; longer prompts are read in windows, and the worst one counts."""

_STRIDE = 46
_LEAST_WORDS = 4
_MOST_WORDS = 300
_LONG_TAG = 6
_LONGEST_WORD = 40
_REMEMBERED = 256  # readings: rules of ambiguous words ask about a prompt's tags again
_BATCH = 4  # windows of about equal lengths read in one go, so that little is spent on padding

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


class Wordpieces:
    """Words as the encoder's pieces."""

    def __init__(self, pieces: Sequence[str]) -> None:
        ids = {piece: number for number, piece in enumerate(pieces)}
        self._start, self._end, self._comma = (ids[mark] for mark in ("[CLS]", "[SEP]", ","))
        self._tokenizer = Tokenizer(WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=_LONGEST_WORD))

    def windows(self, tokens: Sequence[Token]) -> list[list[int]]:
        """The pieces of the whole, and of each long tag for itself, between start and end marks.

        A long tag is read alone too, so that harmless ones around it can't dilute it. What is longer than WINDOW is
        read in overlapping windows.
        """
        tags: dict[int, list[str]] = {}
        for token in tokens:
            tags.setdefault(token.tag, []).append(token.text)
        parts = sorted(set(map(tuple, tags.values())))
        texts = [parts] + [[part] for part in parts if len(part) >= _LONG_TAG and len(parts) > 1]
        return [window for text in texts for window in self._windows(text)]

    def _windows(self, parts: Sequence[tuple[str, ...]]) -> Iterator[list[int]]:
        pieces = list(self._pieces(parts))
        for start in range(0, max(1, len(pieces) - (WINDOW - 2) + _STRIDE), _STRIDE):
            yield [self._start, *pieces[start : start + WINDOW - 2], self._end]

    def _pieces(self, parts: Sequence[tuple[str, ...]]) -> Iterator[int]:
        for number, words in enumerate(parts):
            if number:
                yield self._comma
            yield from self._tokenizer.encode(list(words), is_pretokenized=True, add_special_tokens=False).ids


class SemanticModel:
    """The encoder of an ONNX file, with its pieces and thresholds."""

    def __init__(self, path: Path, known_words: Collection[str]) -> None:
        self._session = open_session(path.read_bytes())
        notes: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self._pieces = Wordpieces(notes["pieces"].split("\n"))
        self._refuse_at = dict(zip(CLAUSES, json.loads(notes["refuse_at"]), strict=True))
        self._review_at = dict(zip(CLAUSES, json.loads(notes["review_at"]), strict=True))
        self._known = known_words
        self._read = lru_cache(maxsize=_REMEMBERED)(self._worst_shares)

    def opinion(self, tokens: Sequence[Token]) -> Opinion:
        """The opinion on these words; none on fewer than four known ones or mostly unknown ones."""
        tokens = tokens[:_MOST_WORDS]
        known = sum(token.text in self._known for token in tokens)
        if known < _LEAST_WORDS or 2 * known < len(tokens):
            return NO_OPINION
        shares = self._read(tuple(map(tuple, self._pieces.windows(tokens))))
        scores = {clause: round(float(share), 4) for clause, share in zip(CLAUSES, shares[1:], strict=True)}
        return Opinion(scores, self._refuse_at, self._review_at)

    def forget(self) -> None:
        """Empty the memory of what was read last."""
        self._read.cache_clear()

    def _worst_shares(self, windows: tuple[tuple[int, ...], ...]) -> Floats:
        """(labels,): the probabilities of the least harmless window, the harmless rest first."""
        ordered = sorted(windows, key=len)
        runs = [self._logits(ordered[start : start + _BATCH]) for start in range(0, len(ordered), _BATCH)]
        logits = np.concatenate(runs)
        exponentials = np.exp(logits - logits.max(1, keepdims=True))
        shares = exponentials / exponentials.sum(1, keepdims=True)
        return shares[shares[:, 0].argmin()]

    def _logits(self, windows: Sequence[Sequence[int]]) -> Floats:
        ids, mask = padded(windows)
        return np.asarray(self._session.run(None, {"ids": ids, "mask": mask})[0], np.float32)


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
