"""One line of the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# The server id of what happened in direct messages or everywhere.
EVERYWHERE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One act. `actor_id` is None for the bot itself, `target` is "member:1", "channel:2", "job:3", "server" …"""

    id: int
    guild_id: int
    actor_id: int | None
    action: str
    target: str | None
    details: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditBacklog:
    """Rows that a server's audit channel does not show yet, oldest first."""

    guild_id: int
    channel_id: int
    rows: tuple[AuditRow, ...]
