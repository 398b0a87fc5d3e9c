"""What waiting times are computed from."""

from __future__ import annotations

import pytest

from engine.worker.throughput import ThroughputEstimate


def test_before_anything_was_painted_a_credit_takes_five_seconds() -> None:
    assert ThroughputEstimate().seconds_per_cost * 1000 == 5.0


def test_the_first_turn_that_paints_replaces_the_guess() -> None:
    estimate = ThroughputEstimate()
    estimate.end_turn(9.0)
    assert estimate.seconds_per_cost * 1000 == 5.0, "a turn without painting says nothing"
    estimate.count_painted(30.0)
    estimate.count_painted(20.0)
    estimate.end_turn(0.1)
    assert estimate.seconds_per_cost == pytest.approx(0.1 / 50)


def test_later_turns_move_the_mean_by_a_twentieth() -> None:
    estimate = ThroughputEstimate()
    for seconds, cost in ((1.0, 100.0), (3.0, 200.0)):
        estimate.count_painted(cost)
        estimate.end_turn(seconds)
    assert estimate.seconds_per_cost == pytest.approx(1.1 / 105)


def test_pictures_move_their_mean_by_a_fifth() -> None:
    estimate = ThroughputEstimate()
    estimate.count_picture(10.0)
    assert estimate.seconds_per_picture == pytest.approx(6.0)
