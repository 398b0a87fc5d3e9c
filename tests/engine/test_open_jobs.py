"""The place where the engine's threads meet: what waits, what was begun, what is ready, and how it all ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import replace

import pytest

from domain import JobCancelled, Place, QueueFull
from engine.policy import approve
from engine.worker.open_jobs import OpenJobs
from engine.worker.running_job import RunningJob
from tests.support.engine import SMALL, make_task
from tests.support.requests import PROFILE
from tests.support.requests import USUAL_REQUEST as GOOD

SECONDS = 60


def job(job_id: int, user_id: int = 1) -> RunningJob:
    return RunningJob.of(make_task(job_id, user_id=user_id), PROFILE)


def filled(*waiting: RunningJob) -> OpenJobs:
    jobs = OpenJobs()
    for one in waiting:
        jobs.add(one)
    return jobs


def anything(_job: RunningJob) -> bool:
    return True


def nothing(_job: RunningJob) -> bool:
    return False


def idle() -> bool:
    return False


def test_a_job_waits_is_begun_and_is_over() -> None:
    jobs, one = OpenJobs(), job(1)
    assert jobs.counts() == (0, 0, 0)
    jobs.add(one)
    assert jobs.counts() == (1, 0, 1)
    assert jobs.begun(1) is None
    assert jobs.take(anything) is one
    assert jobs.begun(1) is one
    assert jobs.counts() == (0, 1, 0)
    jobs.forget(one)
    assert jobs.counts() == (0, 0, 0)


def test_a_full_queue_takes_no_more() -> None:
    jobs = OpenJobs(max_queue=1)
    jobs.add(job(1))
    with pytest.raises(QueueFull):
        jobs.add(job(2))


def test_a_waiting_job_is_cancelled_at_once_and_a_begun_one_is_marked() -> None:
    begun, waiting = job(1), job(2)
    jobs = filled(begun, waiting)
    jobs.take(anything)
    assert jobs.cancel(2)
    assert isinstance(waiting.future.exception(0), JobCancelled)
    assert jobs.take_cancelled() == []
    assert jobs.cancel(1)
    assert jobs.take_cancelled() == [begun]
    assert not begun.future.done(), "the GPU thread answers, when it has freed the rows"
    assert not jobs.cancel(3)


def test_what_a_cancelled_job_did_not_use_is_given_back_to_its_member() -> None:
    costly, later, other = job(1, user_id=1), job(2, user_id=1), job(3, user_id=2)
    jobs = filled(costly, later, other)
    assert jobs.take(anything) is costly
    jobs.cancel(1)
    for cancelled in jobs.take_cancelled():
        jobs.forget(cancelled)
    assert jobs.take(anything) is later, "nothing was painted, so nothing counts: the first to come is first"


def test_after_nothing_fitted_the_queue_is_not_asked_until_something_changes() -> None:
    jobs = filled(job(1))
    assert jobs.take(nothing) is None
    assert jobs.take(anything) is None
    jobs.free_rows()
    assert jobs.take(anything) is not None


def test_paused_jobs_wait_until_they_are_resumed() -> None:
    jobs = filled(job(1))
    jobs.pause()
    assert jobs.is_paused
    assert jobs.take(anything) is None
    jobs.resume()
    assert jobs.take(anything) is not None


def test_a_place_counts_the_jobs_before_it_and_what_begun_ones_still_cost() -> None:
    first, second, third = (job(number) for number in (1, 2, 3))
    jobs = filled(first, second, third)
    jobs.take(anything)
    assert jobs.position(1) is None
    position = jobs.position(3)
    assert position is not None
    assert position.ahead == 1
    assert position.cost == pytest.approx(first.cost + second.cost + third.cost)
    assert [one.job_id for one in jobs.upcoming(8)] == [2, 3]
    assert jobs.users_waiting() == {1}


def test_after_a_failure_each_job_begins_again_alone() -> None:
    jobs = filled(job(1), job(2), job(3))
    jobs.take(anything)
    jobs.take(anything)
    assert jobs.begin_again(max_attempts=3) == []
    assert jobs.counts() == (3, 0, 1)
    fresh = jobs.take(anything)
    assert fresh is not None
    assert fresh.job_id == 3, "it was not there, so nothing speaks against it"
    assert jobs.take(anything) is None
    jobs.forget(fresh)
    failed = jobs.take(anything)
    assert failed is not None
    assert failed.attempts == 1
    assert jobs.take(anything) is None


def test_a_job_that_failed_too_often_is_given_up() -> None:
    jobs, one = OpenJobs(), job(1)
    jobs.add(one)
    jobs.take(anything)
    assert jobs.begin_again(max_attempts=2) == []
    jobs.take(anything)
    assert jobs.begin_again(max_attempts=2) == [one]
    assert jobs.counts() == (0, 0, 0)


def test_a_full_queue_takes_begun_jobs_back() -> None:
    jobs = OpenJobs(max_queue=1)
    jobs.add(job(1))
    jobs.take(anything)
    jobs.add(job(2))
    jobs.begin_again(max_attempts=3)
    assert jobs.counts() == (2, 0, 1)


def test_a_job_is_ready_once_its_init_image_is_read() -> None:
    jobs, one = OpenJobs(), job(1)
    jobs.add(one)
    jobs.take(anything)
    assert jobs.take_ready() == []
    jobs.put_ready(one)
    assert jobs.take_ready() == [one]
    assert jobs.take_ready() == []


def test_the_gpu_thread_sleeps_until_there_is_something_to_do() -> None:
    jobs, woken = OpenJobs(), threading.Event()
    found: list[bool] = []

    def wait() -> None:
        found.append(jobs.wait_for_work(idle))
        woken.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not woken.is_set()
    jobs.add(job(1))
    assert woken.wait(SECONDS)
    thread.join(SECONDS)
    assert found == [True]
    assert jobs.take(nothing) is None
    assert jobs.wait_for_work(lambda: True), "its own rows are work too"
    jobs.drain(0)
    assert jobs.is_closing
    assert not jobs.wait_for_work(lambda: True)


def test_draining_waits_for_begun_jobs_but_not_longer_than_asked() -> None:
    times: Iterator[float] = iter([0.0, 4.999, 6.0])
    jobs = OpenJobs(clock=lambda: next(times))
    jobs.add(job(1))
    jobs.take(anything)
    jobs.drain(5.0)
    assert jobs.is_closing
    assert next(times, None) is None, "the clock was asked until the time was over"
    assert jobs.counts() == (0, 1, 0)


def test_nothing_new_begins_while_begun_jobs_are_waited_for() -> None:
    taken: list[RunningJob | None] = []
    times: Iterator[float] = iter([0.0, 6.0])

    def clock() -> float:
        now = next(times)
        if now:  # asked again: the drain waits by now
            taken.append(jobs.take(anything))
        return now

    jobs = OpenJobs(clock=clock)
    jobs.add(job(1))
    assert jobs.take(anything) is not None
    jobs.add(job(2))
    jobs.drain(5.0)
    assert taken == [None]
    assert jobs.counts() == (1, 1, 1)


def test_what_is_left_at_the_end_is_cancelled() -> None:
    begun, waiting = job(1), job(2)
    jobs = filled(begun, waiting)
    jobs.take(anything)
    jobs.drain(0)
    jobs.abandon()
    for one in (begun, waiting):
        with pytest.raises(CancelledError):
            one.future.result(0)


def test_a_servers_jobs_are_the_servers_and_direct_messages_the_members_own() -> None:
    assert job(1, user_id=7).guild_key == 5
    task = replace(make_task(1, user_id=7), approved=approve(SMALL, Place()))
    assert RunningJob.of(task, PROFILE).guild_key == -7


def test_a_job_costs_its_price_for_the_calls_that_it_takes() -> None:
    ddim, heun = (
        RunningJob.of(make_task(1, replace(GOOD, scheduler=scheduler)), PROFILE) for scheduler in ("ddim", "heun")
    )
    assert (ddim.calls, heun.calls) == (20, 39)
    assert heun.cost == pytest.approx(ddim.cost * 39 / 20)
    assert ddim.remaining == ddim.cost


def test_an_answered_job_is_not_answered_twice() -> None:
    one = job(1)
    one.future.cancel()
    one.fail(JobCancelled("too late"))
    assert one.future.cancelled()
