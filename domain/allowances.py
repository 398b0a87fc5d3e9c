"""What moderators allowed after an appeal."""

from __future__ import annotations

from datetime import datetime

from domain.frozen import frozen


@frozen
class AllowedPhrase:
    """A phrase that house rules overlook in one server."""

    id: int
    phrase: str
    granted_by: int
    granted_at: datetime
