"""What is told of decisions of which nothing is kept."""

from __future__ import annotations

from datetime import datetime

from domain.cases import Subject
from domain.frozen import frozen


@frozen
class UnstoredDecision:
    """A decision of which nothing is kept but that it was made: whom and where, and on a prompt or a picture."""

    id: int
    user_id: int
    guild_id: int | None
    channel_id: int
    subject: Subject
    decided_at: datetime
