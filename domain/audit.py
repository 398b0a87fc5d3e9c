"""One line of the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain.frozen import frozen

# Who erases a picture when a report is upheld: the case's own row names the moderator.
THE_BOT = 0


class AuditAction(StrEnum):
    """What can stand in the audit log: mostly what was acted on, a dot, and what was done."""

    QUOTA_SET = "quota.set"
    QUOTA_REMOVE = "quota.remove"
    QUOTA_GRANT = "quota.grant"
    QUOTA_RESET = "quota.reset"
    BLOCK_ADD = "block.add"
    BLOCK_LIFT = "block.lift"
    STRIKE_ADD = "strike.add"
    STRIKE_MODERATORS_TOLD = "strike.moderators_told"
    STRIKE_LIFT = "strike.lift"
    SETTINGS_CHANGE = "settings.change"
    APPEAL_OPEN = "appeal.open"
    REPORT_OPEN = "report.open"
    CASE_ALLOWED_ONCE = "case.allowed_once"
    CASE_ALLOWED_HERE = "case.allowed_here"
    CASE_UPHELD = "case.upheld"
    CASE_BLOCKED = "case.blocked"
    CASE_APPROVED = "case.approved"
    CASE_REMOVED = "case.removed"
    CASE_KEPT = "case.kept"
    CASE_EXPIRED = "case.expired"
    REVIEW_APPROVAL = "review.approval"
    REVIEW_REVOKE = "review.revoke"
    JOB_CANCEL = "job.cancel"
    JOB_DELETE = "job.delete"
    JOB_DELETE_ONE = "job.delete_one"
    CHANNEL_OPEN = "channel.open"
    CHANNEL_EDIT = "channel.edit"
    CHANNEL_CLOSE = "channel.close"
    CHALLENGE_START = "challenge.start"
    CHALLENGE_END = "challenge.end"
    STARBOARD_SET = "starboard.set"
    STARBOARD_OFF = "starboard.off"
    QUEUE_OPEN = "queue.open"
    QUEUE_PAUSED = "queue.paused"
    QUEUE_DRAINING = "queue.draining"
    BACKUP_MAKE = "backup.make"
    POLICY_FEEDBACK = "policy.feedback"
    ANNOUNCE = "announce"


@frozen
class AuditRow:
    """One act. `actor_id` is None for the bot itself, `target` is "member:1", "channel:2", "job:3", "server" …

    `action` is an `AuditAction`, or one of an earlier version of the bot.
    """

    id: int
    guild_id: int
    actor_id: int | None
    action: str
    target: str | None
    details: Mapping[str, Any]
    created_at: datetime


@frozen
class AuditBacklog:
    """Rows that a server's audit channel does not show yet, oldest first."""

    guild_id: int
    channel_id: int
    rows: tuple[AuditRow, ...]
