"""Lengths of time as people type them: `30m`, `12h`, `7d`, `2 weeks`, `2d 12h`."""

from __future__ import annotations

import re
from datetime import timedelta

from domain.errors import InvalidRequest

UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
LONGEST = timedelta(days=3650)

_PART = re.compile(
    r"\s*(\d{1,5})\s*(?:(m)(?:in(?:ute)?s?)?|(h)(?:(?:ou)?rs?)?|(d)(?:ays?)?|(w)(?:eeks?)?)(?![a-z])[\s,]*",
    re.IGNORECASE,
)


def parse_duration(text: str, longest: timedelta = LONGEST) -> timedelta:
    """The length of time, more than nothing and at most `longest`. Raises InvalidRequest."""
    total, position = timedelta(), 0
    while match := _PART.match(text, position):
        number, *units = match.groups()
        total += int(number) * UNITS[next(unit for unit in units if unit).casefold()]
        position = match.end()
    if position != len(text) or not timedelta(0) < total <= longest:
        raise InvalidRequest(
            "Write how long as numbers with m, h, d or w, for example 30m, 12h, 7d, 2 weeks or 2d 12h, "
            f"and {longest.days} days at most."
        )
    return total


def parse_optional_duration(text: str | None, longest: timedelta = LONGEST) -> timedelta | None:
    """The length of time; None for None and for nothing but spaces (no end). Raises InvalidRequest."""
    return parse_duration(text, longest) if text is not None and text.strip() else None
