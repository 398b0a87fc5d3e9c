"""The usual ways to hide words from a filter, each a pure function of a phrase and a seed."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable

_LEET = str.maketrans("oieastbg", "01345789")
_LEET_SIGNS = str.maketrans("aeislto", "@3!$1+0")
_CYRILLIC = str.maketrans("aceopxyisj", "асеорхуіѕј")
_GREEK = str.maketrans("aeiopuvt", "αειορυντ")
_SMALL_CAPITALS = str.maketrans("abcdefghijklmnoprstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ")


def _letters(offset_lower: int, offset_upper: int) -> Callable[[str, random.Random], str]:
    """Letters moved to another Unicode alphabet that starts at the two code points."""

    def move(text: str, _: random.Random) -> str:
        return "".join(
            chr(offset_lower + ord(c) - 97)
            if "a" <= c <= "z"
            else chr(offset_upper + ord(c) - 65)
            if "A" <= c <= "Z"
            else c
            for c in text
        )

    return move


def _inside(mark: str) -> Callable[[str, random.Random], str]:
    """`mark` once inside every word of three and more letters."""

    def insert(text: str, dice: random.Random) -> str:
        return " ".join(_cut(word, mark, dice) if len(word) > 2 else word for word in text.split(" "))

    return insert


def _cut(word: str, mark: str, dice: random.Random) -> str:
    at = dice.randrange(1, len(word))
    return word[:at] + mark + word[at:]


def _between(mark: str) -> Callable[[str, random.Random], str]:
    """`mark` between all letters of every word."""
    return lambda text, _: " ".join(mark.join(word) for word in text.split(" "))


def _swap(text: str, dice: random.Random) -> str:
    """Two neighbouring inner letters of every longer word swapped."""
    words: list[str] = []
    for word in text.split(" "):
        if len(word) >= 5:
            at = dice.randrange(1, len(word) - 2)
            word = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        words.append(word)
    return " ".join(words)


def _stretch(text: str, dice: random.Random) -> str:
    """One letter of every word three times."""
    words = [(word, dice.randrange(len(word))) for word in text.split(" ") if word]
    return " ".join(word[:at] + word[at] * 3 + word[at + 1 :] for word, at in words)


def _mask(text: str, dice: random.Random) -> str:
    """A star for one inner letter of every longer word."""
    words = [(word, dice.randrange(1, len(word) - 1) if len(word) > 3 else -1) for word in text.split(" ")]
    return " ".join(word if at < 0 else f"{word[:at]}*{word[at + 1 :]}" for word, at in words)


TECHNIQUES: dict[str, Callable[[str, random.Random], str]] = {
    "upper case": lambda text, _: text.upper(),
    "mixed case": lambda text, _: "".join(c.upper() if i % 2 else c for i, c in enumerate(text)),
    "leet digits": lambda text, _: text.translate(_LEET),
    "leet signs": lambda text, _: text.translate(_LEET_SIGNS),
    "spaced letters, wide gaps": lambda text, _: "   ".join(" ".join(word) for word in text.split(" ")),
    "spaced letters, even gaps": lambda text, _: " ".join(text.replace(" ", "")),
    "dots between": _between("."),
    "hyphens between": _between("-"),
    "stars between": _between("*"),
    "underscores between": _between("_"),
    "zero-width space": _between("\u200b"),
    "soft hyphen": _inside("\u00ad"),
    "word joiner": _inside("\u2060"),
    "combining marks": lambda text, _: "".join(c + "\u0336" if c.isalpha() else c for c in text),
    "accents": lambda text, _: unicodedata.normalize("NFC", "".join(c + "\u0301" if c in "aeiou" else c for c in text)),
    "full width": _letters(0xFF41, 0xFF21),
    "mathematical bold": _letters(0x1D41A, 0x1D400),
    "fraktur": _letters(0x1D586, 0x1D56C),
    "circled": _letters(0x24D0, 0x24B6),
    "squared": lambda text, _: "".join(chr(0x1F130 + ord(c) - 97) if "a" <= c <= "z" else c for c in text.lower()),
    "small capitals": lambda text, _: text.lower().translate(_SMALL_CAPITALS),
    "cyrillic look-alikes": lambda text, _: text.translate(_CYRILLIC),
    "greek look-alikes": lambda text, _: text.translate(_GREEK),
    "stretched": _stretch,
    "emoji inside": _inside("🍑"),
    "hyphen inside": _inside("-"),
    "blank inside": _inside(" "),
    "line break inside": _inside("\n"),
    "written line break": _inside("\\n"),
    "swapped letters": _swap,
    "masked letter": _mask,
    "reversed words": lambda text, _: " ".join(word[::-1] for word in text.split(" ")),
    "right-to-left override": lambda text, _: "\u202e" + text[::-1] + "\u202c",
    "glued": lambda text, _: text.replace(" ", ""),
    "brackets around letters": lambda text, _: " ".join("".join(f"({c})" for c in word) for word in text.split(" ")),
    "weights": lambda text, _: " ".join(f"({word}:1.3)" for word in text.split(" ")),
    "underscored": lambda text, _: text.replace(" ", "_"),
    "html entities": lambda text, _: "".join(f"&#{ord(c)};" if c in "aeiou" else c for c in text),
    "percent escapes": lambda text, _: "".join(f"%{ord(c):02x}" if c in "aeiou" else c for c in text),
}


def obfuscate(technique: str, text: str, seed: int = 0) -> str:
    """`text` hidden by the technique of that name; the same seed gives the same result."""
    return TECHNIQUES[technique](text, random.Random(f"{technique} {text} {seed}"))
