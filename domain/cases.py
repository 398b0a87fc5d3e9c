"""Appeals, reports and approvals, as moderators see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain.jobs import Job


class CaseKind(StrEnum):
    """Why a case was opened."""

    APPEAL = "appeal"
    REPORT = "report"
    APPROVAL = "approval"


class CaseStatus(StrEnum):
    """Open, or how it ended."""

    OPEN = "open"
    ALLOWED_ONCE = "allowed_once"
    ALLOWED_HERE = "allowed_here"
    UPHELD = "upheld"
    BLOCKED = "blocked"
    APPROVED = "approved"
    REMOVED = "removed"
    KEPT = "kept"
    EXPIRED = "expired"


class Subject(StrEnum):
    """What a decision of the policy was about."""

    PROMPT = "prompt"
    PICTURE = "picture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One card in the review channel."""

    id: int
    kind: CaseKind
    guild_id: int
    channel_id: int
    user_id: int
    opened_by: int
    decision_id: int | None
    job_id: int | None
    statement: str
    status: CaseStatus
    opened_at: datetime
    resolved_by: int | None = None
    card_channel_id: int | None = None
    card_message_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """The policy's decision that a case is about; the texts are None where nothing may be kept."""

    id: int
    subject: Subject
    clause: str | None
    tier: str | None
    rules: tuple[str, ...]
    scores: dict[str, float] = field(default_factory=dict[str, float])
    spans: tuple[tuple[int, int], ...] = ()
    prompt: str | None = None
    negative_prompt: str | None = None
    user_id: int = 0
    guild_id: int | None = None
    channel_id: int = 0
    job_id: int | None = None
    decided_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a moderator wants to know about a member before deciding: numbers of this server only."""

    pictures: int
    refusals: int
    appeals_upheld: int
    appeals_allowed: int
    reports_removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """A case with everything that its card shows."""

    case: Case
    history: History
    grounds: Grounds | None = None
    job: Job | None = None
    picture_scores: Mapping[str, float] = field(default_factory=dict[str, float])
