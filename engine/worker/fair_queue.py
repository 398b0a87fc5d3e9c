"""Who is next: fair between servers, and between the members of a server.

Two levels of weighted virtual time (the rule of VTC, arXiv 2401.00588, with costs that are known beforehand). Each
member carries a counter of served cost divided by weight, and so does each server; the smallest counter is served next.
A newcomer starts at the smallest counter of those who wait, so that nobody can save up by staying away.

A member's jobs are served when their counter says so whatever others do, so a job's turn in its server is known when it
comes (`ServingOrder`), and its place is a count: nothing is computed for all who wait.
Pure Python, no threads of its own: the worker holds a lock around it.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from domain import QueueFull
from engine.worker.serving_order import ServingOrder, Turn, Weighed, share_of


class QueuedJob(Weighed, Protocol):
    """What the order depends on. `cost` is in one unit for all jobs, weights are shares of the worker.

    `guild_key` is the server's id, or any other number that nobody else has.
    """

    @property
    def job_id(self) -> int: ...
    @property
    def guild_key(self) -> int: ...
    @property
    def user_id(self) -> int: ...
    @property
    def weight(self) -> float: ...


JobT = TypeVar("JobT", bound=QueuedJob)


@dataclass(frozen=True, slots=True)
class Position:
    """`ahead` jobs are started before a job; `cost` is theirs and its own together."""

    ahead: int
    cost: float


@dataclass(slots=True)
class _Member(Generic[JobT]):
    """A member's waiting jobs in the order of arrival, each with the number of its arrival."""

    served: int = 0
    jobs: deque[tuple[int, JobT]] = field(default_factory=deque[tuple[int, JobT]])

    def turns(self) -> Iterator[tuple[Turn, JobT]]:
        """When each of them is served."""
        served = self.served
        for arrival, job in self.jobs:
            yield (served, arrival), job
            served += share_of(job.cost, job.weight)


@dataclass(slots=True)
class _Guild(Generic[JobT]):
    served: int = 0
    members: dict[int, _Member[JobT]] = field(default_factory=dict[int, _Member[JobT]])
    order: ServingOrder[JobT] = field(default_factory=lambda: ServingOrder())
    # (counter, member) of those without a waiting job; one whose counter has moved since is out of date.
    idle: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])


