"""Who is next: fair between servers, and between the members of a server.

Two levels of weighted virtual time (the rule of VTC, arXiv 2401.00588, with costs that are known beforehand). Each
member carries a counter of served cost divided by weight, and so does each server; the smallest counter is served next.
A newcomer starts at the smallest counter of those who wait, so that nobody can save up by staying away.
Pure Python, no threads of its own: the worker holds a lock around it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from domain import QueueFull

Item = TypeVar("Item")
Key = TypeVar("Key")


@dataclass(slots=True)
class Entry(Generic[Item]):
    """One waiting job; `cost` is in any unit that is the same for all (seconds of the worker)."""

    job_id: int
    guild_key: int
    user_id: int
    cost: float
    item: Item
    weight: float = 1.0
    guild_weight: float = 1.0


@dataclass(slots=True)
class _Lane:
    """A member's waiting jobs, or a server's waiting members, with what was served to it so far."""

    served: float = 0.0
    jobs: OrderedDict[int, None] = field(default_factory=OrderedDict[int, None])


class FairQueue(Generic[Item]):
    """A bounded queue whose `pop` is fair; `limit` is the number of waiting jobs."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._entries: dict[int, Entry[Item]] = {}
        self._guilds: dict[int, _Lane] = {}
        self._users: dict[tuple[int, int], _Lane] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._entries

    def push(self, entry: Entry[Item]) -> None:
        """Let a job wait. Raises QueueFull at the limit."""
        if len(self._entries) >= self._limit:
            raise QueueFull("The queue is full at the moment. Please try again in a few minutes; nothing was charged.")
        guild = self._lift(self._guilds, entry.guild_key, self._waiting_guilds())
        user_key = (entry.guild_key, entry.user_id)
        user = self._lift(self._users, user_key, self._waiting_users(entry.guild_key))
        self._entries[entry.job_id] = entry
        guild.jobs[entry.job_id] = user.jobs[entry.job_id] = None

    def pop(self) -> Entry[Item] | None:
        """The next job, in fair order, or None."""
        job_id = self._next()
        if job_id is None:
            return None
        entry = self._remove(job_id)
        self._guilds[entry.guild_key].served += entry.cost / entry.guild_weight
        self._users[entry.guild_key, entry.user_id].served += entry.cost / entry.weight
        self._forget_idle()
        return entry

    def peek(self) -> Entry[Item] | None:
        """The job that `pop` would give."""
        job_id = self._next()
        return None if job_id is None else self._entries[job_id]

    def remove(self, job_id: int) -> Entry[Item] | None:
        """Take a waiting job out; what it would have cost was never counted."""
        return self._remove(job_id) if job_id in self._entries else None

    def order(self) -> Iterator[Entry[Item]]:
        """All waiting jobs as they would be served if nobody else came."""
        shadow: FairQueue[Item] = FairQueue(self._limit)
        shadow._entries = dict(self._entries)
        shadow._guilds, shadow._users = deepcopy(self._guilds), deepcopy(self._users)
        while (entry := shadow.pop()) is not None:
            yield entry

    def users_waiting(self) -> int:
        return sum(1 for lane in self._users.values() if lane.jobs)

    def _next(self) -> int | None:
        guilds = [(lane.served, key) for key, lane in self._guilds.items() if lane.jobs]
        if not guilds:
            return None
        _, guild_key = min(guilds)
        _, first_job, user_key = min(
            (lane.served, next(iter(lane.jobs)), key)
            for key, lane in self._users.items()
            if lane.jobs and key[0] == guild_key
        )
        assert user_key in self._users
        return first_job

    def _remove(self, job_id: int) -> Entry[Item]:
        entry = self._entries.pop(job_id)
        del self._guilds[entry.guild_key].jobs[job_id]
        del self._users[entry.guild_key, entry.user_id].jobs[job_id]
        return entry

    def _forget_idle(self) -> None:
        """Counters matter only while somebody waits; an empty queue starts afresh."""
        if not self._entries:
            self._guilds.clear()
            self._users.clear()

    def _waiting_guilds(self) -> list[float]:
        return [lane.served for lane in self._guilds.values() if lane.jobs]

    def _waiting_users(self, guild_key: int) -> list[float]:
        return [lane.served for (guild, _), lane in self._users.items() if guild == guild_key and lane.jobs]

    @staticmethod
    def _lift(lanes: dict[Key, _Lane], key: Key, waiting: list[float]) -> _Lane:
        lane = lanes.setdefault(key, _Lane())
        if not lane.jobs and waiting:
            lane.served = max(lane.served, min(waiting))
        return lane
