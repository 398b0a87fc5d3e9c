"""Corrections that flow back: what moderators allowed or upheld, as a data file that scripts/measure_policy.py reads.

One JSON object a line. Words are there only where the server's retention still holds them, and never of clause b.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from domain.corrections import Correction, Ruling


def feedback_line(correction: Correction) -> str:
    """The file's line, without its end."""
    is_kept = correction.clause != "b" and correction.prompt is not None
    line: dict[str, Any] = {
        "prompt": correction.prompt if is_kept else None,
        "negative_prompt": correction.negative_prompt if is_kept else "",
        "phrase": correction.phrase if is_kept else None,
        "prompt_sha256": correction.prompt_sha256,
        "clause": correction.clause,
        "rules": list(correction.rules),
        "rule_set": correction.rule_set,
        "outcome": correction.ruling.value,
        "decided_at": correction.decided_at.isoformat(timespec="seconds"),
    }
    return json.dumps(line, ensure_ascii=False)


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
                phrase=line["phrase"],
                prompt_sha256=line["prompt_sha256"],
                clause=line["clause"],
                rules=tuple(line["rules"]),
                rule_set=line["rule_set"],
                ruling=Ruling(line["outcome"]),
                decided_at=datetime.fromisoformat(line["decided_at"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"line {number} is no correction: {error!r}") from None
