"""Quota rules that moderators set, and where a member stands under them."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime

import aiosqlite

from db import audit
from db.codec import to_datetime, to_optional_seconds, to_seconds
from db.database import Database, fetch_one
from db.quota_sql import STANDING, parameters
from db.rows import from_row
from domain.audit import AuditAction
from domain.quotas import Asker, Budget, QuotaDefaults, QuotaKind, QuotaRule, QuotaStanding, QuotaSubject, Spends

Source = Database | aiosqlite.Connection


async def fetch_standing(source: Source, asker: Asker, defaults: QuotaDefaults, now: datetime) -> QuotaStanding:
    """Where the member stands now: the very sums that the enqueue statement uses."""
    values = parameters(asker, defaults, now)
    row = (await _rows(source, _SELECT_STANDING, values))[0]
    sources = {name: _subject(row[name]) for name in ("hour_source", "day_source", "jobs_source", "weight_source")}
    return from_row(
        QuotaStanding,
        row,
        **sources,
        budget=Budget(**json.loads(row["budget"])),
        hour_spends=_spends(row["hour_spends"]),
        day_spends=_spends(row["day_spends"]),
    )


def _spends_in(table: str) -> str:
    """A JSON list of [time, amount], oldest first."""
    return f"""(SELECT json_group_array(json_array(counts_at, amount)) FROM (
        SELECT counts_at, -sum(amount) AS amount FROM {table} GROUP BY counts_at HAVING sum(amount) < 0
        ORDER BY counts_at))"""


_SELECT_STANDING = f"""
WITH {STANDING}
SELECT standing.*,
    (SELECT subject || ':' || subject_id FROM hour_rule) AS hour_source,
    (SELECT subject || ':' || subject_id FROM day_rule) AS day_source,
    (SELECT subject || ':' || subject_id FROM jobs_rule) AS jobs_source,
    (SELECT subject || ':' || subject_id FROM weight_rule) AS weight_source,
    json_object('per_hour', guild.per_hour, 'per_day', guild.per_day, 'max_jobs', guild.max_jobs,
                'used_hour', guild.used_hour, 'used_day', guild.used_day, 'open_jobs', guild.open_jobs) AS budget,
    {_spends_in("hour_spent")} AS hour_spends,
    {_spends_in("day_spent")} AS day_spends
FROM standing, guild
"""


def _subject(text: str | None) -> QuotaSubject | None:
    if text is None:
        return None
    kind, _, number = text.partition(":")
    return QuotaSubject(QuotaKind(kind), int(number))


def _spends(text: str) -> Spends:
    return tuple((to_datetime(moment), amount) for moment, amount in json.loads(text))


async def _rows(source: Source, sql: str, values: dict[str, object]) -> list[sqlite3.Row]:
    if isinstance(source, Database):
        return await source.fetch_all(sql, values)
    return list(await source.execute_fetchall(sql, values))  # pyright: ignore[reportArgumentType]


# ---- rules ----------------------------------------------------------------------------------------------------------


async def set_rule(connection: aiosqlite.Connection, rule: QuotaRule) -> None:
    """Add values to the subject's rule, or begin one; values that are None stay as they were. Writes the audit row."""
    key = (rule.guild_id, rule.subject.kind, rule.subject.id)
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
            to_optional_seconds(rule.expires_at),
        ),
    )
    await audit.record(
        connection,
        rule.guild_id,
        rule.actor_id,
        AuditAction.QUOTA_SET,
        rule.subject.target,
        _details(rule),
        rule.set_at,
    )


async def remove_rule(
    connection: aiosqlite.Connection, guild_id: int, subject: QuotaSubject, actor_id: int, now: datetime
) -> bool:
    """Take the subject's rule away; False if there was none."""
    row = await fetch_one(
        connection,
        "DELETE FROM quota_rules WHERE guild_id = ? AND subject = ? AND subject_id = ? RETURNING *",
        (guild_id, subject.kind, subject.id),
    )
    if row is None:
        return False
    rule = _rule(row)
    await audit.record(
        connection, guild_id, actor_id, AuditAction.QUOTA_REMOVE, rule.subject.target, _details(rule), now
    )
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


def _details(rule: QuotaRule) -> dict[str, object]:
    values = {name: getattr(rule, name) for name in ("per_hour", "per_day", "max_jobs", "weight")}
    details: dict[str, object] = {name: value for name, value in values.items() if value is not None}
    if rule.expires_at is not None:
        details["expires_at"] = to_seconds(rule.expires_at)
    return {**details, "reason": rule.reason}


def _rule(row: sqlite3.Row) -> QuotaRule:
    subject = QuotaSubject(QuotaKind(row["subject"]), row["subject_id"])
    return from_row(QuotaRule, row, subject=subject)
