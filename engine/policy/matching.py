"""Finding a rule set's terms in words: one Aho-Corasick automaton over everything, on word boundaries."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import ahocorasick

from engine.policy.normalise import fold, is_unspaced
from engine.policy.respell import load_vocabulary
from engine.policy.rules import RuleSet
from engine.policy.tokens import Token, read

ALLOW = "allow"
"""The group of phrases whose words never count."""

GUARDED = "b."
"""Groups whose names start so obey their own list of harmless phrases only, `b.allow`."""

COMPOUND = "compound"
"""The group of longer words that hold a term, in scripts without blanks between words: the longest match counts."""

WHOLE_TAG = "="
"""What begins terms that count only as a comma-separated part of their own."""

PERSON = "person"
"""The group that names people: beside one, in one tag, a harmless phrase doesn't cover, it only raises a doubt."""


_SHORT_KATAKANA = 3
"""Terms of up to this many katakana must not go on in katakana either: longer ones do so in compounds."""


class Hit(NamedTuple):
    """A term of `group` found at the tokens `first` … `last`, all in the comma-separated part `tag`."""

    group: str
    first: int
    last: int
    tag: int


Groups = dict[str, list[Hit]]


@dataclass(frozen=True, slots=True)
class Found:
    """What a stretch of words names: the hits of each group.

    `doubtful` holds those that a harmless phrase covers, in tags where a person is named: the phrase may be a pretext.
    """

    groups: Groups
    doubtful: Groups


class _Entry(NamedTuple):
    """A term's group, how many characters at its ends are boundaries, and whether it must be all its tag says."""

    group: str
    before: int
    after: int
    whole_tag: bool


class _Span(NamedTuple):
    """A term of `group` found at the characters `begin` … `end` of the joined words."""

    group: str
    begin: int
    end: int


class Lexicon:
    """The terms of a rule set, ready to be found. Building takes some tens of milliseconds."""

    def __init__(self, rules: RuleSet) -> None:
        entries: dict[str, list[_Entry]] = {}
        words: set[str] = set()
        groups = [*rules.groups.items(), (ALLOW, rules.allow)]
        for group, terms in groups:
            for term in terms:
                for key, before, after in _keys(term.removeprefix(WHOLE_TAG)):
                    entry = _Entry(group, before, after, term.startswith(WHOLE_TAG))
                    entries.setdefault(key, []).append(entry)
                words.update(() if term in rules.foreign else _spellings(term))
        self.words = frozenset(words)
        self._automaton = ahocorasick.Automaton()
        for key, found in entries.items():
            self._automaton.add_word(key, (len(key), tuple(dict.fromkeys(found))))
        self._automaton.make_automaton()

    def find(self, tokens: list[Token]) -> Found:
        """Every term in `tokens` that no longer word or allow-phrase covers, by group."""
        if not tokens or not len(self._automaton):
            return Found({}, {})
        text, starts = _join(tokens)
        spans = sorted(set(self._spans(text)))
        covers = {kind: _Cover(spans, kind) for kind in (COMPOUND, ALLOW, GUARDED + ALLOW)}
        groups: Groups = {}
        covered: Groups = {}
        for span in spans:
            if covers[COMPOUND].holds(span):
                continue
            guarded = span.group.startswith(GUARDED)
            kept = not covers[GUARDED + ALLOW if guarded else ALLOW].holds(span)
            if kept or not guarded:
                (groups if kept else covered).setdefault(span.group, []).append(_hit(span, starts, tokens))
        return Found(groups, _beside_people(covered, groups))

    def _spans(self, text: str) -> Iterator[_Span]:
        for last, (length, found) in self._automaton.iter(text):
            start = last + 1 - length
            if _is_inside_katakana(text, start, last):
                continue
            for entry in found:
                begin, end = start + entry.before, last - entry.after
                if not entry.whole_tag or _is_whole_tag(text, begin, end):
                    yield _Span(entry.group, begin, end)


class _Cover:
    """The stretches that the terms of one group cover; a term lies under them if one holds it whole."""

    def __init__(self, spans: Iterable[_Span], group: str) -> None:
        self._group = group
        self._stretches = [(span.begin, span.end) for span in spans if span.group == group]

    def holds(self, span: _Span) -> bool:
        if not self._stretches or span.group == self._group:
            return False
        return any(begin <= span.begin and span.end <= end for begin, end in self._stretches)


def _beside_people(covered: Groups, groups: Groups) -> Groups:
    """Those hits whose tag names a person outside the covering phrase."""
    people = {hit.tag for hit in groups.get(PERSON, ())}
    kept = {group: [hit for hit in hits if hit.tag in people] for group, hits in covered.items() if group != ALLOW}
    return {group: hits for group, hits in kept.items() if hits}


def _is_whole_tag(text: str, begin: int, end: int) -> bool:
    """Whether the joined words' characters `begin` … `end` lie between commas or the text's ends."""
    return text[max(0, begin - 2) : begin] in (" ", ", ") and text[end + 1 : end + 3] in (" ", " ,")


def _is_inside_katakana(text: str, start: int, last: int) -> bool:
    """Whether a term in katakana is a piece of a longer word, as the short ones are of many names."""
    if not (_is_katakana(text[start]) and _is_katakana(text[last])):
        return False
    if start and _is_katakana(text[start - 1]):
        return True
    return last - start < _SHORT_KATAKANA and last + 1 < len(text) and _is_katakana(text[last + 1])


def _is_katakana(character: str) -> bool:
    return "\u30a1" <= character <= "\u30ff" and character != "\u30fb"


def _hit(span: _Span, starts: list[int], tokens: list[Token]) -> Hit:
    first = bisect_right(starts, span.begin) - 1
    return Hit(span.group, first, bisect_right(starts, span.end) - 1, tokens[first].tag)


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
    """The words of a term for the speller; an open end with those usual endings that make a word of the vocabulary."""
    words = _words(term)
    if not words or not term.endswith("*"):
        return words
    vocabulary = load_vocabulary()
    whole = [words[-1] + ending for ending in _ENDINGS if words[-1] + ending in vocabulary]
    return [*words[:-1], *(whole or words[-1:])]


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
