"""Appeals, reports and approvals, as moderators see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from domain.frozen import frozen
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

    @property
    def is_granted(self) -> bool:
        """Whether an appeal succeeded."""
        return self in (CaseStatus.ALLOWED_ONCE, CaseStatus.ALLOWED_HERE)


# How a moderator may end a case of each kind, in the order in which its card offers it.
CHOICES: Mapping[CaseKind, tuple[CaseStatus, ...]] = {
    CaseKind.APPEAL: (
        CaseStatus.ALLOWED_ONCE,
        CaseStatus.ALLOWED_HERE,
        CaseStatus.UPHELD,
        CaseStatus.BLOCKED,
    ),
    CaseKind.REPORT: (CaseStatus.KEPT, CaseStatus.REMOVED, CaseStatus.BLOCKED),
    CaseKind.APPROVAL: (CaseStatus.APPROVED, CaseStatus.REMOVED),
}

END_WORDS: Mapping[CaseStatus, str] = {
    CaseStatus.OPEN: "",
    CaseStatus.ALLOWED_ONCE: "allowed once",
    CaseStatus.ALLOWED_HERE: "allowed here from now on",
    CaseStatus.UPHELD: "upheld",
    CaseStatus.BLOCKED: "member blocked",
    CaseStatus.APPROVED: "approved",
    CaseStatus.REMOVED: "picture removed",
    CaseStatus.KEPT: "kept",
    CaseStatus.EXPIRED: "expired",
}


class Subject(StrEnum):
    """What a decision of the policy was about."""

    PROMPT = "prompt"
    PICTURE = "picture"


@frozen
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

    @property
    def is_open(self) -> bool:
        return self.status is CaseStatus.OPEN

    @property
    def end_in_words(self) -> str:
        """How it ended, empty while it is open; what was never shown can't be removed."""
        is_rejected = self.kind is CaseKind.APPROVAL and self.status is CaseStatus.REMOVED
        return "not shown" if is_rejected else END_WORDS[self.status]


@frozen
class Grounds:
    """The policy's decision that a case is about; the texts are None where nothing may be kept.

    `clause_words` say in words which rule it was; `is_appealable`: moderators may look at it again; `is_liftable`: they
    may allow its phrase in their server from now on.
    """

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
    clause_words: str = ""
    is_appealable: bool = False
    is_liftable: bool = False


@frozen
class Decider:
    """A moderator who decides a case in a server; `card` is the (channel, message) whose button was pressed."""

    user_id: int
    guild_id: int
    card: tuple[int, int] | None = None


@frozen
class History:
    """What a moderator wants to know about a member before deciding: numbers of this server only."""

    pictures: int
    refusals: int
    appeals_upheld: int
    appeals_allowed: int
    reports_removed: int


@frozen
class CaseFile:
    """A case with everything that its card shows; `choices` are the ends that a moderator may choose now."""

    case: Case
    history: History
    grounds: Grounds | None = None
    job: Job | None = None
    picture_scores: Mapping[str, float] = field(default_factory=dict[str, float])
    choices: tuple[CaseStatus, ...] = ()


@frozen
class OpenCases:
    """What waits for a server's moderators, oldest first, and whether there is a channel in which they see it."""

    cases: tuple[Case, ...]
    has_review_channel: bool


@frozen
class AppealAnswer:
    """What follows from a decided appeal: the rule in words, and why a granted request can't be painted, if so."""

    clause_words: str
    problem: str | None = None
