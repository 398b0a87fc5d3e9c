"""Quota rules that moderators set, and where a member stands under them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import aiosqlite

from db import audit
from db.codec import to_datetime, to_seconds
from db.database import Database, fetch_one
from db.quota_sql import DAY, HOUR, STANDING, Asker, QuotaDefaults, parameters

SUBJECTS = ("member", "role", "channel", "everyone", "server")

Source = Database | aiosqlite.Connection
Spends = tuple[tuple[datetime, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaStanding:
    """Limits, what is used of them and by which rule they hold. Millicredits; windows roll.

    A `*_source` is "member:1", "role:2", "channel:3", "everyone:0", or None for the bot's default. `allowance` is what
    is left of the refilling limits, `extra` what is left of granted credits; `*_spends` are the times and amounts that
    still count.
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
    hour_source: str | None
    day_source: str | None
    jobs_source: str | None
    weight_source: str | None
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


async def fetch_standing(source: Source, asker: Asker, defaults: QuotaDefaults, now: datetime) -> QuotaStanding:
    """Where the member stands now: the very sums that the enqueue statement uses."""
    values = parameters(asker, defaults, now)
    row = (await _rows(source, _SELECT_STANDING, values))[0]
    return QuotaStanding(
        **{name: row[name] for name in _PLAIN},
        budget=Budget(**{name: row[f"guild_{name}"] for name in Budget.__dataclass_fields__}),
        hour_spends=_spends(await _rows(source, _select_spends("hour_spent"), values)),
        day_spends=_spends(await _rows(source, _select_spends("day_spent"), values)),
    )


_PLAIN = (
    "per_hour",
    "per_day",
    "max_jobs",
    "used_hour",
    "used_day",
    "open_jobs",
    "allowance",
    "extra",
    "weight",
    "guild_weight",
    "hour_source",
    "day_source",
    "jobs_source",
    "weight_source",
)
_SELECT_STANDING = f"""
WITH {STANDING}
SELECT standing.*,
    (SELECT subject || ':' || subject_id FROM hour_rule) AS hour_source,
    (SELECT subject || ':' || subject_id FROM day_rule) AS day_source,
    (SELECT subject || ':' || subject_id FROM jobs_rule) AS jobs_source,
    (SELECT subject || ':' || subject_id FROM weight_rule) AS weight_source,
    guild.per_hour AS guild_per_hour, guild.per_day AS guild_per_day, guild.max_jobs AS guild_max_jobs,
    guild.used_hour AS guild_used_hour, guild.used_day AS guild_used_day, guild.open_jobs AS guild_open_jobs
FROM standing, guild
"""


def _select_spends(table: str) -> str:
    return f"""WITH {STANDING} SELECT counts_at, -sum(amount) AS amount FROM {table}
               GROUP BY counts_at HAVING sum(amount) < 0 ORDER BY counts_at"""


def _spends(rows: Iterable[sqlite3.Row]) -> Spends:
    return tuple((datetime.fromtimestamp(row["counts_at"], UTC), row["amount"]) for row in rows)


async def _rows(source: Source, sql: str, values: dict[str, object]) -> list[sqlite3.Row]:
    if isinstance(source, Database):
        return await source.fetch_all(sql, values)
    return list(await source.execute_fetchall(sql, values))  # pyright: ignore[reportArgumentType]


# ---- rules ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaRule:
    """One rule. None in a value: this rule does not decide it. Credits are millicredits."""

    guild_id: int
    subject: str
    subject_id: int
    per_hour: int | None = None
    per_day: int | None = None
    max_jobs: int | None = None
    weight: float | None = None
    reason: str = ""
    actor_id: int = 0
    set_at: datetime
    expires_at: datetime | None = None


async def set_rule(connection: aiosqlite.Connection, rule: QuotaRule) -> None:
    """Add values to the subject's rule, or begin one; values that are None stay as they were. Writes the audit row."""
    key = (rule.guild_id, rule.subject, rule.subject_id)
    await connection.execute(
        "DELETE FROM quota_rules WHERE guild_id = ? AND subject = ? AND subject_id = ? AND expires_at <= ?",
        (*key, to_seconds(rule.set_at)),
    )
    await connection.execute(
        """INSERT INTO quota_rules (guild_id, subject, subject_id, per_hour, per_day, max_jobs, weight, reason,
                                    actor_id, set_at, expires_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET
               per_hour = coalesce(excluded.per_hour, per_hour), per_day = coalesce(excluded.per_day, per_day),
               max_jobs = coalesce(excluded.max_jobs, max_jobs), weight = coalesce(excluded.weight, weight),
               reason = excluded.reason, actor_id = excluded.actor_id, set_at = excluded.set_at,
               expires_at = excluded.expires_at""",
        (
            *key,
            rule.per_hour,
            rule.per_day,
            rule.max_jobs,
            rule.weight,
            rule.reason,
            rule.actor_id,
            to_seconds(rule.set_at),
            to_seconds(rule.expires_at) if rule.expires_at else None,
        ),
    )
    await audit.record(
        connection, rule.guild_id, rule.actor_id, "quota.set", _target(rule), _details(rule), rule.set_at
    )


async def remove_rule(
    connection: aiosqlite.Connection, guild_id: int, subject: str, subject_id: int, actor_id: int, now: datetime
) -> bool:
    """Take the subject's rule away; False if there was none."""
    row = await fetch_one(
        connection,
        "DELETE FROM quota_rules WHERE guild_id = ? AND subject = ? AND subject_id = ? RETURNING *",
        (guild_id, subject, subject_id),
    )
    if row is None:
        return False
    rule = _rule(row)
    await audit.record(connection, guild_id, actor_id, "quota.remove", _target(rule), _details(rule), now)
    return True


async def fetch_rules(database: Database, guild_id: int, now: datetime) -> list[QuotaRule]:
    """The server's rules that are in force, strongest kind first."""
    rows = await database.fetch_all(
        """SELECT * FROM quota_rules WHERE guild_id = ? AND (expires_at IS NULL OR expires_at > ?)
           ORDER BY CASE subject WHEN 'member' THEN 1 WHEN 'role' THEN 2 WHEN 'channel' THEN 3
                                 WHEN 'everyone' THEN 4 ELSE 5 END, subject_id""",
        (guild_id, to_seconds(now)),
    )
    return [_rule(row) for row in rows]


def _target(rule: QuotaRule) -> str:
    return f"{rule.subject}:{rule.subject_id}" if rule.subject_id else rule.subject


def _details(rule: QuotaRule) -> dict[str, object]:
    values = {name: getattr(rule, name) for name in ("per_hour", "per_day", "max_jobs", "weight")}
    details: dict[str, object] = {name: value for name, value in values.items() if value is not None}
    if rule.expires_at is not None:
        details["expires_at"] = to_seconds(rule.expires_at)
    return {**details, "reason": rule.reason}


def _rule(row: sqlite3.Row) -> QuotaRule:
    set_at = to_datetime(row["set_at"])
    assert set_at is not None
    values = {name: row[name] for name in row.keys() if name not in ("set_at", "expires_at")}  # noqa: SIM118 - a Row
    return QuotaRule(**values, set_at=set_at, expires_at=to_datetime(row["expires_at"]))
