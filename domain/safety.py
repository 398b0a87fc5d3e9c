"""The picture check's word on one picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from domain.frozen import frozen


class SafetyVerdict(StrEnum):
    """Whether a picture may be shown; an error counts as unsafe."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    ERROR = "error"


@frozen
class SafetyReport:
    """The picture check's word on one picture."""

    verdict: SafetyVerdict
    scores: Mapping[str, float] = field(default_factory=dict[str, float])
    clause: str | None = None

    @property
    def is_safe(self) -> bool:
        return self.verdict is SafetyVerdict.SAFE
