"""A prompt as the policy reads it: every branch, as written and with spelling tricks undone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.policy import patterns
from engine.policy.matching import Found, Hit, Lexicon
from engine.policy.normalise import Folded, fold
from engine.policy.parse import branches
from engine.policy.respell import Speller
from engine.policy.tokens import Token, read, repair


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a prompt: its words, and what they name."""

    tokens: list[Token]
    found: Found


class Reader:
    """Turns prompts into readings; holds the lexicon and the speller of a rule set."""

    def __init__(self, lexicon: Lexicon, speller: Speller) -> None:
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
            repaired = repair(folded, tokens, self.speller)
            yield self._reading(folded, repaired)
            if repaired is not tokens:
                yield self._reading(folded, tokens)

    def _reading(self, folded: Folded, tokens: list[Token]) -> Reading:
        found = self.lexicon.find(tokens)
        groups = found.groups
        for hit in patterns.find(folded, tokens):
            groups.setdefault(hit.group, []).append(hit)
        return Reading(tokens, found)


def places(reading: Reading, hits: tuple[Hit, ...]) -> Iterator[tuple[int, int]]:
    """Where in the prompt the hits stand."""
    for hit in hits:
        yield reading.tokens[hit.first].start, reading.tokens[hit.last].end
