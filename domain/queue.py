"""What the queue takes, and what the engine is doing."""

from __future__ import annotations

from enum import StrEnum

from domain.frozen import frozen


class QueueState(StrEnum):
    """`PAUSED`: accepted requests wait; `DRAINING`: nothing new is accepted, what waits is still painted."""

    OPEN = "open"
    PAUSED = "paused"
    DRAINING = "draining"


@frozen
class EngineReport:
    """What the engine is doing.

    `seconds_per_picture` is a recent mean, `rows_per_call` the mean of needed UNet rows a call, `padding_waste` the
    share of all computed rows that only filled up.
    """

    queued: int
    running: int
    users_waiting: int
    seconds_per_picture: float
    rows_per_call: float
    paused: bool
    alive: bool
    padding_waste: float = 0.0
