"""The fair queue: who is next, between servers and between the members of one."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import QueueFull
from engine.worker.fair_queue import FairQueue
from tests.support.engine import WaitingJob


def job(job_id: int, user_id: int = 1, guild: int = 1, cost: float = 1.0, weight: float = 1.0) -> WaitingJob:
    return WaitingJob(job_id, guild, user_id, cost, weight)


def drain(queue: FairQueue[WaitingJob]) -> list[WaitingJob]:
    taken: list[WaitingJob] = []
    while (next_job := queue.pop()) is not None:
        taken.append(next_job)
    return taken


def filled(*waiting: WaitingJob) -> FairQueue[WaitingJob]:
    queue: FairQueue[WaitingJob] = FairQueue()
    for one in waiting:
        queue.push(one)
    return queue


def test_one_member_is_served_in_order_of_arrival() -> None:
    assert [taken.job_id for taken in drain(filled(job(3), job(1), job(2)))] == [3, 1, 2]


def test_of_two_newcomers_the_first_to_arrive_is_served_first_whatever_waits_behind() -> None:
    assert [taken.job_id for taken in drain(filled(job(1, user_id=9), job(2, user_id=4)))] == [1, 2]
    behind = filled(job(1, user_id=9), job(2, user_id=4), job(3, user_id=9))
    assert [taken.job_id for taken in drain(behind)] == [1, 2, 3]


def test_members_of_a_server_take_turns() -> None:
    queue = filled(*(job(number, user_id=1) for number in range(3)), *(job(10 + n, user_id=2) for n in range(3)))
    assert [taken.user_id for taken in drain(queue)] == [1, 2, 1, 2, 1, 2]


def test_a_flood_delays_a_newcomer_by_one_job_only() -> None:
    queue = filled(*(job(number, user_id=1) for number in range(100)))
    for _ in range(50):
        queue.pop()
    queue.push(job(999, user_id=2))
    position = queue.position(999)
    assert position is not None
    assert position.ahead <= 1


def test_a_large_server_does_not_crowd_out_a_small_one() -> None:
    crowd = [job(number, user_id=number, guild=1) for number in range(20)]
    queue = filled(*crowd, job(100, user_id=100, guild=2), job(101, user_id=100, guild=2))
    assert Counter(taken.guild_key for taken in drain(queue)[:4]) == {1: 2, 2: 2}


def test_costly_jobs_count_for_more() -> None:
    queue = filled(*(job(n, user_id=1, cost=3) for n in range(4)), *(job(10 + n, user_id=2, cost=1) for n in range(12)))
    cost = Counter[int]()
    for taken in drain(queue)[:12]:
        cost[taken.user_id] += int(taken.cost)
    assert abs(cost[1] - cost[2]) <= 3


def test_weights_are_shares() -> None:
    queue = filled(
        *(job(n, user_id=1, weight=2) for n in range(20)), *(job(100 + n, user_id=2, weight=1) for n in range(20))
    )
    assert Counter(taken.user_id for taken in drain(queue)[:15]) == {1: 10, 2: 5}


def test_staying_away_saves_nothing_up() -> None:
    queue = filled(*(job(number, user_id=1) for number in range(10)), job(50, user_id=2))
    for _ in range(8):
        queue.pop()
    for number in range(60, 70):
        queue.push(job(number, user_id=3))
    assert {taken.user_id for taken in drain(queue)[:2]} == {1, 3}


def test_a_full_queue_says_so() -> None:
    queue: FairQueue[WaitingJob] = FairQueue(limit=1)
    queue.push(job(1))
    with pytest.raises(QueueFull, match="queue is full"):
        queue.push(job(2))


def test_the_same_job_does_not_wait_twice() -> None:
    with pytest.raises(ValueError, match="already"):
        filled(job(1), job(1))


def test_a_cancelled_job_is_gone_and_costs_nothing() -> None:
    queue = filled(job(1, user_id=1, cost=100), job(2, user_id=1), job(3, user_id=2))
    assert queue.remove(1) is not None
    assert queue.remove(1) is None
    assert [taken.job_id for taken in drain(queue)] == [2, 3]


def test_what_was_not_painted_is_given_back() -> None:
    queue = filled(*(job(number, user_id=1, cost=10) for number in range(3)), job(9, user_id=2), job(10, user_id=2))
    first = queue.pop()
    assert first is not None
    queue.charge(first, -10)
    assert [taken.user_id for taken in drain(queue)[:2]] == [1, 2]


def test_only_what_fits_is_taken_and_the_rest_keeps_its_place() -> None:
    queue = filled(job(1, cost=5), job(2, user_id=2, cost=1))
    taken = queue.pop(lambda one: one.cost < 2)
    assert taken is not None
    assert taken.job_id == 2
    assert queue.pop(lambda one: one.cost < 2) is None
    assert 1 in queue


jobs = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 5), st.floats(0.1, 10), st.sampled_from([0.5, 1.0, 2.0])), max_size=40
)


@given(jobs)
def test_positions_foretell_the_order(plan: list[tuple[int, int, float, float]]) -> None:
    queue = filled(
        *(job(n, user, guild, cost, weight) for n, (guild, user, cost, weight) in enumerate(plan))
    )  # fmt: skip
    foretold = {n: queue.position(n) for n in range(len(plan))}
    total = 0.0
    for ahead, taken in enumerate(drain(queue)):
        total += taken.cost
        position = foretold[taken.job_id]
        assert position is not None
        assert position.ahead == ahead
        assert position.cost == pytest.approx(total)


@given(st.lists(st.floats(0.5, 4), min_size=4, max_size=60))
def test_backlogged_members_differ_by_one_job_at_most(costs: list[float]) -> None:
    """VTC's bound: between two members who always wait, the served cost differs by no more than two largest jobs."""
    queue = filled(
        *(job(n, user_id=1, cost=cost) for n, cost in enumerate(costs)),
        *(job(1000 + n, user_id=2, cost=cost) for n, cost in enumerate(reversed(costs))),
    )
    served = {1: 0.0, 2: 0.0}
    left = {1: len(costs), 2: len(costs)}
    while min(left.values()):
        taken = queue.pop()
        assert taken is not None
        served[taken.user_id] += taken.cost
        left[taken.user_id] -= 1
        assert abs(served[1] - served[2]) <= 2 * max(costs)


