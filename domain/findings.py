"""What a look at the bot's surroundings found: one line of `python bot.py --check`."""

from __future__ import annotations

from enum import StrEnum

from domain.frozen import frozen


class Health(StrEnum):
    """FAIL: the bot can't start so. WARN: it can, but something will not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@frozen
class Finding:
    """`name` is what was looked at, `words` is what it is like or what to do."""

    name: str
    words: str
    health: Health = Health.OK
