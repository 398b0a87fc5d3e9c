"""Which rows the next call computes: fair between members and sizes, without waste. Needs no model."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.sampling.row_selection import ROW_COUNTS, RowSelection, padded


class Row:
    """A stand-in sample: whose it is and how many rows it takes."""

    def __init__(self, user_id: int, rows: int = 2) -> None:
        self.user_id, self.rows = user_id, rows


def measured(seconds: dict[int, float]) -> RowSelection[Row]:
    selection: RowSelection[Row] = RowSelection()
    for rows, cost in seconds.items():
        selection.costs.measure((8, 8), rows, cost)
    return selection


def test_a_lone_picture_beside_a_flood_is_not_slowed_down_where_rows_cost_time() -> None:
    selection = measured({2: 2.0, 4: 4.0, 8: 8.0, 16: 16.0})
    chosen = selection.choose_samples((8, 8), [Row(1) for _ in range(8)] + [Row(2)], 16)
    assert sorted(row.user_id for row in chosen) == [1, 2]


def test_a_flood_fills_the_batch_where_rows_are_almost_free() -> None:
    selection = measured({2: 2.0, 4: 2.1, 8: 2.2, 16: 2.3})
    chosen = selection.choose_samples((8, 8), [Row(1) for _ in range(8)] + [Row(2)], 16)
    assert len(chosen) == 8
    assert any(row.user_id == 2 for row in chosen)


def test_equal_askers_share_full_batches() -> None:
    selection = measured({2: 2.0, 16: 16.0})
    assert len(selection.choose_samples((8, 8), [Row(user_id) for user_id in range(8)], 16)) == 8


def test_a_batch_is_left_smaller_where_padding_would_cost_more_than_another_step() -> None:
    selection = measured({2: 4.0, 8: 6.0, 16: 10.0, 32: 18.0})
    assert len(selection.choose_samples((8, 8), [Row(1) for _ in range(9)], 32)) == 8, "16 rows for 10, not 18 for 18"
    assert len(selection.choose_samples((8, 8), [Row(1) for _ in range(15)], 32)) == 15


def test_a_step_that_is_padded_to_the_full_is_also_filled() -> None:
    selection: RowSelection[Row] = RowSelection(always_padded=True)
    assert len(selection.choose_samples((8, 8), [Row(1) for _ in range(9)], 32)) == 9


def test_unknown_costs_lie_between_the_known_ones() -> None:
    costs = measured({8: 6.0, 32: 18.0}).costs
    assert costs.seconds((8, 8), 16) == pytest.approx(10.0)
    assert costs.seconds((8, 8), 64) == pytest.approx(36.0)
    assert costs.seconds((8, 8), 4) == pytest.approx(3.0)
    assert costs.seconds((9, 9), 4) == pytest.approx(0.2)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 2)), min_size=1, max_size=40), st.sampled_from(ROW_COUNTS[1:])
)
def test_a_choice_is_never_empty_and_never_too_large(rows: list[tuple[int, int]], room: int) -> None:
    selection: RowSelection[Row] = RowSelection()
    chosen = selection.choose_samples((8, 8), [Row(user_id, count) for user_id, count in rows], room)
    assert 1 <= sum(row.rows for row in chosen) <= room


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 2.0), min_size=2, max_size=4))
def test_buckets_get_equal_time(costs: list[float]) -> None:
    selection: RowSelection[Row] = RowSelection()
    buckets: dict[tuple[int, ...], float] = {(number,): cost for number, cost in enumerate(costs)}
    for bucket, cost in buckets.items():
        selection.costs.measure(bucket, 2, cost)
    spent = dict.fromkeys(buckets, 0.0)
    for _ in range(400):
        bucket = selection.choose_bucket(dict.fromkeys(buckets, 1), dict.fromkeys(buckets, 2))
        selection.served(bucket, [Row(1)], buckets[bucket], 2)
        spent[bucket] += buckets[bucket]
    assert max(spent.values()) - min(spent.values()) <= 3 * max(costs)


def test_row_counts_cover_everything_up_to_the_largest() -> None:
    assert [padded(rows) for rows in (1, 2, 3, 5, 9, 17)] == [1, 2, 4, 8, 16, 32]


@pytest.mark.parametrize("rows", [(2, 2), (1, 2), (2, 1)], ids=["alike", "one unguided", "other unguided"])
def test_members_get_equal_time_over_many_steps_whatever_they_ask_for(rows: tuple[int, int]) -> None:
    selection = measured({1: 1.0, 2: 2.0, 4: 4.0})
    selection.choose_bucket({(8, 8): 2}, {(8, 8): 4})
    waiting = [Row(1, rows[0]), Row(1, rows[0]), Row(1, rows[0]), Row(2, rows[1])]
    spent = {1: 0.0, 2: 0.0}
    for _ in range(300):
        chosen = selection.choose_samples((8, 8), waiting, 2)
        taken = sum(row.rows for row in chosen)
        selection.served((8, 8), chosen, float(taken), padded(taken))
        for row in chosen:
            spent[row.user_id] += row.rows
    assert spent[1] == pytest.approx(spent[2], abs=4)


def test_a_newcomer_to_a_bucket_starts_level_with_the_least_served() -> None:
    selection = measured({2: 2.0, 4: 4.0})
    selection.choose_samples((8, 8), [Row(1), Row(2)], 2)
    selection.served((8, 8), [Row(1)], 100.0, 2)
    selection.served((8, 8), [Row(2)], 20.0, 2)
    turns: list[int] = []
    for _ in range(10):
        (chosen,) = selection.choose_samples((8, 8), [Row(1), Row(2), Row(3)], 2)
        selection.served((8, 8), [chosen], 2.0, 2)
        turns.append(chosen.user_id)
    assert sorted(turns) == [2] * 5 + [3] * 5