def test_long_queues_answer_quickly() -> None:
    """Every board asks for its position; the order of 5,000 jobs is computed once, not 5,000 times."""
    queue = filled(*(job(n, user_id=n % 300, guild=n % 20) for n in range(5000)))
    positions = [queue.position(n) for n in range(5000)]
    assert sorted(position.ahead for position in positions if position) == list(range(5000))


def test_a_known_job_comes_back_into_a_full_queue() -> None:
    queue: FairQueue[WaitingJob] = FairQueue(limit=2)
    queue.push(job(1))
    taken = queue.pop()
    assert taken is not None
    queue.push(job(2))
    queue.push(job(3))
    with pytest.raises(QueueFull):
        queue.push(taken)
    queue.push(taken, is_known=True)
    assert len(queue) == 3


def test_a_newcomer_starts_level_with_the_least_served_of_those_who_wait() -> None:
    """After seven jobs of two members one of them is a job behind: a third is neither before nor after that one."""
    queue = filled(*(job(n, user_id=1) for n in range(6)), *(job(10 + n, user_id=2) for n in range(6)))
    assert [taken.user_id for taken in (queue.pop() for _ in range(7)) if taken] == [1, 2, 1, 2, 1, 2, 1]
    queue.push(job(50, user_id=3))
    queue.push(job(51, user_id=3))
    assert [taken.user_id for taken in drain(queue)[:5]] == [2, 3, 1, 2, 3]


def test_a_servers_newcomer_among_servers_starts_at_the_least_served_one() -> None:
    queue = filled(*(job(n, n, guild=1, cost=5) for n in range(4)), *(job(10 + n, 10 + n, guild=2) for n in range(9)))
    for _ in range(3):
        queue.pop()
    queue.push(job(50, 50, guild=3))
    queue.push(job(51, 50, guild=3))
    assert [taken.guild_key for taken in drain(queue)[:4]] == [2, 3, 2, 3]


def test_positions_know_the_servers_weights() -> None:
    heavy = [WaitingJob(n, 1, n, 1.0, guild_weight=3.0) for n in range(6)]
    light = [WaitingJob(100 + n, 2, 100 + n, 1.0, guild_weight=1.0) for n in range(2)]
    queue = filled(*heavy, *light)
    ahead = {one.job_id: position.ahead for one in (*heavy, *light) if (position := queue.position(one.job_id))}
    assert ahead[101] > 4
    assert [taken.job_id for taken in drain(queue)] == sorted(ahead, key=ahead.__getitem__)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.integers(1, 4), st.integers(1, 5), st.floats(0.1, 10)),
        st.tuples(st.sampled_from(["pop", "pop costly", "remove", "give back"]), st.integers(0, 30)),
    ),
    max_size=120,
)


@given(steps)
def test_places_are_those_of_the_order_whatever_came_and_went(
    plan: list[tuple[str, int] | tuple[str, int, int, float]],
) -> None:
    queue, waiting, taken = FairQueue[WaitingJob](), list[WaitingJob](), list[WaitingJob]()
    for number, step in enumerate(plan):
        if step[0] == "push" and len(step) == 4:
            waiting.append(job(number, user_id=step[2], guild=step[1], cost=step[3], weight=step[2] / 2))
            queue.push(waiting[-1])
        elif step[0].startswith("pop"):
            expected = next((one for one in queue.order() if step[0] == "pop" or one.cost > 5), None)
            assert queue.pop(None if step[0] == "pop" else lambda one: one.cost > 5) is expected
            if expected is not None:
                waiting.remove(expected)
                taken.append(expected)
        elif step[0] == "remove" and waiting:
            assert queue.remove(waiting.pop(step[1] % len(waiting)).job_id) is not None
        elif step[0] == "give back" and taken:
            queue.charge(one := taken[step[1] % len(taken)], -one.cost / 2)
        order = list(queue.order())
        assert len(order) == len(queue) == len(waiting)
        assert [queue.position(one.job_id).ahead for one in order] == [*range(len(order))]  # type: ignore[union-attr]


def test_ten_thousand_of_one_server_keep_their_places_in_step_with_the_order() -> None:
    """Across many blocks: near the front, in the middle and at the end, before and after some were served."""
    queue = filled(*(job(n, user_id=n % 3_000, cost=1 + n % 7) for n in range(10_000)))
    for _ in range(2):
        order = list(queue.order())
        for ahead in (0, 1, 127, 128, 129, 5_000, len(order) - 1):
            position = queue.position(order[ahead].job_id)
            assert position is not None
            assert (position.ahead, position.cost) == (ahead, sum(one.cost for one in order[: ahead + 1]))
        for one in order[:300]:
            assert queue.pop() is one


def test_counters_of_those_who_left_do_not_pile_up() -> None:
    queue = filled(*(job(n, user_id=n, guild=n % 50) for n in range(2_000)))
    drain(queue)
    assert sum(len(found) for found in vars(queue).values() if isinstance(found, dict | list)) == 0
