"""Something that does not work at the moment."""

from __future__ import annotations

from datetime import datetime

from domain.frozen import frozen


@frozen
class Problem:
    """`error` is the latest one, `reference` is what the log shows with it, `times` how often it came."""

    name: str
    error: str
    since: datetime
    times: int
    reference: str
