"""What moderators allowed after an appeal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedPhrase:
    """A phrase that house rules overlook in one server."""

    id: int
    phrase: str
    granted_by: int
    granted_at: datetime
