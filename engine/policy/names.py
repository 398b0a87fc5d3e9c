"""Ambiguous words inside names and crafts: what counts where the semantic model has no opinion.

A short tag such as `elena guro` or `by gorelick` gives the model too few words. An ambiguous or guessed word in it is
read as a name if all other words are rare, given names or particles, or if it follows "by"; and as harmless beside a
word of the group "craft".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from engine.policy.matching import Hit
from engine.policy.respell import load_vocabulary
from engine.policy.tokens import Token

CRAFT = "craft"
_RARE_RANK = 8_000
_MAX_WORDS = 4
_BEFORE_NAMES = frozenset(("by", "artist", "photographer", "painter", "director"))
_NAMES_BEFORE_HIT = 3
GIVEN_NAME = "given_name"
_PARTICLE_WORDS = "al bin da dal de del den der di do dos du el ibn la le los of st van vander von y"
_PARTICLES = frozenset(_PARTICLE_WORDS.split())


def reads_as_name(tokens: Sequence[Token], hits: Sequence[Hit], groups: Mapping[str, Sequence[Hit]]) -> bool:
    """Whether every one of the hits stands in a tag that is a name, or names a craft."""
    crafts = {hit.tag for hit in groups.get(CRAFT, ())}
    given = {hit.first for hit in groups.get(GIVEN_NAME, ())}
    return all(hit.tag in crafts or _is_in_name(tokens, hit, given) for hit in hits)


def _is_in_name(tokens: Sequence[Token], hit: Hit, given: Collection[int]) -> bool:
    before = [token.text for token in tokens[max(0, hit.first - _NAMES_BEFORE_HIT) : hit.first] if token.tag == hit.tag]
    if not _BEFORE_NAMES.isdisjoint(before):
        return True
    own = {
        (token.start, token.end) for token in tokens[hit.first : hit.last + 1]
    }  # the other half of a parted word too
    others = [at for at, token in enumerate(tokens) if token.tag == hit.tag and (token.start, token.end) not in own]
    return 0 < len(others) < _MAX_WORDS and all(at in given or _is_rare(tokens[at].text) for at in others)


def _is_rare(word: str) -> bool:
    return word in _PARTICLES or (
        word.isascii() and word.isalpha() and load_vocabulary().get(word, _RARE_RANK) >= _RARE_RANK
    )
