"""What a decision of the policy means for its member and for moderators: its rule in words, and who may change it."""

from __future__ import annotations

from dataclasses import replace

from db import appeals
from db.database import Database
from domain import Action, Verdict
from domain.cases import Grounds, Subject
from engine.policy import PLAIN_RESTRICTIONS, is_appealable, is_liftable


async def fetch_grounds(database: Database, decision_id: int) -> Grounds | None:
    """A decision, explained; None if it is not stored (any more)."""
    grounds = await appeals.fetch_grounds(database, decision_id)
    return explain(grounds) if grounds else None


async def fetch_picture_grounds(database: Database, job_id: int) -> Grounds | None:
    """The decision by which a job's picture was withheld, explained."""
    grounds = await appeals.fetch_picture_grounds(database, job_id)
    return explain(grounds) if grounds else None


def explain(grounds: Grounds) -> Grounds:
    """The grounds with their rule in words, and what moderators may do.

    They may never look at clause b and at rules of tier "hard" again. A phrase can be allowed
    for good only where a house rule refused a prompt.
    """
    verdict = Verdict(action=Action.REFUSE, clause=grounds.clause, tier=grounds.tier)
    is_prompt = grounds.subject is Subject.PROMPT and grounds.prompt is not None
    return replace(
        grounds,
        clause_words=clause_words(grounds.clause),
        is_appealable=is_appealable(verdict),
        is_liftable=is_prompt and is_liftable(verdict),
    )


def clause_words(clause: str | None) -> str:
    """A clause's letter with its words, or a house rule's name."""
    plain = dict(PLAIN_RESTRICTIONS)
    if clause in plain:
        return f"Licence, clause ({clause}): {plain[clause]}"
    return f"House rule: {clause.replace('_', ' ')}" if clause else "The picture check"
