"""Strikes: repeated refused prompts, and what they lead to."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from domain.frozen import frozen
from domain.settings import GuildSettings


class Rung(StrEnum):
    """What live strikes lead to, lowest first."""

    NONE = "none"
    WARN = "warn"
    SLOW = "slow"
    PAUSE = "pause"


@frozen
class Refusal:
    """A refused prompt, as far as the ladder cares."""

    user_id: int
    prompt_sha256: str
    is_hard: bool
    decided_at: datetime


@frozen
class Strike:
    """One strike; a lifted one counts no more. `decision_id` is the refusal that it is for, while that is stored."""

    id: int
    user_id: int
    clause: str | None
    created_at: datetime
    expires_at: datetime
    decision_id: int | None = None
    lifted_by: int | None = None
    lifted_at: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        return self.lifted_at is None and self.expires_at > now


@frozen
class Penalty:
    """Where a member stands on the ladder: a pause ends at `until`."""

    count: int = 0
    rung: Rung = Rung.NONE
    until: datetime | None = None
    moderators_told: bool = False


@frozen
class DryRun:
    """What a ladder would have done to one member: refusals seen, strikes given, the highest rung, told or not."""

    user_id: int
    refusals: int
    strikes: int
    rung: Rung
    moderators_told: bool


@frozen
class StrikeRecord:
    """A member's strikes in one server: the live ones, oldest first, how many are past, and what they lead to."""

    user_id: int
    live: tuple[Strike, ...]
    past: int
    penalty: Penalty
    settings: GuildSettings


@frozen
class LadderTrial:
    """What the ladder of `settings` would have done in the last days, most strikes first."""

    days: int
    settings: GuildSettings
    outcomes: tuple[DryRun, ...]


@frozen
class StrikeNews:
    """A member reached the ladder's last rung. `review_channel_id` None: the server has nobody who wants to know."""

    id: int
    user_id: int
    live: int
    review_channel_id: int | None


NO_PENALTY = Penalty()
