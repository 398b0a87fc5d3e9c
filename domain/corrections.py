"""What moderators corrected or confirmed of the policy's refusals, as the owner hands it on."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from domain.frozen import frozen


class Ruling(StrEnum):
    """How a refusal ended."""

    ALLOWED = "allowed"  # a moderator allowed its phrase from then on
    OVERTURNED = "overturned"  # on appeal, this once
    UPHELD = "upheld"  # on appeal


@frozen
class Correction:
    """One refusal that a moderator looked at. `phrase` is what they allowed, if it was a phrase.

    `prompt` and `phrase` are None and the negative prompt is empty where words are not kept. `decided_at` is UTC.
    """

    prompt: str | None
    negative_prompt: str = ""
    phrase: str | None = None
    prompt_sha256: str
    clause: str
    rules: tuple[str, ...]
    rule_set: str
    ruling: Ruling
    decided_at: datetime


@frozen
class CorrectionFile:
    """The corrections as JSON lines in UTF-8, newest first: how many, of how many the words are there, and whether
    older ones are missing because no more fitted."""

    data: bytes
    corrections: int
    worded: int
    is_cut: bool
