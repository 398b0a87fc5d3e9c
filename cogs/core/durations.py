"""Lengths of time as moderators type them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from domain import InvalidRequest

UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
LONGEST = timedelta(days=3650)


def parse_end(text: str | None, now: datetime) -> datetime | None:
    """`30m`, `12h`, `7d` or `2 weeks` from now; None stays None (for ever). Raises InvalidRequest."""
    if text is None or not text.strip():
        return None
    match = re.fullmatch(r"\s*(\d{1,5})\s*([mhdw])[a-z]*\s*", text.casefold())
    length = int(match[1]) * UNITS[match[2]] if match else timedelta(0)
    if not timedelta(0) < length <= LONGEST:
        raise InvalidRequest("Write how long as a number with m, h, d or w, for example 30m, 12h, 7d or 2w.")
    return now + length
