"""Picture credits: whose they are, how many a rule gives, where a member stands. Amounts are millicredits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import overload

from domain.frozen import frozen
from domain.requests import Origin

MILLICREDITS = 1000
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Spends = tuple[tuple[datetime, int], ...]


class QuotaKind(StrEnum):
    """Whom a rule, grant or reset is meant for, strongest first; `SERVER` is a server's budget as a whole.

    One more needs its line in db/quota_sql.py (to whom it applies, how strong it is), a migration (the tables list
    them), an option in `choose` of cogs/moderation/quota.py, and a name in `subject_name` of quota_cards.py.
    """

    MEMBER = "member"
    ROLE = "role"
    CHANNEL = "channel"
    EVERYONE = "everyone"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class QuotaSubject:
    """One member, role or channel (by id), or with id 0 everyone or the server as a whole."""

    kind: QuotaKind
    id: int = 0

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"

    @property
    def target(self) -> str:
        """What the audit log calls it."""
        return str(self) if self.id else self.kind


@frozen
class QuotaDefaults:
    """What holds where no server has decided anything; credits are millicredits."""

    per_hour: int = 60_000
    per_day: int = 600_000
    max_jobs: int = 10


@frozen
class Asker:
    """Whose quota, and where: `channel_id` is the channel, never a thread; `guild_id` is 0 in direct messages."""

    user_id: int
    guild_id: int = 0
    channel_id: int = 0
    role_ids: tuple[int, ...] = ()

    @classmethod
    def of(cls, origin: Origin) -> Asker:
        return cls(
            user_id=origin.user_id,
            guild_id=origin.place.guild_id or 0,
            channel_id=origin.parent_channel_id or origin.place.channel_id,
            role_ids=origin.role_ids,
        )


@frozen
class Budget:
    """What a whole server may spend; None where the bot's owner set no limit. Millicredits."""

    per_hour: int | None
    per_day: int | None
    max_jobs: int | None
    used_hour: int
    used_day: int
    open_jobs: int

    @property
    def left(self) -> int | None:
        rooms = [
            limit - used
            for limit, used in ((self.per_hour, self.used_hour), (self.per_day, self.used_day))
            if limit is not None
        ]
        return max(min(rooms), 0) if rooms else None


@frozen
class QuotaStanding:
    """Limits, what is used of them and by which rule they hold. Millicredits; windows roll.

    A `*_source` is whose rule decides the value, or None for the bot's default. `allowance` is what is left of the
    refilling limits, `extra` what is left of granted credits; `*_spends` are the times and amounts that still count.
    """

    per_hour: int
    per_day: int
    max_jobs: int
    used_hour: int
    used_day: int
    open_jobs: int
    allowance: int
    extra: int
    weight: float
    guild_weight: float
    hour_source: QuotaSubject | None
    day_source: QuotaSubject | None
    jobs_source: QuotaSubject | None
    weight_source: QuotaSubject | None
    budget: Budget
    hour_spends: Spends
    day_spends: Spends

    @property
    def left(self) -> int:
        return self.allowance + self.extra

    def free_at(self, cost: int, now: datetime) -> datetime | None:
        """When the rolling limits allow `cost`, if nothing else is spent; None if it is more than they ever hold."""
        needed = max(cost - self.extra, 0)
        hour = _free_at(self.hour_spends, self.per_hour, needed, HOUR, now)
        day = _free_at(self.day_spends, self.per_day, needed, DAY, now)
        return None if hour is None or day is None else max(hour, day)

    def refills_at(self, now: datetime) -> datetime | None:
        """When the next credits come back; None if nothing is used."""
        spends = self.hour_spends or self.day_spends
        if not spends:
            return None
        return self.free_at(self.left + 1, now) or spends[0][0] + (HOUR if self.hour_spends else DAY)


def _free_at(spends: Spends, limit: int, needed: int, window: timedelta, now: datetime) -> datetime | None:
    if needed > limit:
        return None
    used, moment = sum(amount for _, amount in spends), now
    for spent_at, amount in spends:
        if limit - used >= needed:
            break
        used -= amount
        moment = spent_at + window
    return moment


@frozen
class QuotaLimits:
    """What a rule decides; None: this rule does not decide it. Credits are millicredits."""

    per_hour: int | None = None
    per_day: int | None = None
    max_jobs: int | None = None
    weight: float | None = None


@frozen
class QuotaRule(QuotaLimits):
    """The limits of a subject, who set them and why."""

    guild_id: int
    subject: QuotaSubject
    reason: str = ""
    actor_id: int = 0
    set_at: datetime
    expires_at: datetime | None = None


class LedgerKind(StrEnum):
    """What a row of the ledger is."""

    GRANT = "grant"
    RESET = "reset"
    SPEND = "spend"
    REFUND = "refund"


@frozen
class LedgerEntry:
    """One row: `amount` in millicredits, negative for a spend; `grant_id` names whose extra credits were spent."""

    id: int
    kind: LedgerKind
    guild_id: int
    subject: QuotaKind
    subject_id: int | None
    amount: int
    job_id: int | None
    grant_id: int | None
    actor_id: int | None
    reason: str
    created_at: datetime
    expires_at: datetime | None


@frozen
class MemberCredits:
    """What a member reads of their quota: `prices` are the usual pictures' by name, in millicredits."""

    user_id: int
    standing: QuotaStanding
    prices: Mapping[str, int]
    refills_at: datetime | None


@frozen
class SubjectCredits:
    """What moderators decided for a role, a channel or everyone.

    `spent_hour` and `spent_day` are what all spent there together, None where that can't be said. Millicredits.
    """

    subject: QuotaSubject
    rule: QuotaRule | None
    spent_hour: int | None = None
    spent_day: int | None = None


@frozen
class QuotaExplanation:
    """Which rules decide about a member in one channel; `rules` are all that concern them, strongest first."""

    user_id: int
    standing: QuotaStanding
    rules: tuple[QuotaRule, ...]


@frozen
class QuotaOverview:
    """All that a server's moderators have decided: rules in force, and grants of which something may be left."""

    rules: tuple[QuotaRule, ...]
    grants: tuple[LedgerEntry, ...]


# ---- credits in words ------------------------------------------------------------------------------------------------


def credits_in_digits(millicredits: int) -> str:
    """`1`, `1.6`, `1,200`, `0.25`: as fine as people care, never rounded to nothing."""
    digits = 1 if millicredits >= MILLICREDITS else 2
    amount = f"{millicredits / MILLICREDITS:,.{digits}f}".rstrip("0").rstrip(".") if millicredits else "0"
    return "0.01" if amount == "0" and millicredits > 0 else amount


def credits_in_words(millicredits: int) -> str:
    """`1 credit`, `1.6 credits`."""
    amount = credits_in_digits(millicredits)
    return f"{amount} credit" if amount == "1" else f"{amount} credits"


@overload
def to_millicredits(credits: float) -> int: ...
@overload
def to_millicredits(credits: float | None) -> int | None: ...
def to_millicredits(credits: float | None) -> int | None:
    """Credits as people type them, in thousandths; None stays None."""
    return None if credits is None else round(credits * MILLICREDITS)
