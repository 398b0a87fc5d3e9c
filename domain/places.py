"""Where a request comes from, and how strictly that place is judged."""

from __future__ import annotations

from enum import StrEnum

from domain.frozen import frozen

# The server id of what holds or happened in direct messages or everywhere.
EVERYWHERE = 0


class SafetyLevel(StrEnum):
    """How strictly a place is judged; strictest first."""

    STRICT = "strict"  # direct messages
    STANDARD = "standard"  # ordinary channels
    ADULT = "adult"  # age-restricted channels whose moderators opted in


@frozen
class Place:
    """Where a request comes from; `guild_id` is None in direct messages.

    `adult_opt_in` and `is_strict` are what the channel's moderators chose.
    """

    guild_id: int | None = None
    channel_id: int = 0
    age_restricted: bool = False
    adult_opt_in: bool = False
    is_strict: bool = False

    @property
    def level(self) -> SafetyLevel:
        if self.guild_id is None or self.is_strict:
            return SafetyLevel.STRICT
        if self.age_restricted and self.adult_opt_in:
            return SafetyLevel.ADULT
        return SafetyLevel.STANDARD
