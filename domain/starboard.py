"""Pictures with enough stars."""

from __future__ import annotations

from domain.frozen import frozen


@frozen
class Starboard:
    """Where a server shows pictures that have `threshold` stars."""

    guild_id: int
    channel_id: int
    threshold: int


@frozen
class Starred:
    """A picture on its way to the starboard."""

    job_id: int
    guild_id: int
    channel_id: int
