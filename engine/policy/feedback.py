"""Corrections that flow back: what moderators allowed or upheld, as a data file that scripts/measure_policy.py reads.

One JSON object a line. Words are there only where the server's retention still holds them, and never of clause b.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How a refusal ended."""

    ALLOWED = "allowed"  # a moderator let it through
    OVERTURNED = "overturned"  # on appeal
    UPHELD = "upheld"  # on appeal


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One refusal that a person looked at; `prompt` is None where its words are not kept. `decided_at` is UTC."""

    prompt: str | None
    negative_prompt: str = ""
    prompt_sha256: str
    clause: str
    rules: tuple[str, ...]
    rule_set: str
    outcome: Outcome
    decided_at: datetime


def feedback_lines(corrections: Iterable[Correction]) -> Iterator[str]:
    """The file's lines, without line ends."""
    for correction in corrections:
        kept = correction.clause != "b" and correction.prompt is not None
        line: dict[str, Any] = {
            "prompt": correction.prompt if kept else None,
            "negative_prompt": correction.negative_prompt if kept else "",
            "prompt_sha256": correction.prompt_sha256,
            "clause": correction.clause,
            "rules": list(correction.rules),
            "rule_set": correction.rule_set,
            "outcome": correction.outcome.value,
            "decided_at": correction.decided_at.isoformat(timespec="seconds"),
        }
        yield json.dumps(line, ensure_ascii=False)


def read_feedback(lines: Iterable[str]) -> Iterator[Correction]:
    """The corrections of such a file. ValueError with the number of the first line that is none."""
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            line = json.loads(text)
            yield Correction(
                prompt=line["prompt"],
                negative_prompt=line["negative_prompt"],
                prompt_sha256=line["prompt_sha256"],
                clause=line["clause"],
                rules=tuple(line["rules"]),
                rule_set=line["rule_set"],
                outcome=Outcome(line["outcome"]),
                decided_at=datetime.fromisoformat(line["decided_at"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"line {number} is no correction: {error!r}") from None
