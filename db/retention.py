"""Forgetting in time: each server's retention, that of direct messages, and the bot's own periods.

A picture that is not kept any longer loses words and pixels; that there was one remains. A server without a choice of
its own, and direct messages, keep pictures for `domain.settings.DEFAULT_RETENTION_DAYS`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from db.agreements import PENDING_KEPT
from db.batches import Sweep, delete, update
from db.codec import to_seconds
from db.database import Database
from db.drafts import DRAFTS_KEPT
from db.pictures import FORGET, IS_STORED
from domain.settings import DEFAULT_RETENTION_DAYS

# Ledger rows count for at most a day; before that an erasure would refill the member's allowance.
LEDGER_COUNTS = timedelta(hours=25)
REFUSED_KEPT = timedelta(days=7)
# For so long the audit log says who decided, even if that person erased their own data.
AUDIT_NAMES_KEPT = timedelta(days=365)


def days_kept(guild: str) -> str:
    """SQL for the days that a server (an expression; NULL: direct messages) keeps words; 'null' is without end."""
    return f"""coalesce(
                (SELECT value FROM place_settings AS chosen
                 WHERE chosen.guild_id = coalesce({guild}, 0) AND chosen.channel_id = 0
                   AND chosen.name = 'retention_days'), :default_days)"""


def _due(table: str, time: str, kept: str) -> str:
    """The servers (NULL: direct messages) with rows older than they keep them, each with the end of what is too old.

    A loose index scan finds the servers: one look-up for each, not one for each row.
    """
    return f"""
        WITH RECURSIVE places(guild_id) AS (
            SELECT min(guild_id) FROM {table} WHERE {kept}
            UNION ALL
            SELECT (SELECT min(guild_id) FROM {table} WHERE {kept} AND guild_id > places.guild_id) FROM places
            WHERE places.guild_id IS NOT NULL
        ),
        ends(guild_id, days) AS (
            SELECT guild_id, {days_kept("places.guild_id")}
            FROM places
        )
        SELECT guild_id, :now - 86400.0 * days AS until FROM ends
        WHERE days <> 'null' AND EXISTS (
            SELECT 1 FROM {table} WHERE {kept} AND {table}.guild_id IS ends.guild_id
              AND {table}.{time} < :now - 86400.0 * days)"""


_JOBS_KEPT = "forgotten_at IS NULL AND finished_at IS NOT NULL"
_JOBS_DUE = _due("jobs", "finished_at", _JOBS_KEPT)
_FORGET_JOBS = (
    "DELETE FROM picture_hashes WHERE job_id IN (SELECT value FROM json_each(:ids))",
    "DELETE FROM job_inputs WHERE job_id IN (SELECT value FROM json_each(:ids))",
    f"UPDATE pictures SET {FORGET} WHERE {IS_STORED} AND job_id IN (SELECT value FROM json_each(:ids))",
    """UPDATE jobs SET request = json_set(request, '$.prompt', '', '$.negative_prompt', ''), forgotten_at = :now
       WHERE id IN (SELECT value FROM json_each(:ids))""",
)
_CASES_KEPT = "statement <> '' AND resolved_at IS NOT NULL"
_CASES_DUE = _due("cases", "resolved_at", _CASES_KEPT)
_DECISIONS_KEPT = "prompt IS NOT NULL"
_DECISIONS_DUE = _due("decisions", "decided_at", _DECISIONS_KEPT)

# A refused request outlives its period for an appeal that is not through.
_NOT_APPEALED = """NOT EXISTS (SELECT 1 FROM cases WHERE cases.decision_id = refused_requests.decision_id
    AND (cases.status = 'open' OR cases.told_at IS NULL))"""
_FORGET_DECISIONS = (
    delete(
        "refused_requests",
        f"""decision_id IN (SELECT id FROM decisions WHERE {_DECISIONS_KEPT} AND guild_id IS :guild_id
                AND decided_at < :until) AND {_NOT_APPEALED}""",
    ),
    update(
        "decisions",
        "prompt = NULL, negative_prompt = NULL",
        f"{_DECISIONS_KEPT} AND guild_id IS :guild_id AND decided_at < :until",
    ),
)

_ERASED = "SELECT user_id FROM erasures"
_FORGET = (
    update(
        "ledger",
        "subject_id = NULL, actor_id = NULL, job_id = NULL, reason = ''",
        f"""subject_id IN ({_ERASED} WHERE asked_at <= :counted_since) AND subject = 'member'
            AND created_at <= :counted_since""",
    ),
    update("ledger", "actor_id = NULL", f"actor_id IN ({_ERASED} WHERE asked_at <= :counted_since)"),
    update("audit", "actor_id = NULL", f"actor_id IN ({_ERASED}) AND created_at <= :named_since"),
    delete("strikes", f"user_id IN ({_ERASED}) AND (lifted_at IS NOT NULL OR expires_at <= :now)"),
    delete(
        "decisions",
        f"user_id IN ({_ERASED}) AND prompt_sha256 LIKE 'erased %' AND decided_at <= :counted_since",
    ),
    """DELETE FROM erasures WHERE asked_at <= :counted_since AND erased_at IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM strikes WHERE strikes.user_id = erasures.user_id)
         AND NOT EXISTS (SELECT 1 FROM audit WHERE audit.actor_id = erasures.user_id)""",
    delete("refused_requests", f"created_at < :refused_since AND {_NOT_APPEALED}"),
    delete("pending_requests", "created_at < :pending_since"),
    delete("drafts", "created_at < :drafts_since"),
)


async def forget_old(database: Database, now: datetime) -> int:
    """Apply every server's retention and the bot's own periods; returns how many rows changed.

    Call `space.give_back` afterwards if there were any: picture files and the log still hold the forgotten bytes.
    """
    moments = {
        "now": to_seconds(now),
        "counted_since": to_seconds(now - LEDGER_COUNTS),
        "named_since": to_seconds(now - AUDIT_NAMES_KEPT),
        "refused_since": to_seconds(now - REFUSED_KEPT),
        "pending_since": to_seconds(now - PENDING_KEPT),
        "drafts_since": to_seconds(now - DRAFTS_KEPT),
    }
    changed = 0
    for sweep in await _due_sweeps(database, _JOBS_DUE, moments["now"]):
        due = f"{_JOBS_KEPT} AND guild_id IS :guild_id AND finished_at < :until"
        changed += await sweep.run_over_jobs(due, _FORGET_JOBS)
    for sweep in await _due_sweeps(database, _CASES_DUE, moments["now"]):
        due = f"{_CASES_KEPT} AND guild_id IS :guild_id AND resolved_at < :until"
        changed += await sweep.run((update("cases", "statement = ''", due),))
    for sweep in await _due_sweeps(database, _DECISIONS_DUE, moments["now"]):
        changed += await sweep.run(_FORGET_DECISIONS)
    return changed + await Sweep(database, moments).run(_FORGET)


async def _due_sweeps(database: Database, sql: str, now: float) -> list[Sweep]:
    rows = await database.fetch_all(sql, {"now": now, "default_days": DEFAULT_RETENTION_DAYS})
    return [Sweep(database, {"guild_id": row["guild_id"], "until": row["until"], "now": now}) for row in rows]
