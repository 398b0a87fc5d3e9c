"""Pictures with enough stars."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Starboard:
    """Where a server shows pictures that have `threshold` stars."""

    guild_id: int
    channel_id: int
    threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Starred:
    """A picture on its way to the starboard."""

    job_id: int
    guild_id: int
    channel_id: int
