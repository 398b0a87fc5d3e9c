"""Strikes: repeated refused prompts have consequences. One ladder with expiry, applied for real or as a dry run.

What counts: within 24 hours the first refusals are free (`strike_free_refusals`), those of hard rules never; the same
prompt again within a minute is a double click and counts once. Each strike expires after `strike_days`.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import aiosqlite

from db import audit
from db.codec import to_datetime, to_seconds
from db.database import Database, fetch_one
from db.rows import from_row
from domain.audit import AuditAction
from domain.settings import GuildSettings
from domain.strikes import DryRun, Penalty, Refusal, Rung, Strike

WINDOW = timedelta(hours=24)
DOUBLE_CLICK = timedelta(minutes=1)
HARD_CLAUSE, HARD_TIER = "b", "hard"
# What "slower" means: one job at a time, and a quarter of the usual share of the worker.
SLOW_JOBS = 1
SLOW_WEIGHT = 0.25


def is_strike(earlier: Sequence[Refusal], new: Refusal, settings: GuildSettings) -> bool:
    """Whether a refusal counts, given the member's earlier ones, oldest first. Pure."""
    recent = [refusal for refusal in earlier if refusal.decided_at > new.decided_at - WINDOW]
    if any(
        refusal.prompt_sha256 == new.prompt_sha256 and refusal.decided_at > new.decided_at - DOUBLE_CLICK
        for refusal in recent
    ):
        return False
    return new.is_hard or len(_without_double_clicks(recent)) >= settings.strike_free_refusals


def _without_double_clicks(refusals: Sequence[Refusal]) -> list[Refusal]:
    kept: list[Refusal] = []
    seen: dict[str, datetime] = {}
    for refusal in refusals:
        before = seen.get(refusal.prompt_sha256)
        if before is None or refusal.decided_at - before >= DOUBLE_CLICK:
            kept.append(refusal)
        seen[refusal.prompt_sha256] = refusal.decided_at
    return kept


def penalty_of(struck_at: Sequence[datetime], settings: GuildSettings, now: datetime) -> Penalty:
    """The rung for live strikes at these times, oldest first. Pure."""
    count = len(struck_at)

    def reached(rung: int) -> bool:
        return 0 < rung <= count

    told = reached(settings.strike_tell_at)
    if reached(settings.strike_pause_at):
        until = struck_at[-1] + timedelta(hours=settings.strike_pause_hours)
        if until > now:
            return Penalty(count=count, rung=Rung.PAUSE, until=until, moderators_told=told)
    if reached(settings.strike_slow_at):
        return Penalty(count=count, rung=Rung.SLOW, moderators_told=told)
    rung = Rung.WARN if reached(settings.strike_warn_at) else Rung.NONE
    return Penalty(count=count, rung=rung, moderators_told=told)


async def record(
    connection: aiosqlite.Connection,
    decision_id: int,
    settings: GuildSettings,
    now: datetime,
    *,
    is_moderator: bool,
) -> Penalty | None:
    """Judge a refusal that was just recorded: the member's new penalty if it was a strike, else None.

    Runs in the refusal's own transaction; moderators who try the filter are exempt.
    """
    if is_moderator:
        await connection.execute("UPDATE decisions SET is_exempt = 1 WHERE id = ?", (decision_id,))
        return None
    row = await fetch_one(connection, "SELECT * FROM decisions WHERE id = ?", (decision_id,))
    assert row is not None
    guild_id, user_id = int(row["guild_id"] or 0), int(row["user_id"])
    earlier = await connection.execute_fetchall(
        f"{_REFUSALS} AND coalesce(guild_id, 0) = ? AND user_id = ? AND decided_at > ? AND id < ? ORDER BY id",
        (guild_id, user_id, to_seconds(now - WINDOW), decision_id),
    )
    if not is_strike([_refusal(old) for old in earlier], _refusal(row), settings):
        return None
    expires_at = now + timedelta(days=settings.strike_days)
    await connection.execute(
        """INSERT INTO strikes (guild_id, user_id, decision_id, clause, created_at, expires_at)
           VALUES (?, ?, ?, ?, ?, ?)""",
        (guild_id, user_id, decision_id, row["clause"], to_seconds(now), to_seconds(expires_at)),
    )
    penalty = penalty_of(await _live_times(connection, guild_id, user_id, now), settings, now)
    action = AuditAction.STRIKE_MODERATORS_TOLD if penalty.moderators_told else AuditAction.STRIKE_ADD
    details = {"clause": row["clause"], "live": penalty.count, "rung": penalty.rung}
    await audit.record(connection, guild_id, None, action, f"member:{user_id}", details, now)
    return penalty


