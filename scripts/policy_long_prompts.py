"""Long prompts for the policy's training, up to 250 words in several styles, and short ones hidden in them."""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_WORDS = 250
_SLOT = re.compile(r"\{(\w+)\}")
_AGE = re.compile(
    r"baby|boy|child|daughter|girl|kid|little|mini|nurser|orphan|playground|pupil|school|\bson\b|teen|toddler|twin"
    r"|young|chibi|\bmoe\b|sailor|serafuku|uniform|toy|teddy|class|birthday",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Style:
    """One author's way to write: an opening, sentences in any order, a close."""

    name: str
    count: int
    least: int
    most: int
    start: Sequence[str]
    body: Sequence[str]
    end: Sequence[str]
    join: str = " "


class LongPrompts:
    """Composes long prompts from a document of slots and styles; `lines` are harmless prompts to strew in."""

    def __init__(self, path: Path, lines: Sequence[str]) -> None:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        self._slots: dict[str, Sequence[str]] = document["slots"] | {"written": lines}
        self.styles = [Style(**style) for style in document["style"]]

    def harmless(self, style: Style, dice: random.Random) -> str:
        """A harmless prompt of this style."""
        return self._joined(style, self._parts(style, dice), dice)

    def around(self, text: str, dice: random.Random, *, grown_up: bool) -> str:
        """A harmless prompt with `text` hidden in it; with `grown_up` nothing in it speaks of children."""
        while True:
            style = dice.choice(self.styles)
            parts = self._parts(style, dice)
            if not (grown_up and _AGE.search(" ".join(parts))):
                break
        while sum(map(words, parts)) + words(text) > MAX_WORDS:
            parts.pop()
        parts.insert(dice.randint(0, len(parts)), text.rstrip(" .,") + ("" if style.join != " " else "."))
        return self._joined(style, parts, dice)

    def _parts(self, style: Style, dice: random.Random) -> list[str]:
        count = min(dice.randint(style.least, style.most), len(style.body))
        chosen = [dice.choice(style.start), *dice.sample(style.body, count), dice.choice(style.end)]
        parts = [part for part in (fill(part, self._slots, dice) for part in chosen) if part]
        while sum(map(words, parts)) > MAX_WORDS:
            parts.pop()
        return parts

    def _joined(self, style: Style, parts: Sequence[str], dice: random.Random) -> str:
        if style.join == " ":
            parts = [part[:1].upper() + part[1:] for part in parts]
            text = " ".join(parts)
            return text.lower() if dice.random() < 0.15 else text
        return style.join.join(part.rstrip(".") for part in parts)


def fill(text: str, slots: dict[str, Sequence[str]], dice: random.Random) -> str:
    """`text` with an entry of the list for each slot, slots in the entries filled too."""
    while found := _SLOT.search(text):
        text = text[: found.start()] + dice.choice(slots[found.group(1)]) + text[found.end() :]
    return text.strip()


def words(text: str) -> int:
    return len(text.split())
