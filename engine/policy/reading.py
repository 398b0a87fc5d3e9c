"""A prompt as the policy reads it: every branch, as written and with spelling tricks undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from engine.policy import patterns
from engine.policy.matching import GUARDED, Found, Groups, Hit, Lexicon
from engine.policy.normalise import Folded, fold
from engine.policy.parse import branches
from engine.policy.respell import Speller
from engine.policy.tokens import Token, read, repair

AMBIGUOUS = "b.ambiguous"
"""The group of words on clause b's axes that mostly mean something else: alone they are a suspicion, no evidence."""


_MAX_APART = 250
"""In longer texts phrases parted by commas are not looked for: it costs a search of its own."""


class Evidence(Enum):
    """How well the words behind a rule that fires are known."""

    SURE = auto()  # written so, or hidden by a trick that can be seen
    GUESSED = auto()  # a spelling that is merely near, or a word that mostly means something else
    COVERED = auto()  # inside a harmless phrase or beside an excusing word, in a tag that names a person


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a prompt: its words, and what they name."""

    tokens: list[Token]
    found: Found
    apart: Groups = field(default_factory=dict[str, list[Hit]])
    """Phrases whose words are tags of their own each, one behind the other: `bare, breasts`."""

    def stages(self) -> Iterator[tuple[Groups, Evidence]]:
        """What the words name by the best evidence, then what more they may name."""
        sure, groups = self.sure(), _together(self.found.groups, self.apart)
        yield sure, Evidence.SURE
        if sure is not groups:
            yield groups, Evidence.GUESSED
        if self.found.doubtful:
            yield _together(groups, self.found.doubtful), Evidence.COVERED

    def sure(self) -> Groups:
        """The hits that stand there as written, or behind a trick that can be seen; on minors, unambiguous ones."""
        vague = self.found.groups.get(AMBIGUOUS, ())
        if not vague and not any(token.guessed for token in self.tokens):
            return self.found.groups
        kept = {
            group: [hit for hit in hits if not self._is_guessed(hit) and not _is_vague(hit, vague)]
            for group, hits in self.found.groups.items()
        }
        return {group: hits for group, hits in kept.items() if hits}

    def _is_guessed(self, hit: Hit) -> bool:
        return any(token.guessed for token in self.tokens[hit.first : hit.last + 1])


def _together(groups: Groups, more: Groups) -> Groups:
    """Both in one; `groups` itself where there is nothing more."""
    if not more:
        return groups
    return {name: [*groups.get(name, ()), *more.get(name, ())] for name in {*groups, *more}}


def _is_vague(hit: Hit, vague: Sequence[Hit]) -> bool:
    """Whether a hit on an axis of clause b is a word that mostly means something else."""
    return hit.group.startswith(GUARDED) and any(other.first <= hit.first and hit.last <= other.last for other in vague)


class Reader:
    """Turns prompts into readings; holds the lexicon and the speller of a rule set, or none to respell nothing."""

    def __init__(self, lexicon: Lexicon, speller: Speller | None) -> None:
        self.lexicon = lexicon
        self.speller = speller

    def readings(self, prompt: str) -> list[Reading]:
        """The readings of `prompt`, at least one; the last is the complete text with its tricks undone."""
        read_so_far = list(self._readings(prompt))
        read_so_far.reverse()
        return read_so_far

    def _readings(self, prompt: str) -> Iterator[Reading]:
        for branch in branches(prompt):
            folded = fold(branch.text, branch.positions)
            tokens = read(folded)
            repaired = repair(folded, tokens, self.speller) if self.speller else tokens
            yield self._reading(folded, repaired)
            if repaired is not tokens:
                yield self._reading(folded, tokens)

    def _reading(self, folded: Folded, tokens: list[Token]) -> Reading:
        found = self.lexicon.find(tokens)
        groups = found.groups
        for hit in patterns.find(folded, tokens):
            groups.setdefault(hit.group, []).append(hit)
        return Reading(tokens, found, self._apart(tokens))

    def _apart(self, tokens: list[Token]) -> Groups:
        """The phrases that stand there once the commas between one-word tags are gone."""
        if len(tokens) > _MAX_APART:
            return {}
        sizes = Counter(token.tag for token in tokens)
        alone = [sizes[token.tag] == 1 for token in tokens]
        joined = list(tokens)
        for index in range(1, len(tokens)):
            if alone[index] and alone[index - 1]:
                joined[index] = replace(tokens[index], tag=joined[index - 1].tag)
        groups = self.lexicon.find(joined).groups if joined != tokens else {}
        phrases = {
            group: [hit for hit in hits if tokens[hit.first].tag < tokens[hit.last].tag]
            for group, hits in groups.items()
        }
        return {group: hits for group, hits in phrases.items() if hits}


def places(reading: Reading, hits: tuple[Hit, ...]) -> Iterator[tuple[int, int]]:
    """Where in the prompt the hits stand."""
    for hit in hits:
        yield reading.tokens[hit.first].start, reading.tokens[hit.last].end