async def fetch_all(database: Database, guild_id: int, user_id: int) -> list[Strike]:
    """All of a member's strikes in one server, oldest first, expired and lifted ones included."""
    rows = await database.fetch_all(
        "SELECT * FROM strikes WHERE guild_id = ? AND user_id = ? ORDER BY created_at, id", (guild_id, user_id)
    )
    return [_strike(row) for row in rows]


async def lift(
    connection: aiosqlite.Connection, guild_id: int, user_id: int, actor_id: int, now: datetime, *, reason: str
) -> int:
    """Lift all live strikes of a member; returns how many. Writes the audit row."""
    rows = list(
        await connection.execute_fetchall(
            """UPDATE strikes SET lifted_by = ?, lifted_at = ?
               WHERE guild_id = ? AND user_id = ? AND lifted_at IS NULL AND expires_at > ? RETURNING id""",
            (actor_id, to_seconds(now), guild_id, user_id, to_seconds(now)),
        )
    )
    if rows:
        details = {"lifted": len(rows), "reason": reason}
        await audit.record(connection, guild_id, actor_id, AuditAction.STRIKE_LIFT, f"member:{user_id}", details, now)
    return len(rows)


async def lift_for_decision(connection: aiosqlite.Connection, decision_id: int, actor_id: int, now: datetime) -> bool:
    """An appeal was granted: its refusal is no strike any more. False if it never was one."""
    row = await fetch_one(
        connection,
        """UPDATE strikes SET lifted_by = ?, lifted_at = ? WHERE decision_id = ? AND lifted_at IS NULL
           RETURNING guild_id, user_id""",
        (actor_id, to_seconds(now), decision_id),
    )
    if row is None:
        return False
    target, details = f"member:{row['user_id']}", {"lifted": 1, "reason": "the appeal was granted"}
    await audit.record(connection, row["guild_id"], actor_id, AuditAction.STRIKE_LIFT, target, details, now)
    return True


# ---- dry run --------------------------------------------------------------------------------------------------------


async def dry_run(database: Database, guild_id: int, settings: GuildSettings, since: datetime) -> list[DryRun]:
    """Replay the server's refusals since then under these settings, most strikes first. Changes nothing."""
    rows = await database.fetch_all(
        f"{_REFUSALS} AND guild_id IS nullif(?, 0) AND decided_at >= ? ORDER BY id",
        (guild_id, to_seconds(since)),
    )
    members: defaultdict[int, list[Refusal]] = defaultdict(list)
    for row in rows:
        members[row["user_id"]].append(_refusal(row))
    outcomes = [_replay(user_id, refusals, settings) for user_id, refusals in members.items()]
    return sorted(outcomes, key=lambda outcome: (-outcome.strikes, -outcome.refusals))


def _replay(user_id: int, refusals: Sequence[Refusal], settings: GuildSettings) -> DryRun:
    struck_at: list[datetime] = []
    rungs, told = [Rung.NONE], False
    lifetime = timedelta(days=settings.strike_days)
    for index, refusal in enumerate(refusals):
        if is_strike(refusals[:index], refusal, settings):
            struck_at.append(refusal.decided_at)
            live = [moment for moment in struck_at if moment + lifetime > refusal.decided_at]
            penalty = penalty_of(live, settings, refusal.decided_at)
            rungs.append(penalty.rung)
            told = told or penalty.moderators_told
    highest = max(rungs, key=tuple(Rung).index)
    return DryRun(user_id=user_id, refusals=len(refusals), strikes=len(struck_at), rung=highest, moderators_told=told)


_REFUSALS = """SELECT * FROM decisions WHERE subject = 'prompt' AND action = 'refuse' AND is_exempt = 0"""


async def _live_times(connection: aiosqlite.Connection, guild_id: int, user_id: int, now: datetime) -> list[datetime]:
    rows: Iterable[sqlite3.Row] = await connection.execute_fetchall(
        """SELECT created_at FROM strikes
           WHERE guild_id = ? AND user_id = ? AND lifted_at IS NULL AND expires_at > ? ORDER BY created_at, id""",
        (guild_id, user_id, to_seconds(now)),
    )
    return [to_datetime(row["created_at"]) for row in rows]


def _refusal(row: sqlite3.Row) -> Refusal:
    return Refusal(
        user_id=row["user_id"],
        prompt_sha256=row["prompt_sha256"],
        is_hard=row["clause"] == HARD_CLAUSE or row["tier"] == HARD_TIER,
        decided_at=to_datetime(row["decided_at"]),
    )


def _strike(row: sqlite3.Row) -> Strike:
    return from_row(Strike, row)
