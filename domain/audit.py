"""One line of the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.frozen import frozen

# Who erases a picture when a report is upheld: the case's own row names the moderator.
THE_BOT = 0


@frozen
class AuditRow:
    """One act. `actor_id` is None for the bot itself, `target` is "member:1", "channel:2", "job:3", "server" …"""

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
