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
from typing import Generic, TypeVar

from domain import QueueFull

Item = TypeVar("Item")


@dataclass(slots=True)
class Entry(Generic[Item]):
    """One waiting job; `cost` is in any unit that is the same for all (picture credits)."""

    job_id: int
    guild_key: int
    user_id: int
    cost: float
    item: Item
    weight: float = 1.0
    guild_weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Position:
    """`ahead` jobs are started before this one; `cost` is theirs and its own together."""

    ahead: int
    cost: float


@dataclass(slots=True)
class _Member(Generic[Item]):
    """A member's waiting jobs in the order they came, each with its number of arrival."""

    served: float = 0.0
    jobs: deque[tuple[int, Entry[Item]]] = field(default_factory=deque[tuple[int, Entry[Item]]])


@dataclass(slots=True)
class _Guild(Generic[Item]):
    served: float = 0.0
    members: dict[int, _Member[Item]] = field(default_factory=dict[int, _Member[Item]])

    @property
    def waiting(self) -> list[_Member[Item]]:
        return [member for member in self.members.values() if member.jobs]

    @property
    def first_arrival(self) -> int:
        return min(member.jobs[0][0] for member in self.waiting)


class FairQueue(Generic[Item]):
    """A bounded queue whose `pop` is fair; `limit` is the number of waiting jobs."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._guilds: dict[int, _Guild[Item]] = {}
        self._entries: dict[int, Entry[Item]] = {}
        self._arrivals = 0
        self._positions: dict[int, Position] | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._entries

    def push(self, entry: Entry[Item], *, is_known: bool = False) -> None:
        """Let a job wait. Raises ValueError for a job that waits already, and QueueFull at the limit.

        A known job comes back after it was taken out, which the limit does not hinder.
        """
        if entry.job_id in self._entries:
            raise ValueError(f"job {entry.job_id} is in the queue already")
        if len(self._entries) >= self._limit and not is_known:
            raise QueueFull("The queue is full at the moment. Please try again in a few minutes; nothing was charged.")
        guild = self._guilds.setdefault(entry.guild_key, _Guild())
        if not guild.waiting:
            guild.served = max(guild.served, min((other.served for other in self._waiting_guilds()), default=0.0))
        member = guild.members.setdefault(entry.user_id, _Member())
        if not member.jobs:
            member.served = max(member.served, min((other.served for other in guild.waiting), default=0.0))
        self._arrivals += 1
        member.jobs.append((self._arrivals, entry))
        self._entries[entry.job_id] = entry
        self._positions = None

    def pop(self, fits: Callable[[Entry[Item]], bool] | None = None) -> Entry[Item] | None:
        """The next job in fair order, or the first that `fits`; None if there is none."""
        for entry in self.order():
            if fits is None or fits(entry):
                self.remove(entry.job_id)
                self.charge(entry, entry.cost)
                self._forget_idle()
                return entry
        return None

    def remove(self, job_id: int) -> Entry[Item] | None:
        """Take a waiting job out; what it would have cost was never counted."""
        entry = self._entries.pop(job_id, None)
        if entry is not None:
            member = self._guilds[entry.guild_key].members[entry.user_id]
            member.jobs = deque(pair for pair in member.jobs if pair[1] is not entry)
            self._positions = None
        return entry

    def charge(self, entry: Entry[Item], cost: float) -> None:
        """Count a cost as served to the job's member and server; a negative one gives back what was not painted."""
        guild = self._guilds.get(entry.guild_key)
        if guild is None:
            return
        guild.served += cost / entry.guild_weight
        if entry.user_id in guild.members:
            guild.members[entry.user_id].served += cost / entry.weight
        self._positions = None

    def order(self) -> Iterator[Entry[Item]]:
        """All waiting jobs as they would be served if nobody else came. Lazy: the first ones cost little."""
        guilds = [(guild.served, guild.first_arrival, key) for key, guild in self._guilds.items() if guild.waiting]
        heapq.heapify(guilds)
        members: dict[int, list[tuple[float, int, int, int]]] = {}
        while guilds:
            served, _, guild_key = heapq.heappop(guilds)
            lanes = members.get(guild_key)
            if lanes is None:
                lanes = members[guild_key] = self._lanes(guild_key)
            entry = self._take(guild_key, lanes)
            if lanes:
                arrival = min(lane[1] for lane in lanes)
                heapq.heappush(guilds, (served + entry.cost / entry.guild_weight, arrival, guild_key))
            yield entry

    def position(self, job_id: int) -> Position | None:
        """Where a job stands; None if it does not wait. The whole order is computed once per change."""
        if job_id not in self._entries:
            return None
        if self._positions is None:
            self._positions, cost = {}, 0.0
            for ahead, entry in enumerate(self.order()):
                cost += entry.cost
                self._positions[entry.job_id] = Position(ahead, cost)
        return self._positions[job_id]

    def users(self) -> set[int]:
        """Everybody who has a job waiting."""
        return {entry.user_id for entry in self._entries.values()}

    def _lanes(self, guild_key: int) -> list[tuple[float, int, int, int]]:
        """A heap of (served, first arrival, user id, next job) of a server's waiting members."""
        lanes = [
            (member.served, member.jobs[0][0], user_id, 0)
            for user_id, member in self._guilds[guild_key].members.items()
            if member.jobs
        ]
        heapq.heapify(lanes)
        return lanes

    def _take(self, guild_key: int, lanes: list[tuple[float, int, int, int]]) -> Entry[Item]:
        served, _, user_id, at = heapq.heappop(lanes)
        jobs = self._guilds[guild_key].members[user_id].jobs
        entry = jobs[at][1]
        if at + 1 < len(jobs):
            heapq.heappush(lanes, (served + entry.cost / entry.weight, jobs[at + 1][0], user_id, at + 1))
        return entry

    def _waiting_guilds(self) -> list[_Guild[Item]]:
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
