"""Who may not paint."""

from __future__ import annotations

from datetime import datetime

from domain.frozen import frozen

WHOLE_SERVER = 0


@frozen
class Block:
    """`guild_id` 0: everywhere; `user_id` 0: the whole server. `expires_at` None: until it is lifted."""

    guild_id: int
    user_id: int
    reason: str
    actor_id: int
    created_at: datetime
    expires_at: datetime | None


@frozen
class BlockResult:
    """A block that was just made: how many open jobs it took back, and when it ends (None: never by itself)."""

    cancelled: int
    expires_at: datetime | None