class FairQueue(Generic[JobT]):
    """A bounded queue whose `pop` is fair; `limit` is the number of waiting jobs."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._guilds: dict[int, _Guild[JobT]] = {}
        self._jobs: dict[int, JobT] = {}
        self._arrivals = 0
        # Heaps of servers: (counter, arrival of the next job, key), and (counter, key) of those without a waiting job.
        # What has changed since is out of date, and thrown away when it comes up.
        self._next: list[tuple[int, int, int]] = []
        self._idle: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._jobs

    def push(self, job: JobT, *, is_known: bool = False) -> None:
        """Let a job wait. Raises ValueError for a job that waits already, and QueueFull at the limit.

        A known job comes back, after it was taken out or after a restart, which the limit does not hinder.
        """
        if job.job_id in self._jobs:
            raise ValueError(f"job {job.job_id} is in the queue already")
        if len(self._jobs) >= self._limit and not is_known:
            raise QueueFull("The queue is full at the moment. Please try again in a few minutes; nothing was charged.")
        guild = self._guilds.setdefault(job.guild_key, _Guild())
        if not guild.order and (first := self._first()) is not None:
            guild.served = max(guild.served, first[0])
        member = guild.members.setdefault(job.user_id, _Member())
        if not member.jobs and guild.order:
            member.served = max(member.served, guild.order.first[0][0])
        self._arrivals += 1
        served = member.served + sum(share_of(one.cost, one.weight) for _, one in member.jobs)
        member.jobs.append((self._arrivals, job))
        guild.order.insert((served, self._arrivals), job)
        self._jobs[job.job_id] = job
        self._note(job.guild_key)

    def pop(self, fits: Callable[[JobT], bool] | None = None) -> JobT | None:
        """The next job in fair order, or the first that `fits`; None if there is none."""
        for job in self._candidates():
            if fits is None or fits(job):
                self._serve(job)
                self._forget_idle(job.guild_key)
                return job
        return None

    def _candidates(self) -> Iterator[JobT]:
        """As `order`, but the first one costs next to nothing, and nearly always it fits."""
        first = self._first()
        if first is not None:
            job = self._guilds[first[2]].order.first[1]
            yield job
            yield from (one for one in self.order() if one is not job)

    def _serve(self, job: JobT) -> None:
        """Take a job out and count its cost."""
        guild = self._guilds[job.guild_key]
        turn, first = guild.order.first
        if first is not job:
            self.remove(job.job_id)
            self.charge(job, job.cost)
            return
        # The member's other jobs keep their turns: the counter moves to the next job.
        guild.order.remove(turn)
        del self._jobs[job.job_id]
        member = guild.members[job.user_id]
        member.jobs.popleft()
        member.served += share_of(job.cost, job.weight)
        guild.served += share_of(job.cost, job.guild_weight)
        self._note_member(guild, job.user_id)
        self._note(job.guild_key)

    def remove(self, job_id: int) -> JobT | None:
        """Take a waiting job out; what it would have cost was never counted."""
        job = self._jobs.pop(job_id, None)
        if job is not None:
            guild = self._guilds[job.guild_key]
            member = guild.members[job.user_id]
            self._take_out(guild, member)
            member.jobs = deque(pair for pair in member.jobs if pair[1] is not job)
            self._put_back(guild, job)
        return job

    def charge(self, job: JobT, cost: float) -> None:
        """Count a cost as served to the job's member and server; a negative one gives back what was not painted."""
        guild = self._guilds.get(job.guild_key)
        if guild is None:
            return
        guild.served += share_of(cost, job.guild_weight)
        member = guild.members.get(job.user_id)
        if member is None:
            self._note(job.guild_key)
            return
        self._take_out(guild, member)
        member.served += share_of(cost, job.weight)
        self._put_back(guild, job)

    def order(self) -> Iterator[JobT]:
        """All waiting jobs as they would be served if nobody else came. Lazy: the first ones cost little."""
        left = {key: iter(guild.order) for key, guild in self._guilds.items() if guild.order}
        ahead = {key: next(waiting) for key, waiting in left.items()}
        guilds = [(self._guilds[key].served, arrival, key) for key, ((_, arrival), _) in ahead.items()]
        heapq.heapify(guilds)
        while guilds:
            served, _, key = guilds[0]
            job = ahead[key][1]
            following = next(left[key], None)
            if following is None:
                heapq.heappop(guilds)
            else:
                ahead[key] = following
                served += share_of(job.cost, job.guild_weight)
                heapq.heapreplace(guilds, (served, following[0][1], key))
            yield job

    def position(self, job_id: int) -> Position | None:
        """Where a job stands; None if it does not wait."""
        job = self._jobs.get(job_id)
        if job is None:
            return None
        guild = self._guilds[job.guild_key]
        turn = next(turn for turn, one in guild.members[job.user_id].turns() if one is job)
        own = guild.order.before(turn)
        ahead, cost, begins_at = own.count, own.cost, guild.served + own.share
        for other in self._guilds.values():
            if other is not guild and other.order:
                begun = other.order.begun_before(begins_at - other.served, turn[1])
                ahead, cost = ahead + begun.count, cost + begun.cost
        return Position(ahead, cost + job.cost)

    def users(self) -> set[int]:
        """Everybody who has a job waiting."""
        return {job.user_id for job in self._jobs.values()}

    # ---- keeping turns and heaps true ------------------------------------------------------------------------------

    def _take_out(self, guild: _Guild[JobT], member: _Member[JobT]) -> None:
        """Before a member's turns change."""
        for turn, _ in member.turns():
            guild.order.remove(turn)

    def _put_back(self, guild: _Guild[JobT], of: JobT) -> None:
        for turn, job in guild.members[of.user_id].turns():
            guild.order.insert(turn, job)
        self._note_member(guild, of.user_id)
        self._note(of.guild_key)

    def _note_member(self, guild: _Guild[JobT], user_id: int) -> None:
        member = guild.members[user_id]
        if not member.jobs:
            heapq.heappush(guild.idle, (member.served, user_id))

    def _note(self, guild_key: int) -> None:
        """A server's counter or its next job has changed."""
        guild = self._guilds[guild_key]
        if not guild.order:
            heapq.heappush(self._idle, (guild.served, guild_key))
            return
        heapq.heappush(self._next, self._entry(guild_key))
        if len(self._next) > 4 * len(self._guilds) + 64:
            self._next = [self._entry(key) for key, one in self._guilds.items() if one.order]
            heapq.heapify(self._next)

    def _entry(self, guild_key: int) -> tuple[int, int, int]:
        guild = self._guilds[guild_key]
        return guild.served, guild.order.first[0][1], guild_key

    def _first(self) -> tuple[int, int, int] | None:
        """The server that is served next: its counter, the arrival of its next job, and its key."""
        while self._next:
            guild = self._guilds.get(self._next[0][2])
            if guild is not None and guild.order and self._entry(self._next[0][2]) == self._next[0]:
                return self._next[0]
            heapq.heappop(self._next)
        return None

    def _forget_idle(self, guild_key: int) -> None:
        """Drop the counters that a newcomer's start would overtake anyway, so that they do not pile up."""
        first = self._first()
        while self._idle and (first is None or self._idle[0][0] <= first[0]):
            served, key = heapq.heappop(self._idle)
            guild = self._guilds.get(key)
            if guild is not None and not guild.order and guild.served == served:
                del self._guilds[key]
        guild = self._guilds.get(guild_key)
        while guild is not None and guild.order and guild.idle and guild.idle[0][0] <= guild.order.first[0][0]:
            served, user_id = heapq.heappop(guild.idle)
            member = guild.members.get(user_id)
            if member is not None and not member.jobs and member.served == served:
                del guild.members[user_id]
