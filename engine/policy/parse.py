"""Prompt syntax: which texts the model may come to see.

`[a|b]` and `[a:b:0.5]` mean alternatives elsewhere; here all of it is painted, whole numbers too. `BREAK` parts a
prompt, `(a:1.3)` weighs, `\\(` is a plain bracket; `AND` is a word like any other. `branches` gives the text with all
alternatives side by side and, where there are any, the text as it reads with the first, second and third alternative
everywhere, so that no branch goes unread. Every text comes with the offsets of its characters in the prompt. Linear in
the prompt's length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_DEPTH = 20
MAX_BRANCHES = 3
_WEIGHT = re.compile(r"\s*\+?(?:0*[01]?\.\d+|0*[0-2]\.?0*)\s*")
_MOMENT = re.compile(r"\s*0?\.\d+\s*")
_PARTNERS = {")": "(", "]": "["}
_SECTION = "BREAK"


@dataclass(frozen=True, slots=True)
class Branch:
    """One reading of a prompt; `positions[i]` is where `text[i]` stands in it."""

    text: str
    positions: list[int]


Piece = tuple[str, int]


@dataclass(slots=True)
class _Choice:
    """A square bracket: its alternatives, each a list of pieces and further choices."""

    options: list[list[Piece | _Choice]] = field(default_factory=lambda: [[]])


def branches(prompt: str) -> list[Branch]:
    """Every reading of `prompt`, the complete one first; at most MAX_BRANCHES + 1."""
    pieces = _strip_weights(_part_sections(prompt))
    if "[" not in prompt:
        return [_render(list(pieces), None)]
    tree = _read(pieces)
    widest = _widest(tree)
    readings: list[int | None] = [None, *range(min(widest, MAX_BRANCHES))] if widest > 1 else [None]
    return [_render(tree, reading) for reading in readings]


def _part_sections(prompt: str) -> list[Piece]:
    """The prompt's characters with BREAK turned into commas."""
    pieces = [(character, index) for index, character in enumerate(prompt)]
    at = prompt.find(_SECTION)
    while at >= 0:
        end = at + len(_SECTION)
        if not (prompt[at - 1 : at].isalnum() or prompt[end : end + 1].isalnum()):
            pieces[at:end] = [(",", index) for index in range(at, end)]
        at = prompt.find(_SECTION, end)
    return pieces


def _strip_weights(pieces: list[Piece]) -> list[Piece]:
    """Without the numbers of `(a:1.3)`, which would otherwise read as words.

    Only what the pipeline surely takes as a weight goes: behind the last colon of a bracket that was opened, is no
    Danbooru qualifier (`a_(b)`) and not escaped. Any other number is painted, and so it is read.
    """
    kept: list[Piece] = []
    opened: list[str] = []  # each bracket with the character before it
    colon = -1
    before = ""
    for piece in pieces:
        character = piece[0]
        if character in "()[]" and before == "\\":
            colon, opened = -1, []
        elif character in "([":
            colon = -1
            opened.append(before + character)
        elif character in ")]" and opened and opened[-1][-1] == _PARTNERS[character]:
            opening = opened.pop()
            if opening[-1] == "(" and opening != "_(" and colon >= 0 and _is_weight(kept[colon + 1 :]):
                del kept[colon:]
            colon = -1
        elif character == ":":
            colon = len(kept)
        kept.append(piece)
        before = character
    return kept


def _is_weight(pieces: list[Piece]) -> bool:
    return _WEIGHT.fullmatch("".join(character for character, _ in pieces)) is not None


def _read(pieces: list[Piece]) -> list[Piece | _Choice]:
    """The square brackets as a tree; an unclosed one counts as closed at the end, one too deep as plain text."""
    root = _Choice()
    stack = [root]
    escaped = False
    for piece in pieces:
        character = piece[0]
        inside = len(stack) > 1
        if escaped or character == "\\":
            escaped = not escaped and character == "\\"
            stack[-1].options[-1].append(piece)
        elif character == "[" and len(stack) <= MAX_DEPTH:
            choice = _Choice()
            stack[-1].options[-1].append(choice)
            stack.append(choice)
        elif character == "]" and inside:
            _drop_moment(stack.pop())
        elif character in "|:" and inside:
            stack[-1].options.append([])
        else:
            stack[-1].options[-1].append(piece)
    return root.options[0]


def _drop_moment(choice: _Choice) -> None:
    """Forget the `0.5` of `[a:b:0.5]`, which says when, not what. Whole numbers stay: they are painted."""
    last = choice.options[-1]
    text = "".join(piece[0] if isinstance(piece, tuple) else "[" for piece in last)
    if len(choice.options) > 1 and _MOMENT.fullmatch(text):
        choice.options.pop()


def _widest(tree: list[Piece | _Choice]) -> int:
    """How many alternatives the widest choice has."""
    widest = 1
    waiting = [tree]
    while waiting:
        for piece in waiting.pop():
            if isinstance(piece, _Choice):
                widest = max(widest, len(piece.options))
                waiting.extend(piece.options)
    return widest


def _render(tree: list[Piece | _Choice], reading: int | None) -> Branch:
    """The text with alternative number `reading` everywhere, or with all of them when it is None."""
    characters: list[str] = []
    positions: list[int] = []

    def write(pieces: list[Piece | _Choice]) -> None:
        for piece in pieces:
            if isinstance(piece, tuple):
                characters.append(piece[0])
                positions.append(piece[1])
            elif reading is None:
                write_all(piece)
            else:
                write(piece.options[min(reading, len(piece.options) - 1)])

    def write_all(choice: _Choice) -> None:
        for index, option in enumerate(choice.options):
            if index:
                characters.append(" ")
                positions.append(positions[-1] if positions else 0)
            write(option)

    write(tree)
    return Branch("".join(characters), positions)
