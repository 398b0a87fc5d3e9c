"""Challenges: a theme, anonymous entries, votes, winners."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from domain.frozen import frozen

MAX_DURATION = timedelta(days=60)
MAX_THEMES = 20


class ChallengeStatus(StrEnum):
    """The life of a challenge."""

    OPEN = "open"
    ENDED = "ended"
    CANCELLED = "cancelled"


@frozen
class Challenge:
    """One round. `themes` of a recurring challenge take turns; `repeat_seconds` is its period."""

    id: int
    guild_id: int
    channel_id: int
    themes: tuple[str, ...]
    round: int
    status: ChallengeStatus
    created_by: int
    starts_at: datetime
    ends_at: datetime
    repeat_seconds: int | None
    message_id: int | None
    results_message_id: int | None

    @property
    def theme(self) -> str:
        return self.themes[self.round % len(self.themes)]


@frozen
class ChallengeEntry:
    """One picture in a challenge; `votes` is None until the end."""

    id: int
    challenge_id: int
    number: int
    user_id: int
    job_id: int
    message_id: int | None
    votes: int | None
    is_winner: bool


@frozen
class Victory:
    """One line of the hall of fame."""

    theme: str
    user_id: int
    job_id: int
    votes: int
    ended_at: datetime
