"""Tricks of spelling that only a vocabulary can undo: leet, repeats, swapped, missing, masked and glued letters.

Only words that nobody knows are respelt, so that harmless words are left alone. Where the trick itself can be seen
(figures and signs for letters, marks strewn in, a masked letter) the reading is sure; where a spelling is merely near a
known word, or could be words written together, it is a guess, and `Respelt.guessed` says so. `vocabulary.txt` lists
English words, most used first: symspellpy's frequency dictionary (MIT; from SCOWL and Google Books n-grams, CC-BY-3.0).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

VOCABULARY_FILE = Path(__file__).with_name("vocabulary.txt")

_LEET_ONE = str.maketrans("0123456789@$!|+(<€£¥", "oizeasgtbgasiltccely")
_LEET_TWO = str.maketrans("0123456789@$!|+(<€£¥", "olzeasgtbgasiitccely")
_LEET_MARKS = frozenset("0123456789@$!|+(<€£¥")
_LEET_SHAPES = (
    ("|-|", "h"),
    ("|\\|", "n"),
    ("|_|", "u"),
    ("/\\", "a"),
    ("\\/", "v"),
    ("|)", "d"),
    ("()", "o"),
    ("|<", "k"),
)
_SHORT = "a i ai an as at be by do dr ex go he id if in is it me mr my no of ok on or pc so st to tv uk up us vs we"
_SHORT_WORDS = frozenset(_SHORT.split())
_SHORT_RANK = 2_500
_RARE_RANK = 45_000
_LONGEST_WORD = 40
_LONGEST_PIECE = 18
_STRAY_COST = 9.0
_LONGEST_NAME = 9
# Atomic and possessive: without, a long row of vowels would be tried in every way there is to part it.
_ROMAJI = re.compile(
    r"(?>(?:[kgsztdnhbpmyrwfjv]|ky|gy|sh|sy|ch|ts|ny|hy|by|py|my|ry|kk|tt|pp|ss|ssh|tch|cch)?[aeiou]|n)++"
)
_WRITTEN_BREAK = re.compile(r"\\[nrt]")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


@lru_cache(maxsize=1)
def load_vocabulary() -> Mapping[str, int]:
    """Word → rank, 0 the most used; read once."""
    words = VOCABULARY_FILE.read_text(encoding="utf-8").split()
    return {word: rank for rank, word in enumerate(words)}


class Respelt(NamedTuple):
    """What a word was meant to be: no words when nobody can say; `guessed` when no trick is visible."""

    words: tuple[str, ...]
    guessed: bool


UNREAD = Respelt((), False)


class Speller:
    """Respells unknown words; `lexicon` holds the words that rules look for."""

    def __init__(self, lexicon: Iterable[str], vocabulary: Mapping[str, int] | None = None) -> None:
        self.vocabulary = load_vocabulary() if vocabulary is None else vocabulary
        self.lexicon = frozenset(word for word in lexicon if word.isalpha())
        self._by_squeeze: dict[str, str] = {}
        self._by_scramble: dict[str, str] = {}
        self._by_deletion: dict[str, str] = {}
        self._by_shape: dict[tuple[int, str], list[str]] = {}
        for word in sorted(self.lexicon, key=lambda w: (self.vocabulary.get(w, 99_999), w)):
            self._index(word)
        self._costs = _all_costs(self.vocabulary, self.lexicon)
        self.respell = lru_cache(maxsize=20_000)(self._respell)
        self.unmask = lru_cache(maxsize=5_000)(self._unmask)
        self.segment = lru_cache(maxsize=5_000)(self._segment)

    def forget(self) -> None:
        """Empty the caches."""
        self.respell.cache_clear()
        self.segment.cache_clear()
        self.unmask.cache_clear()

    def _index(self, word: str) -> None:
        self._by_squeeze.setdefault(squeeze(word), word)
        self._by_shape.setdefault((len(word), word[0]), []).append(word)
        if len(word) >= 6:
            self._by_scramble.setdefault(_scramble_key(word), word)
            for variant in _deletions(word):
                self._by_deletion.setdefault(variant, word)

    def knows(self, word: str) -> bool:
        """Whether `word` is read as it stands. Short letter groups must be common to count as words."""
        if word in self.lexicon or (not word.isascii() and len(word) == 1):
            return True
        rank = self.vocabulary.get(word)
        if rank is None or len(word) <= 2:
            return word in _SHORT_WORDS
        return len(word) > 3 or rank < _SHORT_RANK

    def _respell(self, word: str) -> Respelt:
        """What an unknown word (symbols allowed) was meant to be."""
        if len(word) > _LONGEST_WORD:
            return Respelt(self.segment("".join(character for character in word if character.isalnum())), True)
        candidates = list(dict.fromkeys(_plain_spellings(word)))
        for candidate in candidates:
            if self.knows(candidate) and len(candidate) > 1:
                return Respelt((candidate,), word.isalpha())
        return Respelt(self._guess(candidates), True)

    def _guess(self, candidates: Sequence[str]) -> tuple[str, ...]:
        for step in (self._unsqueezed, self._near, self._turned):
            for candidate in candidates:
                found = step(candidate)
                if found:
                    return (found,)
        for candidate in candidates:
            pieces = self.segment(candidate)
            if pieces and _is_plausible(candidate, pieces):
                return pieces
        return ()

    def _unmask(self, word: str) -> Respelt:
        """The word behind `f*ck`; every symbol but the first stands for one letter. A guess if several words fit."""
        letters = sum(character.isalpha() for character in word)
        if letters * 3 < 2 * len(word) or len(word) < 3 or len(word) - letters == 0:
            return UNREAD
        fitting = [
            known
            for known in self._by_shape.get((len(word), word[0]), ())
            if all(a == b or not a.isalnum() for a, b in zip(word, known, strict=True))
        ]
        filled = list(self._filled(word)) if len(word) - letters == 1 and len(word) >= 4 else []
        best = fitting[0] if fitting else min(filled, key=self.vocabulary.__getitem__, default="")
        return Respelt((best,), len({*fitting, *filled}) > 1) if best else UNREAD

    def _filled(self, word: str) -> Iterator[str]:
        """The words of the vocabulary that the one masked letter may make."""
        at = next(index for index, character in enumerate(word) if not character.isalpha())
        filled = (word[:at] + letter + word[at + 1 :] for letter in _ALPHABET)
        return (found for found in filled if found in self.vocabulary)

    def _unsqueezed(self, word: str) -> str:
        squeezed = squeeze(word)
        if len(squeezed) == len(word) or len(squeezed) < 3:
            return ""
        if squeezed in self._by_squeeze and (len(squeezed) >= 5 or len(word) - len(squeezed) >= 2):
            return self._by_squeeze[squeezed]
        doubled = "".join(letter * min(2, len(list(run))) for letter, run in groupby(word))
        return next((w for w in (squeezed, doubled) if self.knows(w) and w != word), "")

    def _near(self, word: str) -> str:
        """One swap, one letter too many, one missing or one wrong, or the inner letters in disorder."""
        if len(word) < 5 or not word.isalpha():
            return ""
        for swapped in _swaps(word):
            if self.knows(swapped) and (swapped[0] == word[0] or len(word) > 6):
                return swapped
        if is_romaji(word):
            return ""
        if len(word) >= 6 and _scramble_key(word) in self._by_scramble:
            return self._by_scramble[_scramble_key(word)]
        return self._one_edit(word)

    def _one_edit(self, word: str) -> str:
        missing = self._by_deletion.get(word, "")
        if missing and missing[0] == word[0] and missing[-1] == word[-1]:
            return missing
        for shorter in _deletions(word) if len(word) >= 8 else ():
            if shorter in self.lexicon:
                return shorter
            wrong = self._by_deletion.get(shorter, "")
            if wrong and len(wrong) == len(word) and wrong[0] == word[0] and wrong[-1] == word[-1]:
                return wrong
        return ""

    def _turned(self, word: str) -> str:
        """Written backwards, or in pig latin."""
        if len(word) < 5 or not word.isalpha():
            return ""
        backwards = word[::-1]
        if self.knows(backwards):
            return backwards
        if word.endswith("ay") and len(word) >= 6:
            stem = word[:-2].removesuffix("w")
            turns = (stem[-n:] + stem[:-n] for n in (1, 2))
            return next((turned for turned in turns if turned in self.lexicon), "")
        return ""

    def _segment(self, letters: str, *, lenient: bool = False) -> tuple[str, ...]:
        """`letters` as a row of known words, the likeliest; empty when it is none.

        With `lenient` letters may be left over as words of their own, so that unknown names don't spoil the rest.
        """
        if not 5 <= len(letters) <= 4 * _LONGEST_WORD or not letters.isalpha() or not letters.isascii():
            return ()
        stray = _STRAY_COST if lenient else math.inf
        costs = self._costs
        best: list[tuple[float, int]] = [(0.0, 0)] + [(math.inf, 0)] * len(letters)
        for end in range(1, len(letters) + 1):
            best[end] = (best[end - 1][0] + stray, end - 1)
            for start in range(max(0, end - _LONGEST_PIECE), end):
                cost = best[start][0] + costs.get(letters[start:end], math.inf)
                if cost < best[end][0]:
                    best[end] = (cost, start)
        if math.isinf(best[-1][0]):
            return ()
        pieces: list[str] = []
        end = len(letters)
        while end:
            start = best[end][1]
            pieces.append(letters[start:end])
            end = start
        return tuple(reversed(pieces))


def _all_costs(vocabulary: Mapping[str, int], lexicon: Iterable[str]) -> dict[str, float]:
    """What each word costs in a segmentation: rare ones more, words that rules look for little, letter groups much."""
    costs = {
        word: 5.0 + math.log(2 + rank)
        for word, rank in vocabulary.items()
        if rank < _RARE_RANK and (len(word) > 3 or (len(word) == 3 and rank < _SHORT_RANK))
    }
    costs |= {word: 5.0 + math.log(2 + min(vocabulary.get(word, 3_000), 3_000)) for word in lexicon if len(word) > 2}
    return costs | dict.fromkeys(_SHORT_WORDS, 6.0)


def is_romaji(word: str) -> bool:
    """Whether a word reads as Japanese in Latin letters, as most unknown names in prompts for anime do."""
    return _ROMAJI.fullmatch(word) is not None


def _is_plausible(word: str, pieces: tuple[str, ...]) -> bool:
    """Whether an unknown word may be words written together: a short or Japanese one is rather a name."""
    if is_romaji(word):
        return False
    return len(word) > _LONGEST_NAME or (len(pieces) == 2 and min(map(len, pieces)) >= 3)


def squeeze(word: str) -> str:
    """Every run of one letter made one letter."""
    return "".join(letter for letter, _ in groupby(word))


def _plain_spellings(word: str) -> Iterator[str]:
    """The word without symbols: dropped, or read as the letters that they look like."""
    if "\\" in word:
        yield from _plain_spellings(_WRITTEN_BREAK.sub("", word).replace("\\", ""))
    if word.isalpha():
        yield word
        return
    letters = "".join(character for character in word if character.isalnum())
    if any(character.isalpha() for character in word):
        shaped = word
        for shape, letter in _LEET_SHAPES:
            shaped = shaped.replace(shape, letter)
        core = shaped.strip(".:?!*~#_-=&%^'\"()[]{}<>/")
        for text in (shaped, core, letters):
            has_shapes = shaped != word and text is not letters
            if has_shapes or any(character in _LEET_MARKS for character in text):
                for table in (_LEET_ONE, _LEET_TWO):
                    yield "".join(character for character in text.translate(table) if character.isalpha())
    yield "".join(character for character in letters if character.isalpha())


def _scramble_key(word: str) -> str:
    return word[0] + "".join(sorted(word[1:-1])) + word[-1]


def _swaps(word: str) -> Iterator[str]:
    for i in range(len(word) - 1):
        if word[i] != word[i + 1]:
            yield word[:i] + word[i + 1] + word[i] + word[i + 2 :]


def _deletions(word: str) -> Iterator[str]:
    for i in range(len(word)):
        yield word[:i] + word[i + 1 :]
