"""Which rows the next UNet call computes: the size bucket, and which of its samples.

Buckets take turns by deficit round robin on measured seconds, weighted by the number of members in each. Within a
bucket members share full batches, unless one asks for much more than another: then everybody gets as many rows as the
member who asks for least, and what is left over is filled up as long as that does not slow this member down much. So a
lone picture beside a flood runs at close to its own speed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Generic, Protocol, TypeVar

ROW_COUNTS = (1, 2, 4, 8, 16, 32, 64)
# Where nothing was measured; and the most that are chosen by measuring, because a newcomer waits for the running step.
DEFAULT_ROWS = 16
MAX_CHOSEN_ROWS = 32
# How much longer than alone a step may take because others' rows fill up the batch.
MAX_SLOWDOWN = 1.6
# Members who ask for this many times the rows of the one who asks for least count as a flood.
FLOOD = 4
# Measured speeds within this share of each other are no reason to make a batch smaller.
ABOUT_EQUAL = 0.95
_SMOOTHING = 0.2

Bucket = tuple[int, ...]


def choose_max_rows(wanted: int, *, reproducible: bool) -> int:
    """The most rows of a call: as many as wanted; with 0 the fixed number where pictures must not depend on it."""
    return wanted or (DEFAULT_ROWS if reproducible else MAX_CHOSEN_ROWS)


class Candidate(Protocol):
    """What the selection needs to know of a sample."""

    @property
    def user_id(self) -> int: ...
    @property
    def rows(self) -> int: ...


CandidateT = TypeVar("CandidateT", bound=Candidate)


def padded(rows: int) -> int:
    """The fixed row count that `rows` rows are padded to."""
    return next(count for count in ROW_COUNTS if count >= rows)


class StepCosts:
    """Measured seconds of a step by bucket and row count, with an estimate for what was not measured yet."""

    def __init__(self) -> None:
        self._seconds: dict[Bucket, dict[int, float]] = {}

    def measure(self, bucket: Bucket, rows: int, seconds: float) -> None:
        """Take in the seconds of one step with that many rows: a moving mean."""
        measured = self._seconds.setdefault(bucket, {})
        known = measured.get(rows, seconds)
        measured[rows] = known + _SMOOTHING * (seconds - known)

    def learn(self, bucket: Bucket, seconds: Mapping[int, float]) -> None:
        """Take over what was measured before; nothing if the bucket is known already."""
        self._seconds.setdefault(bucket, {count: cost for count, cost in seconds.items() if math.isfinite(cost)})

    def seconds(self, bucket: Bucket, rows: int) -> float:
        """Measured, or on the line between two measured counts, or in proportion to the nearest one.

        0.05 s a row before anything is known.
        """
        known = self._seconds.get(bucket, {})
        if rows in known:
            return known[rows]
        lower = max((count for count in known if count < rows), default=None)
        upper = min((count for count in known if count > rows), default=None)
        if lower is not None and upper is not None:
            share = (rows - lower) / (upper - lower)
            return known[lower] + share * (known[upper] - known[lower])
        nearest = lower or upper
        return 0.05 * rows if nearest is None else known[nearest] * rows / nearest

    def best_rows(self, bucket: Bucket, needed: int, room: int) -> int:
        """The fixed row count of at most `room` that gives the most wanted rows a second; the largest of about equals.

        Twenty rows padded to 32 may take longer than sixteen now and four in the next step.
        """
        most = padded(min(needed, room))
        counts = [count for count in ROW_COUNTS if min(2, most) <= count <= most]
        speeds = {count: min(needed, count) / self.seconds(bucket, count) for count in counts}
        return max(count for count, speed in speeds.items() if speed >= ABOUT_EQUAL * max(speeds.values()))


class RowSelection(Generic[CandidateT]):
    """Remembers what buckets and members were served. Pure bookkeeping: the batcher does the work."""

    def __init__(self, *, always_padded: bool = False) -> None:
        """With `always_padded` every call has as many rows as there is room, so that a smaller batch saves nothing."""
        self.costs = StepCosts()
        self._always_padded = always_padded
        self._deficits: dict[Bucket, float] = {}
        self._served: dict[Bucket, dict[int, float]] = {}

    def choose_bucket(self, users: Mapping[Bucket, int], rows: Mapping[Bucket, int]) -> Bucket:
        """The bucket to step next; `users` and `rows` say how many wait in each."""
        cost = {bucket: self.costs.seconds(bucket, padded(rows[bucket])) for bucket in users}
        # Insertion order is the round: a bucket stays first until its deficit is used up.
        self._deficits = {bucket: owed for bucket, owed in self._deficits.items() if bucket in users}
        self._served = {bucket: counters for bucket, counters in self._served.items() if bucket in users}
        for bucket in users:
            self._deficits.setdefault(bucket, 0.0)
        quantum = max(cost.values())
        while True:
            bucket = next(iter(self._deficits))
            if self._deficits[bucket] >= cost[bucket]:
                return bucket
            self._deficits[bucket] = self._deficits.pop(bucket) + quantum * users[bucket]
            if len(self._deficits) == 1:
                return bucket

    def choose_samples(self, bucket: Bucket, samples: Sequence[CandidateT], room: int) -> list[CandidateT]:
        """The samples for one step: at least one, together at most `room` rows if there are more."""
        waiting: dict[int, list[CandidateT]] = {}
        for sample in samples:
            waiting.setdefault(sample.user_id, []).append(sample)
        before = self._served.get(bucket, {})
        start = min((before[user] for user in waiting if user in before), default=0.0)
        served = self._served[bucket] = {user: before.get(user, start) for user in waiting}
        queues = [waiting[user] for user in sorted(waiting, key=lambda user: served[user])]
        longest = max(len(queue) for queue in queues)
        in_order = [queue[place] for place in range(longest) for queue in queues if place < len(queue)]
        room = min(room, self._fair_room(bucket, queues, room))
        if not self._always_padded:
            room = min(room, self.costs.best_rows(bucket, sum(sample.rows for sample in samples), room))
        return _fill(in_order, room)

    def served(self, bucket: Bucket, samples: Sequence[CandidateT], seconds: float, rows: int) -> None:
        """Account for one step of `rows` padded rows."""
        if bucket in self._deficits:
            # The price it was chosen at: with a first step cheaper than guessed the bucket would stay first for long.
            self._deficits[bucket] -= self.costs.seconds(bucket, rows)
        self.costs.measure(bucket, rows, seconds)
        own_rows = sum(sample.rows for sample in samples)
        counters = self._served.setdefault(bucket, {})
        for sample in samples:
            counters[sample.user_id] = counters.get(sample.user_id, 0.0) + seconds * sample.rows / own_rows

    def _fair_room(self, bucket: Bucket, queues: Sequence[Sequence[CandidateT]], room: int) -> int:
        demands = [sum(sample.rows for sample in queue) for queue in queues]
        least = min(demands)
        if max(demands) < FLOOD * least:
            return room
        rows = padded(min(sum(min(demand, least) for demand in demands), room))
        bearable = MAX_SLOWDOWN * self.costs.seconds(bucket, padded(min(least, room)))
        for count in ROW_COUNTS:
            if rows < count <= room and self.costs.seconds(bucket, count) <= bearable:
                rows = count
        return rows


def _fill(samples: Sequence[CandidateT], room: int) -> list[CandidateT]:
    chosen: list[CandidateT] = []
    for sample in samples:
        if not chosen or sample.rows <= room:
            chosen.append(sample)
            room -= sample.rows
    return chosen
