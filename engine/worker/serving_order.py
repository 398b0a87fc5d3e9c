"""A server's waiting jobs in the order in which they are served, in blocks that know their sums.

Ten thousand jobs may wait, and people ask for their place all the time: inserting, removing and counting what is before
a job look at the blocks' sums and into one block.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

# When a job is served: its member's counter at that moment, and the number of its arrival, which nobody else has.
Turn = tuple[int, int]

MAX_BLOCK = 128
SCALE = 2**20


class Weighed(Protocol):
    """What a server pays for one of its jobs."""

    @property
    def cost(self) -> float: ...
    @property
    def guild_weight(self) -> float: ...


JobT = TypeVar("JobT", bound=Weighed)


def share_of(cost: float, weight: float) -> int:
    """What a counter moves by: whole numbers, so that sums are equal whatever the order of adding up."""
    share = round(cost / weight * SCALE)
    return share or (1 if cost > 0 else 0)


@dataclass(slots=True)
class _Block(Generic[JobT]):
    turns: list[Turn] = field(default_factory=list[Turn])
    jobs: list[JobT] = field(default_factory=list[JobT])
    cost: float = 0.0
    share: int = 0

    def sum_up(self) -> None:
        self.cost = sum(job.cost for job in self.jobs)
        self.share = sum(share_of(job.cost, job.guild_weight) for job in self.jobs)


@dataclass(frozen=True, slots=True)
class Before:
    """What is served before a moment: how many jobs, what they cost, and what their server's counter moves by."""

    count: int
    cost: float
    share: int


class ServingOrder(Generic[JobT]):
    """Sorted by turn."""

    def __init__(self) -> None:
        self._blocks: list[_Block[JobT]] = []

    def __bool__(self) -> bool:
        return bool(self._blocks)

    def __iter__(self) -> Iterator[tuple[Turn, JobT]]:
        """Lazy, and only while nothing changes."""
        for block in self._blocks:
            yield from zip(block.turns, block.jobs, strict=True)

    @property
    def first(self) -> tuple[Turn, JobT]:
        """Who is served next. Raises IndexError if nobody waits."""
        block = self._blocks[0]
        return block.turns[0], block.jobs[0]

    def insert(self, turn: Turn, job: JobT) -> None:
        if not self._blocks:
            self._blocks.append(_Block([turn], [job]))
            self._blocks[0].sum_up()
            return
        index = self._index_of(turn)
        block = self._blocks[index]
        at = bisect_left(block.turns, turn)
        block.turns.insert(at, turn)
        block.jobs.insert(at, job)
        if len(block.turns) > MAX_BLOCK:
            half = MAX_BLOCK // 2
            rest = _Block(block.turns[half:], block.jobs[half:])
            del block.turns[half:], block.jobs[half:]
            rest.sum_up()
            self._blocks.insert(index + 1, rest)
        block.sum_up()

    def remove(self, turn: Turn) -> JobT:
        """Raises KeyError if no job has this turn."""
        if not self._blocks:
            raise KeyError(turn)
        index = self._index_of(turn)
        block = self._blocks[index]
        at = bisect_left(block.turns, turn)
        if block.turns[at : at + 1] != [turn]:
            raise KeyError(turn)
        del block.turns[at]
        job = block.jobs.pop(at)
        if block.turns:
            block.sum_up()
        else:
            del self._blocks[index]
        return job

    def before(self, turn: Turn) -> Before:
        """What is served before this turn."""
        index = self._index_of(turn)
        blocks, block = self._blocks[:index], self._blocks[index]
        jobs = block.jobs[: bisect_left(block.turns, turn)]
        return Before(
            count=sum(len(one.jobs) for one in blocks) + len(jobs),
            cost=sum(one.cost for one in blocks) + sum(job.cost for job in jobs),
            share=sum(one.share for one in blocks) + sum(share_of(job.cost, job.guild_weight) for job in jobs),
        )

    def begun_before(self, share: int, arrival: int) -> Before:
        """What is served before the server's counter has moved by `share`; at exactly that, before a later arrival."""
        count, cost, start = 0, 0.0, 0
        for block in self._blocks:
            if start + block.share <= share:
                count, cost, start = count + len(block.jobs), cost + block.cost, start + block.share
                continue
            for (_, came), job in zip(block.turns, block.jobs, strict=True):
                if (start, came) >= (share, arrival):
                    break
                count, cost, start = count + 1, cost + job.cost, start + share_of(job.cost, job.guild_weight)
            break
        return Before(count, cost, start)

    def _index_of(self, turn: Turn) -> int:
        """The block in which a turn is, or belongs."""
        return max(bisect_right(self._blocks, turn, key=lambda block: block.turns[0]) - 1, 0)
