"""How many rows pay: what a row profile concludes from measurements, and how it keeps them. Needs no model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.sampling.profiling import RowProfile
from engine.sampling.row_selection import ROW_COUNTS

SIZE = (8, 8)


def profile_of(seconds: dict[int, float], **options: object) -> RowProfile:
    """A profile that was told the given seconds as far as it asked for them."""
    profile = RowProfile(**options)  # pyright: ignore[reportArgumentType]
    while (rows := profile.next_count(SIZE)) is not None:
        profile.record(SIZE, rows, seconds[rows])
    return profile


def test_rows_that_are_almost_free_are_taken() -> None:
    assert profile_of({rows: 1.0 + rows / 1000 for rows in ROW_COUNTS}).best(SIZE) == 64


def test_rows_that_cost_as_much_as_a_call_of_their_own_are_not() -> None:
    profile = profile_of({rows: 0.5 * rows for rows in ROW_COUNTS})
    assert profile.best(SIZE) == 2, "a picture with guidance is never cut in two"
    assert max(profile.seconds(SIZE)) < 64, "more is not tried once it does not pay"


def test_one_disturbed_timing_does_not_end_the_search() -> None:
    seconds = {rows: 1.0 + rows / 100 for rows in ROW_COUNTS} | {8: 4.0}
    assert profile_of(seconds).best(SIZE) == 64


def test_rows_without_memory_are_no_choice() -> None:
    seconds = {rows: 1.0 + rows / 1000 for rows in ROW_COUNTS} | {16: float("inf"), 32: float("inf")}
    assert profile_of(seconds).best(SIZE) == 8


def test_a_fixed_row_count_is_the_only_one() -> None:
    assert profile_of(dict.fromkeys(ROW_COUNTS, 1.0), max_rows=16, fixed=True).seconds(SIZE) == {16: 1.0}


@settings(deadline=None)
@given(st.lists(st.floats(1e-4, 30.0), min_size=len(ROW_COUNTS), max_size=len(ROW_COUNTS)))
def test_any_timings_end_with_a_row_count_that_was_timed(times: list[float]) -> None:
    profile = profile_of(dict(zip(ROW_COUNTS, times, strict=True)))
    assert profile.best(SIZE) in profile.seconds(SIZE)


def test_a_profile_survives_a_restart_and_belongs_to_its_machine(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.json"
    seconds = {rows: 1.0 + rows / 1000 for rows in ROW_COUNTS} | {64: float("inf")}
    assert profile_of(seconds, path=path, machine="one").best(SIZE) == 32
    assert RowProfile(path, "one").best(SIZE) == 32
    assert RowProfile(path, "another").best(SIZE) is None
    profile_of(seconds, path=path, machine="another")
    assert set(json.loads(path.read_text())) == {"one", "another"}


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"one": 3}', '{"one": {"wide": {"2": 1}}}', '{"one": {"8x8": {"2": null}}}']
)
def test_a_damaged_file_is_measured_again(tmp_path: Path, text: str) -> None:
    (tmp_path / "rows.json").write_text(text)
    assert RowProfile(tmp_path / "rows.json", "one").next_count(SIZE) == 2
