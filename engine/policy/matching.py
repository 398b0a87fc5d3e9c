"""Finding a rule set's terms in words: one Aho-Corasick automaton over everything, on word boundaries."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import ahocorasick

from engine.policy.normalise import fold, is_unspaced
from engine.policy.rules import RuleSet
from engine.policy.tokens import Token, read

ALLOW = "allow"
"""The group of phrases whose words never count."""

GUARDED = "b."
"""Groups whose names start so obey their own list of harmless phrases only, `b.allow`."""


_SHORT_KATAKANA = 3
"""Terms of up to this many katakana must not go on in katakana either: longer ones do so in compounds."""


class Hit(NamedTuple):
    """A term of `group` found at the tokens `first` … `last`, all in the comma-separated part `tag`."""

    group: str
    first: int
    last: int
    tag: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a stretch of words names: the hits of each group, and the tokens inside harmless phrases."""

    groups: dict[str, list[Hit]]
    covered: frozenset[int]


class Lexicon:
    """The terms of a rule set, ready to be found. Building takes some tens of milliseconds."""

    def __init__(self, rules: RuleSet) -> None:
        entries: dict[str, list[tuple[str, int, int]]] = {}
        words: set[str] = set()
        groups = [*rules.groups.items(), (ALLOW, rules.allow)]
        for group, terms in groups:
            for term in terms:
                for key, before, after in _keys(term):
                    entries.setdefault(key, []).append((group, before, after))
                words.update(() if term in rules.foreign else _spellings(term))
        self.words = frozenset(words)
        self._automaton = ahocorasick.Automaton()
        for key, found in entries.items():
            self._automaton.add_word(key, (len(key), tuple(dict.fromkeys(found))))
        self._automaton.make_automaton()

    def find(self, tokens: list[Token]) -> Found:
        """Every term in `tokens` that no allow-phrase covers, by group; and the tokens that one covers."""
        if not tokens or not len(self._automaton):
            return Found({}, frozenset())
        text, starts = _join(tokens)
        found = {_hit(group, begin, end, starts, tokens) for group, begin, end in self._spans(text)}
        general = _indices(hit for hit in found if hit.group == ALLOW)
        guarded = _indices(hit for hit in found if hit.group == GUARDED + ALLOW)
        groups: dict[str, list[Hit]] = {}
        for hit in sorted(found):
            covered = guarded if hit.group.startswith(GUARDED) else general
            if not covered.issuperset(range(hit.first, hit.last + 1)):
                groups.setdefault(hit.group, []).append(hit)
        return Found(groups, frozenset(general))

    def _spans(self, text: str) -> Iterator[tuple[str, int, int]]:
        for last, (length, found) in self._automaton.iter(text):
            start = last + 1 - length
            if _is_inside_katakana(text, start, last):
                continue
            for group, before, after in found:
                yield group, start + before, last - after


def _is_inside_katakana(text: str, start: int, last: int) -> bool:
    """Whether a term in katakana is a piece of a longer word, as the short ones are of many names."""
    if not (_is_katakana(text[start]) and _is_katakana(text[last])):
        return False
    if start and _is_katakana(text[start - 1]):
        return True
    return last - start < _SHORT_KATAKANA and last + 1 < len(text) and _is_katakana(text[last + 1])


def _is_katakana(character: str) -> bool:
    return "\u30a1" <= character <= "\u30ff" and character != "\u30fb"


def _indices(hits: Iterable[Hit]) -> set[int]:
    return {index for hit in hits for index in range(hit.first, hit.last + 1)}


def _hit(group: str, begin: int, end: int, starts: list[int], tokens: list[Token]) -> Hit:
    first = bisect_right(starts, begin) - 1
    return Hit(group, first, bisect_right(starts, end) - 1, tokens[first].tag)


def _join(tokens: list[Token]) -> tuple[str, list[int]]:
    """The words between single spaces, parts between ` , `; and where each word starts."""
    pieces: list[str] = [" "]
    starts: list[int] = []
    at = 1
    tag = tokens[0].tag
    for token in tokens:
        if token.tag != tag:
            pieces.append(", ")
            at += 2
            tag = token.tag
        starts.append(at)
        pieces += (token.text, " ")
        at += len(token.text) + 1
    return "".join(pieces), starts


_ENDINGS = ("", "s", "d", "ed", "ing", "e", "es", "er", "ers", "ion", "ions", "ation", "ment", "ly")


def _words(term: str) -> list[str]:
    return [token.text for token in read(fold(term.replace("*", "")))]


def _spellings(term: str) -> list[str]:
    """The words of a term for the speller; an open end with the usual endings."""
    words = _words(term)
    return [*words, *(words[-1] + ending for ending in _ENDINGS)] if words and term.endswith("*") else words


def _keys(term: str) -> Iterator[tuple[str, int, int]]:
    """The strings to look for, each with how many of its first and last characters are boundaries."""
    words = _words(term)
    body = " ".join(words)
    if not body:
        raise ValueError(f"empty term {term!r}")
    unspaced = is_unspaced(body[0])
    open_start = term.startswith("*") or unspaced
    open_end = term.endswith("*") or unspaced
    start = "" if open_start else " "
    endings: Iterable[str] = ("",) if open_end else ("", *_plurals(body))
    for ending in endings:
        yield start + body + ending + ("" if open_end else " "), len(start), 0 if open_end else 1


def _plurals(body: str) -> tuple[str, ...]:
    if not body.isascii() or len(body) < 3 or not body[-1].isalpha():
        return ()
    if body.endswith(("s", "x", "z", "ch", "sh")):
        return ("es",)
    return ("s",)
