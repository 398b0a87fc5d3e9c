"""Refused prompts on whose appeals moderators decided, for the owner's file of corrections."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime

from db.codec import to_optional_seconds, to_seconds
from db.database import Database
from db.retention import days_kept
from db.rows import from_row
from domain.cases import CaseStatus
from domain.corrections import Correction, Ruling
from domain.settings import DEFAULT_RETENTION_DAYS

RULINGS: Mapping[CaseStatus, Ruling] = {
    CaseStatus.ALLOWED_HERE: Ruling.ALLOWED,
    CaseStatus.ALLOWED_ONCE: Ruling.OVERTURNED,
    CaseStatus.UPHELD: Ruling.UPHELD,
    CaseStatus.BLOCKED: Ruling.UPHELD,
}

# Retention is asked here too: its sweep takes the words a little later than they expire. A member who asked for
# erasure is left out from that moment on, and a phrase that was taken back corrects nothing any more.
_PAGE = f"""
    SELECT decisions.id, decisions.prompt, decisions.negative_prompt, decisions.prompt_sha256, decisions.clause,
           decisions.rules, decisions.rule_set, decisions.decided_at, cases.status, allowances.value AS phrase,
           decisions.prompt IS NOT NULL AND ({days_kept("decisions.guild_id")} = 'null' OR
               decisions.decided_at >= :now - 86400.0 * {days_kept("decisions.guild_id")}) AS is_kept
    FROM cases JOIN decisions ON decisions.id = cases.decision_id
         LEFT JOIN allowances ON allowances.case_id = cases.id AND allowances.kind = 'phrase'
    WHERE cases.kind = 'appeal' AND cases.status IN ({", ".join(f"'{status}'" for status in RULINGS)})
      AND cases.decision_id < :before AND decisions.decided_at >= coalesce(:since, 0) AND decisions.subject = 'prompt'
      AND decisions.prompt_sha256 NOT LIKE 'erased %'
      AND NOT EXISTS (SELECT 1 FROM erasures WHERE erasures.user_id = decisions.user_id AND erased_at IS NULL)
      AND (cases.status <> '{CaseStatus.ALLOWED_HERE}' OR (allowances.id IS NOT NULL AND revoked_at IS NULL))
    ORDER BY cases.decision_id DESC LIMIT :limit"""


async def fetch_corrections(
    database: Database, before_id: int, since: datetime | None, now: datetime, limit: int
) -> list[tuple[int, Correction]]:
    """The newest decided appeals with their decisions' ids, of decisions older than `before_id`, made since `since`."""
    values = {
        "before": before_id,
        "since": to_optional_seconds(since),
        "now": to_seconds(now),
        "limit": limit,
        "default_days": DEFAULT_RETENTION_DAYS,
    }
    return [(int(row["id"]), _correction(row)) for row in await database.fetch_all(_PAGE, values)]


def _correction(row: sqlite3.Row) -> Correction:
    words = ("prompt", "negative_prompt", "phrase")
    kept = {name: row[name] if row["is_kept"] else None for name in words}
    return from_row(
        Correction,
        row,
        **kept | {"negative_prompt": kept["negative_prompt"] or ""},
        clause=row["clause"] or "",
        rules=json.loads(row["rules"]),
        ruling=RULINGS[CaseStatus(row["status"])],
    )
