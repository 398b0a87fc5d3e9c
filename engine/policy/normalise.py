"""Levelling of spelling: one plain lower-case text for everything that reads the same, with offsets back.

Pure, deterministic, idempotent and linear in time. Undone here: width, case and letter styles (NFKC, small capitals,
enclosed and mathematical letters), accents outside kana, Hangul and the scripts of India and South-East Asia, invisible
characters, right-to-left overrides, HTML and percent escapes, backslash escapes. Spelling tricks that need a vocabulary
are undone in `respell`.
"""

from __future__ import annotations

import html
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from anyascii import anyascii

_OVERRIDES = "\u202e\u2067"
_OVERRIDE_ENDS = "\u202c\u2069"
_QUOTES = "\u2018\u2019\u201b\u2032\u02bc\u0060\u00b4\uff07"
_BLANKS = "\u3164\u115f\u1160\uffa0\u2800\ufffc\ufffd"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2212"
_STYLED = (
    "LATIN",
    "MATHEMATICAL",
    "NEGATIVE",
    "SQUARED",
    "REGIONAL",
    "PARENTHESIZED LATIN",
    "BRAILLE",
    "LISU",
    "MODIFIER",
)
_VOICE_MARKS = "\u3099\u309a\uff9e\uff9f"
_LONGEST_ENTITY = 12
_FIRST_ABUGIDA, _LAST_ABUGIDA = "\u0900", "\u0eff"  # Devanagari … Lao: their marks are vowels, not accents
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Folded:
    """Levelled text; `positions[i]` is where the character that became `text[i]` stood."""

    text: str
    positions: list[int]


def fold(text: str, positions: list[int] | None = None) -> Folded:
    """`text` levelled; `positions` maps its characters to an original, the identity when left out."""
    places = list(range(len(text))) if positions is None else positions
    text, places = _turn_overrides(text, places)
    writer = _Writer()
    for character, place in zip(text, places, strict=True):
        if character in _VOICE_MARKS and writer.voice(character):
            continue
        for folded in fold_character(character):
            writer.push(folded, place)
    return Folded("".join(writer.characters), writer.places)


class _Writer:
    """Collects folded characters and undoes escapes the moment their last character arrives (hence one pass)."""

    __slots__ = ("characters", "places")

    def __init__(self) -> None:
        self.characters: list[str] = []
        self.places: list[int] = []

    def push(self, character: str, place: int) -> None:
        self.characters.append(character)
        self.places.append(place)
        if character == ";":
            self._undo_entity()
        elif character in _HEX:
            self._undo_percent()

    def voice(self, mark: str) -> bool:
        """Make か and a mark of its own into が; False where the last letter takes no mark."""
        mark = unicodedata.normalize("NFKC", mark)
        voiced = unicodedata.normalize("NFC", self.characters[-1] + mark) if self.characters else ""
        if len(voiced) != 1:
            return False
        self.characters[-1] = voiced
        return True

    def _replace(self, start: int, text: str) -> None:
        place = self.places[start]
        del self.characters[start:], self.places[start:]
        for folded in (f for character in text for f in fold_character(character)):
            self.push(folded, place)

    def _undo_entity(self) -> None:
        for start in range(len(self.characters) - 3, max(-1, len(self.characters) - _LONGEST_ENTITY), -1):
            if self.characters[start] == "&":
                entity = "".join(self.characters[start:])
                plain = html.unescape(entity)
                if len(plain) == 1:
                    self._replace(start, plain)
                return

    def _undo_percent(self) -> None:
        if len(self.characters) >= 3 and self.characters[-3] == "%" and self.characters[-2] in _HEX:
            code = int("".join(self.characters[-2:]), 16)
            if code == 32 or (chr(code).isalpha() and code < 128):
                self._replace(len(self.characters) - 3, chr(code))


@lru_cache(maxsize=16384)
def fold_character(character: str) -> str:
    """What one character reads as: nothing, itself, or plain letters."""
    for _ in range(4):
        folded = "".join(_fold_once(c) for c in character)
        if folded == character:
            return folded
        character = folded
    return character


def _fold_once(character: str) -> str:
    if character.isascii():
        return _fold_ascii(character)
    if _FIRST_ABUGIDA <= character <= _LAST_ABUGIDA:
        return unicodedata.normalize("NFKC", character)
    category = unicodedata.category(character)
    if character in _BLANKS or category in ("Cf", "Mn", "Me", "Cc", "Cs", "Co", "Cn"):
        return ""
    if category in ("Zs", "Zl", "Zp"):
        return " "
    if character in _QUOTES:
        return "'"
    if character in _DASHES:
        return "-"
    if is_unspaced(character):
        return unicodedata.normalize("NFKC", character).casefold()
    return _plain_letters(character)


def _fold_ascii(character: str) -> str:
    if character in "\t\n\r\v\f":
        return " "
    return "'" if character == "`" else character.lower() if character.isprintable() else ""


def _plain_letters(character: str) -> str:
    """Without accents and styles: `é` and `𝔢` give `e`, `ł` gives `l`, `ж` stays."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.category(c).startswith("M"))
    folded = bare.casefold()
    if folded.isascii():
        return folded
    if unicodedata.name(character, "").startswith(_STYLED):
        plain = anyascii(folded).lower()
        return plain if plain.isalnum() else folded
    return folded


def is_unspaced(character: str) -> bool:
    """Whether the character's script is written without spaces between words, or composes marks into letters."""
    code = ord(character)
    return 0x3040 <= code <= 0x30FF or 0x3400 <= code <= 0x9FFF or 0xAC00 <= code <= 0xD7AF or 0xFF66 <= code <= 0xFF9F


def _turn_overrides(text: str, places: list[int]) -> tuple[str, list[int]]:
    """Text between a right-to-left override and its end, in the order in which it is seen."""
    if not any(mark in text for mark in _OVERRIDES):
        return text, places
    order: list[int] = []
    start = -1
    for index, character in enumerate(text + _OVERRIDE_ENDS[0]):
        ends = character in _OVERRIDE_ENDS or index == len(text)
        if start >= 0 and ends:
            order.extend(range(index - 1, start, -1))
            start = -1
        elif character in _OVERRIDES and start < 0:
            start = index
        elif start < 0 and index < len(text):
            order.append(index)
    return "".join(text[index] for index in order), [places[index] for index in order]
