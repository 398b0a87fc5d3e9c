"""The ledger of credits: grants and resets by moderators here; spends and refunds are triggers on the job table."""

from __future__ import annotations

import sqlite3
from datetime import datetime

import aiosqlite

from db import audit
from db.codec import to_optional_seconds, to_seconds
from db.database import Database, fetch_one
from db.rows import from_row
from domain.audit import AuditAction
from domain.quotas import LedgerEntry, LedgerKind, QuotaSubject


async def grant(
    connection: aiosqlite.Connection,
    guild_id: int,
    subject: QuotaSubject,
    amount: int,
    actor_id: int,
    now: datetime,
    *,
    reason: str,
    expires_at: datetime | None = None,
) -> int:
    """Give extra credits that stay until spent (or expired); to a group: that much for each of its members."""
    row = await _insert(connection, LedgerKind.GRANT, guild_id, subject, amount, actor_id, now, reason, expires_at)
    details: dict[str, object] = {"millicredits": amount, "reason": reason}
    if expires_at is not None:
        details["expires_at"] = to_seconds(expires_at)
    await audit.record(connection, guild_id, actor_id, AuditAction.QUOTA_GRANT, subject.target, details, now)
    return row


async def reset(
    connection: aiosqlite.Connection,
    guild_id: int,
    subject: QuotaSubject,
    actor_id: int,
    now: datetime,
    *,
    reason: str,
) -> int:
    """Forgive what the subject has spent of its refilling allowance in this server so far; grants stay as they are."""
    row = await _insert(connection, LedgerKind.RESET, guild_id, subject, 0, actor_id, now, reason, None)
    target = subject.target
    await audit.record(connection, guild_id, actor_id, AuditAction.QUOTA_RESET, target, {"reason": reason}, now)
    return row


async def fetch_history(database: Database, guild_id: int, subject: QuotaSubject, limit: int = 20) -> list[LedgerEntry]:
    """What was written down for this member (or role, channel, everyone) alone, newest first."""
    rows = await database.fetch_all(
        "SELECT * FROM ledger WHERE guild_id = ? AND subject = ? AND subject_id = ? ORDER BY id DESC LIMIT ?",
        (guild_id, subject.kind, subject.id, limit),
    )
    return [_entry(row) for row in rows]


async def fetch_grants(database: Database, guild_id: int, now: datetime) -> list[LedgerEntry]:
    """The server's grants of which something may be left, newest first; a member's own until it is spent."""
    rows = await database.fetch_all(
        """SELECT * FROM ledger AS entry
           WHERE kind = 'grant' AND guild_id = ? AND subject_id IS NOT NULL AND (expires_at IS NULL OR expires_at > ?)
             AND (subject <> 'member' OR amount + coalesce(
                 (SELECT sum(used.amount) FROM ledger AS used WHERE used.grant_id = entry.id), 0) > 0)
           ORDER BY id DESC""",
        (guild_id, to_seconds(now)),
    )
    return [_entry(row) for row in rows]


async def fetch_spent(database: Database, guild_id: int, channel_id: int | None, since: datetime) -> int:
    """What was really spent since then in the server, or in one of its channels. Millicredits."""
    row = await database.fetch_one(
        """SELECT coalesce(-sum(amount), 0) FROM ledger
           WHERE kind IN ('spend', 'refund') AND guild_id = :guild_id AND counts_at > :since
             AND (:channel_id IS NULL OR channel_id = :channel_id)""",
        {"guild_id": guild_id, "channel_id": channel_id, "since": to_seconds(since)},
    )
    return int(row[0]) if row else 0


async def _insert(
    connection: aiosqlite.Connection,
    kind: LedgerKind,
    guild_id: int,
    subject: QuotaSubject,
    amount: int,
    actor_id: int,
    now: datetime,
    reason: str,
    expires_at: datetime | None,
) -> int:
    seconds = to_seconds(now)
    row = await fetch_one(
        connection,
        """INSERT INTO ledger (kind, guild_id, subject, subject_id, amount, actor_id, reason, created_at, counts_at,
                               expires_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id""",
        (
            kind,
            guild_id,
            subject.kind,
            subject.id,
            amount,
            actor_id,
            reason,
            seconds,
            seconds,
            to_optional_seconds(expires_at),
        ),
    )
    assert row is not None
    return int(row["id"])


def _entry(row: sqlite3.Row) -> LedgerEntry:
    return from_row(LedgerEntry, row)
