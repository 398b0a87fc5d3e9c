"""The record of what the policy decided, for moderators, appeals and measurement."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

import aiosqlite

from db.codec import to_seconds
from db.database import Database, fetch_one
from db.rows import from_row
from domain import Origin, Request, SafetyReport, Verdict
from domain.cases import Subject
from domain.decisions import UnstoredDecision

# Clause b (harm to minors): nothing is kept that could be shown again.
UNSTORED_CLAUSES = frozenset({"b"})


async def record_prompt(
    connection: aiosqlite.Connection,
    verdict: Verdict,
    request: Request,
    origin: Origin,
    now: datetime,
    job_id: int | None = None,
) -> int:
    """Write one decision on a prompt and return its id."""
    keep = verdict.clause not in UNSTORED_CLAUSES
    return await _insert(
        connection,
        origin,
        now,
        job_id=job_id,
        subject=Subject.PROMPT,
        action=verdict.action,
        clause=verdict.clause,
        tier=verdict.tier,
        rules=json.dumps(verdict.rules),
        scores=json.dumps(dict(verdict.scores)),
        spans=json.dumps(verdict.spans),
        rule_set=verdict.rule_set,
        prompt=request.prompt if keep else None,
        negative_prompt=request.negative_prompt if keep else None,
        prompt_sha256=exact_hash(request),
    )


async def record_picture(
    connection: aiosqlite.Connection,
    report: SafetyReport,
    request: Request,
    origin: Origin,
    now: datetime,
    job_id: int,
) -> int:
    """Write one withheld picture and return the decision's id."""
    keep = report.clause not in UNSTORED_CLAUSES
    return await _insert(
        connection,
        origin,
        now,
        job_id=job_id,
        subject=Subject.PICTURE,
        action="withhold",
        clause=report.clause,
        tier=report.verdict,
        rules="[]",
        scores=json.dumps(dict(report.scores)),
        spans="[]",
        rule_set="",
        prompt=request.prompt if keep else None,
        negative_prompt=request.negative_prompt if keep else None,
        prompt_sha256=exact_hash(request),
    )


def exact_hash(request: Request) -> str:
    """SHA-256 of both texts to the letter: recognises a repeated prompt without keeping it.

    `engine.policy.prompt_hash`, the key of what a moderator allowed once, levels case and white space.
    """
    return hashlib.sha256(f"{request.prompt}\0{request.negative_prompt}".encode()).hexdigest()


async def fetch_unstored(database: Database, after_id: int) -> list[UnstoredDecision]:
    """The decisions on clause b that are younger than `after_id`, oldest first, at most twenty."""
    rows = await database.fetch_all(
        """SELECT id, user_id, guild_id, channel_id, subject, decided_at FROM decisions
           WHERE clause = 'b' AND action IN ('refuse', 'withhold') AND id > ? ORDER BY id LIMIT 20""",
        (after_id,),
    )
    return [from_row(UnstoredDecision, row) for row in rows]


async def _insert(connection: aiosqlite.Connection, origin: Origin, now: datetime, **columns: object) -> int:
    row = await fetch_one(
        connection,
        """INSERT INTO decisions (job_id, user_id, guild_id, channel_id, subject, action, clause, tier, rules, scores,
                                  spans, rule_set, prompt, negative_prompt, prompt_sha256, decided_at)
           VALUES (:job_id, :user_id, :guild_id, :channel_id, :subject, :action, :clause, :tier, :rules, :scores,
                   :spans, :rule_set, :prompt, :negative_prompt, :prompt_sha256, :now) RETURNING id""",
        {
            **columns,
            "user_id": origin.user_id,
            "guild_id": origin.place.guild_id,
            "channel_id": origin.place.channel_id,
            "now": to_seconds(now),
        },
    )
    assert row is not None
    return int(row["id"])
