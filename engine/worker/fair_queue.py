"""Who is next: fair between servers, and between the members of a server.

Two levels of weighted virtual time (the rule of VTC, arXiv 2401.00588, with costs that are known beforehand). Each
member carries a counter of served cost divided by weight, and so does each server; the smallest counter is served next.
A newcomer starts at the smallest counter of those who wait, so that nobody can save up by staying away.
Pure Python, no threads of its own: the worker holds a lock around it.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from domain import QueueFull


class QueuedJob(Protocol):
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
    def cost(self) -> float: ...
    @property
    def weight(self) -> float: ...
    @property
    def guild_weight(self) -> float: ...


JobT = TypeVar("JobT", bound=QueuedJob)


@dataclass(frozen=True, slots=True)
class Position:
    """`ahead` jobs are started before a job; `cost` is theirs and its own together."""

    ahead: int
    cost: float


@dataclass(slots=True)
class _Member(Generic[JobT]):
    """A member's waiting jobs in the order of arrival, each with the number of its arrival."""

    served: float = 0.0
    jobs: deque[tuple[int, JobT]] = field(default_factory=deque[tuple[int, JobT]])


@dataclass(slots=True)
class _Guild(Generic[JobT]):
    served: float = 0.0
    members: dict[int, _Member[JobT]] = field(default_factory=dict[int, _Member[JobT]])

    @property
    def waiting(self) -> list[_Member[JobT]]:
        return [member for member in self.members.values() if member.jobs]

    @property
    def first_arrival(self) -> int:
        return min(member.jobs[0][0] for member in self.waiting)


class FairQueue(Generic[JobT]):
    """A bounded queue whose `pop` is fair; `limit` is the number of waiting jobs."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._guilds: dict[int, _Guild[JobT]] = {}
        self._jobs: dict[int, JobT] = {}
        self._arrivals = 0
        self._positions: dict[int, Position] | None = None

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._jobs

    def push(self, job: JobT, *, is_known: bool = False) -> None:
        """Let a job wait. Raises ValueError for a job that waits already, and QueueFull at the limit.

        A known job comes back after it was taken out, which the limit does not hinder.
        """
        if job.job_id in self._jobs:
            raise ValueError(f"job {job.job_id} is in the queue already")
        if len(self._jobs) >= self._limit and not is_known:
            raise QueueFull("The queue is full at the moment. Please try again in a few minutes; nothing was charged.")
        guild = self._guilds.setdefault(job.guild_key, _Guild())
        if not guild.waiting:
            guild.served = max(guild.served, min((other.served for other in self._waiting_guilds()), default=0.0))
        member = guild.members.setdefault(job.user_id, _Member())
        if not member.jobs:
            member.served = max(member.served, min((other.served for other in guild.waiting), default=0.0))
        self._arrivals += 1
        member.jobs.append((self._arrivals, job))
        self._jobs[job.job_id] = job
        self._positions = None

    def pop(self, fits: Callable[[JobT], bool] | None = None) -> JobT | None:
        """The next job in fair order, or the first that `fits`; None if there is none."""
        for job in self.order():
            if fits is None or fits(job):
                self.remove(job.job_id)
                self.charge(job, job.cost)
                self._forget_idle()
                return job
        return None

    def remove(self, job_id: int) -> JobT | None:
        """Take a waiting job out; what it would have cost was never counted."""
        job = self._jobs.pop(job_id, None)
        if job is not None:
            member = self._guilds[job.guild_key].members[job.user_id]
            member.jobs = deque(pair for pair in member.jobs if pair[1] is not job)
            self._positions = None
        return job

    def charge(self, job: JobT, cost: float) -> None:
        """Count a cost as served to the job's member and server; a negative one gives back what was not painted."""
        guild = self._guilds.get(job.guild_key)
        if guild is None:
            return
        guild.served += cost / job.guild_weight
        if job.user_id in guild.members:
            guild.members[job.user_id].served += cost / job.weight
        self._positions = None

    def order(self) -> Iterator[JobT]:
        """All waiting jobs as they would be served if nobody else came. Lazy: the first ones cost little."""
        guilds = [(guild.served, guild.first_arrival, key) for key, guild in self._guilds.items() if guild.waiting]
        heapq.heapify(guilds)
        members: dict[int, list[tuple[float, int, int, int]]] = {}
        while guilds:
            served, _, guild_key = heapq.heappop(guilds)
            lanes = members.get(guild_key)
            if lanes is None:
                lanes = members[guild_key] = self._lanes(guild_key)
            job = self._take(guild_key, lanes)
            if lanes:
                arrival = min(lane[1] for lane in lanes)
                heapq.heappush(guilds, (served + job.cost / job.guild_weight, arrival, guild_key))
            yield job

    def position(self, job_id: int) -> Position | None:
        """Where a job stands; None if it does not wait. The whole order is computed once per change."""
        if job_id not in self._jobs:
            return None
        if self._positions is None:
            self._positions, cost = {}, 0.0
            for ahead, job in enumerate(self.order()):
                cost += job.cost
                self._positions[job.job_id] = Position(ahead, cost)
        return self._positions[job_id]

    def users(self) -> set[int]:
        """Everybody who has a job waiting."""
        return {job.user_id for job in self._jobs.values()}

    def _lanes(self, guild_key: int) -> list[tuple[float, int, int, int]]:
        """A heap of (served, first arrival, user id, next job) of a server's waiting members."""
        lanes = [
            (member.served, member.jobs[0][0], user_id, 0)
            for user_id, member in self._guilds[guild_key].members.items()
            if member.jobs
        ]
        heapq.heapify(lanes)
        return lanes

    def _take(self, guild_key: int, lanes: list[tuple[float, int, int, int]]) -> JobT:
        served, _, user_id, at = heapq.heappop(lanes)
        jobs = self._guilds[guild_key].members[user_id].jobs
        job = jobs[at][1]
        if at + 1 < len(jobs):
            heapq.heappush(lanes, (served + job.cost / job.weight, jobs[at + 1][0], user_id, at + 1))
        return job

    def _waiting_guilds(self) -> list[_Guild[JobT]]:
        return [guild for guild in self._guilds.values() if guild.waiting]

    def _forget_idle(self) -> None:
        """Drop the counters that a newcomer's start would overtake anyway, so that they do not pile up."""
        start = min((guild.served for guild in self._waiting_guilds()), default=float("inf"))
        for key in [key for key, guild in self._guilds.items() if not guild.waiting and guild.served <= start]:
            del self._guilds[key]
        for guild in self._waiting_guilds():
            start = min(member.served for member in guild.waiting)
            for user_id in [user for user, member in guild.members.items() if not member.jobs]:
                if guild.members[user_id].served <= start:
                    del guild.members[user_id]
