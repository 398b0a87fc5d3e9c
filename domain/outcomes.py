"""Why a job ended without pictures, as a code; the sentences for members are made where they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class OutcomeCode(StrEnum):
    """One kind of end."""

    CANCELLED = "cancelled"
    CANCELLED_BY_MODERATOR = "cancelled_by_moderator"
    REPLACED = "replaced"
    FAILED = "failed"  # `detail`: the reference that the log shows, if something unexpected happened
    REJECTED = "rejected"
    PLACE_STRICTER = "place_stricter"
    SAID = "said"  # `detail`: the sentence of the UserError


@dataclass(frozen=True, slots=True)
class Outcome:
    """A code with what its sentence needs."""

    code: OutcomeCode
    detail: str = ""
