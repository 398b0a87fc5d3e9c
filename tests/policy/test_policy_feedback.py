"""Moderators' corrections as a data file: what is written is what is read, and no words of clause b are in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from domain.corrections import Correction, Ruling
from engine.policy.feedback import feedback_line, read_feedback

ALLOWED = Correction(
    prompt="a knight covered in ketchup\nat dawn",
    negative_prompt="lowres",
    phrase="covered in ketchup",
    prompt_sha256="ab" * 32,
    clause="gore",
    rules=("gore.blood",),
    rule_set="2026.11.27",
    ruling=Ruling.ALLOWED,
    decided_at=datetime(2026, 11, 27, 12, 30, tzinfo=UTC),
)


@pytest.mark.parametrize("ruling", list(Ruling))
def test_what_is_written_is_what_is_read(ruling: Ruling) -> None:
    corrections = [replace(ALLOWED, ruling=ruling), replace(ALLOWED, prompt=None, negative_prompt="", phrase=None)]
    lines = [feedback_line(correction) for correction in corrections]
    assert all("\n" not in line for line in lines)
    assert list(read_feedback(lines)) == corrections


def test_words_of_clause_b_are_never_written() -> None:
    line = feedback_line(replace(ALLOWED, clause="b"))
    assert "knight" not in line
    assert "ketchup" not in line
    assert "lowres" not in line
    assert next(read_feedback([line])).prompt is None


@pytest.mark.parametrize("line", ["{", "[]", '{"prompt": "x"}', '{"prompt": 1, "outcome": "maybe"}'])
def test_a_line_that_is_no_correction_is_named(line: str) -> None:
    good = feedback_line(ALLOWED)
    with pytest.raises(ValueError, match="line 2"):
        list(read_feedback([good, line]))
