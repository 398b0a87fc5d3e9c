"""What the policy decides about a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from domain.frozen import frozen


class Action(StrEnum):
    """What the policy decided about a prompt."""

    ALLOW = "allow"
    REVIEW = "review"  # painted, but the picture is judged more strictly
    REFUSE = "refuse"


@frozen
class Verdict:
    """The policy's decision on one prompt, with everything a moderator needs to understand it.

    `clause` is a letter of the licence's Attachment A ("a" to "k") or a house rule's name; `reason` is the sentence for
    the member, which never repeats forbidden words; `spans` are offsets into the prompt, for member and moderators;
    `strict_picture` asks the picture check for its strictest thresholds (an age word in an otherwise harmless prompt).
    """

    action: Action
    clause: str | None = None
    rules: tuple[str, ...] = ()
    tier: str | None = None
    reason: str = ""
    scores: Mapping[str, float] = field(default_factory=dict[str, float])
    spans: tuple[tuple[int, int], ...] = ()
    strict_picture: bool = False
    rule_set: str = ""
