"""Everything about a member and a place that decides about a request, read once."""

from __future__ import annotations

from datetime import datetime

from domain.blocks import Block
from domain.frozen import frozen
from domain.queue import QueueState
from domain.settings import ChannelSettings, GuildSettings


@frozen
class Circumstances:
    """As last committed. `struck_at` are the times of live strikes, oldest first.

    `phrases` and `once` are what the server's moderators allowed after appeals: texts that house rules overlook, and
    hashes of requests that this member may have painted once.
    """

    settings: GuildSettings
    channel: ChannelSettings
    has_agreed: bool
    queue_state: QueueState
    block: Block | None
    struck_at: tuple[datetime, ...]
    phrases: frozenset[str]
    once: frozenset[str]
