"""Whose picture it is, and by what it was recognised."""

from __future__ import annotations

from enum import StrEnum

from domain.frozen import frozen
from domain.jobs import Job


class FoundBy(StrEnum):
    """What gave a picture away, surest first."""

    MESSAGE = "message"
    METADATA = "metadata"
    LOOKS = "looks"


@frozen
class Found:
    """The job behind a picture; `likeness` is from 0 to 1, and only looks leave a doubt."""

    job: Job
    by: FoundBy
    likeness: float = 1.0
