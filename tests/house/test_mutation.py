"""The mutation run draws mutants from rooms that exist, and the operators for SQL change what decides."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("cosmic_ray", reason="comes with the extra `mutation`")

from scripts.mutation.mutants import changed_functions, mutated, sample, specs_of
from scripts.mutation.rooms import ROOMS, modules_of

SOURCE = """LIMIT = 3


def query() -> str:
    return "UPDATE t SET a = 1 WHERE b = ? AND c IS NULL"
"""


def texts(name: str) -> list[str]:
    made = (mutated(spec, SOURCE) for spec in specs_of("made.py", SOURCE) if name in spec.operator_name)
    return [text for text in made if text is not None]


def test_the_sql_mutants_change_the_condition_and_not_what_is_set() -> None:
    found = [text.splitlines()[-1].strip() for text in texts("ReplaceSqlOperator")]
    assert found == [
        'return "UPDATE t SET a = 1 WHERE b <> ? AND c IS NULL"',
        'return "UPDATE t SET a = 1 WHERE b = ? OR c IS NULL"',
        'return "UPDATE t SET a = 1 WHERE b = ? AND c IS NOT NULL"',
    ]


def test_a_change_outside_of_functions_is_told_from_one_inside() -> None:
    (raised, lowered) = texts("NumberReplacer")[:2]
    assert "LIMIT = 4" in raised.replace("  ", " ")
    assert "LIMIT = 2" in lowered.replace("  ", " ")
    assert changed_functions("made.py", SOURCE, raised) == []
    ((old, new),) = changed_functions("made.py", SOURCE, texts("ReplaceSqlOperator")[0])
    assert old.co_qualname == new.co_qualname == "query"


def test_every_room_has_files() -> None:
    for room in ROOMS:
        assert all(Path(name).is_file() for name in modules_of(room))
        assert modules_of(room)


def test_a_seed_draws_the_same_mutants_again_and_another_draws_others() -> None:
    drawn = [[item.job_id for item in sample("queue", 5, seed)] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
