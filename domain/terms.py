"""The terms that every member agrees to."""

from __future__ import annotations

from domain.frozen import frozen


@frozen
class Terms:
    """`restrictions` are (letter, words) of the licence's Attachment A, in its order, in plain words."""

    version: str
    notice: str
    restrictions: tuple[tuple[str, str], ...]
    licence_name: str
    attribution: str
