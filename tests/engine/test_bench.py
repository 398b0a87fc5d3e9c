"""The benchmark runs, and its last line holds what others read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from scripts.bench import main
from scripts.benchmark.baselines import groups_of_equals
from scripts.benchmark.measures import jain_index
from scripts.benchmark.workloads import SCALES, WORKLOADS, Order, make_orders
from tests.support.requests import PROFILE
from tests.support.requests import USUAL_REQUEST as GOOD

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")
KEYS = {
    "workload", "model", "device", "dtype", "rounds", "speedup_vs_b0", "speedup_vs_b1", "parity_max_abs",
    "p95_seconds", "jain_index", "rows_per_call", "padding_waste",
}  # fmt: skip


@pytest.mark.pipeline
@pytest.mark.slow
@pytest.mark.parametrize("workload", ["mixed", "flood", "cancels"])
def test_the_last_line_is_one_object_with_everything(workload: str, capsys: pytest.CaptureFixture[str]) -> None:
    threads = torch.get_num_threads()
    try:
        assert main(["--workload", workload, "--model", "tiny", "--requests", "5", "--rounds", "1", "--json"]) == 0
    finally:
        torch.set_num_threads(threads)
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(found) >= KEYS
    assert found["parity_max_abs"] <= 1e-4
    assert 0 < found["jain_index"] <= 1
    if workload == "cancels":
        assert found["steps_after_cancel"] <= 1


@pytest.mark.parametrize("workload", WORKLOADS)
def test_orders_are_the_same_every_time(workload: str) -> None:
    profile = replace(PROFILE, shapes={"square": (512, 512), "portrait": (512, 768)})
    first, second = (make_orders(workload, profile, SCALES["tiny"]) for _ in range(2))
    assert first == second
    assert len({order.user_id for order in first}) >= 4


def test_naive_batching_takes_equal_settings_together() -> None:
    requests = [GOOD] * 10
    assert [len(group) for group in groups_of_equals(requests)] == [8, 2]


def test_jain_index_is_one_for_equals_and_less_for_the_rest() -> None:
    orders = [Order(0, GOOD), Order(1, GOOD)]
    assert jain_index({0: 2.0, 1: 2.0}, orders) == pytest.approx(1.0)
    assert jain_index({0: 1.0, 1: 9.0}, orders) < 0.65
