"""How many rows a device should be given at once: as many as still make each of them cheaper.

Calls of 2, 4, 8, … rows are captured and timed for each size while the worker has nothing else to do, one after the
other, so that nobody waits for more than one of them. What was measured is kept in a file and not measured again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from engine.sampling.pipeline import Pipeline
from engine.sampling.row_selection import ROW_COUNTS

log = logging.getLogger(__name__)

# More rows make every step longer, so the fewest are taken that cost at most this much more a row than the cheapest.
CLOSE_ENOUGH = 1.08
# Others may use the machine too: the shortest of at least three calls counts, of more if they are short.
REPETITIONS = range(3, 20)
ENOUGH_SECONDS = 0.2
# A call that takes longer is timed once only, and one of twice the rows is not tried.
LONG_SECONDS = 4.0

Size = tuple[int, int]


class RowProfile:
    """Seconds of a UNet call by size in latents and by row count; `path` keeps them, separately for each `machine`.

    At most `max_rows` rows are tried, and only just as many if the number is `fixed`.
    """

    def __init__(
        self, path: Path | None = None, machine: str = "", *, max_rows: int = ROW_COUNTS[-1], fixed: bool = False
    ) -> None:
        self._path, self._machine = path, machine
        most = max(count for count in ROW_COUNTS if count <= max_rows)
        # From two on: with guidance a picture needs two rows, and one call for both is never worse.
        self.counts = (most,) if fixed or most == 1 else tuple(count for count in ROW_COUNTS if 2 <= count <= most)
        self._seconds: dict[Size, dict[int, float]] = {
            size: dict(seconds) for size, seconds in self._read_file().get(machine, {}).items()
        }

    def seconds(self, size: Size) -> Mapping[int, float]:
        """What was measured of a size; infinite where memory did not suffice."""
        return self._seconds.get(size, {})

    def best(self, size: Size) -> int | None:
        """The row count to use, or None while it is not known."""
        return self._judge(size)[0]

    def next_count(self, size: Size) -> int | None:
        """The row count to time next, or None if there is nothing left to learn."""
        return self._judge(size)[1]

    def record(self, size: Size, rows: int, seconds: float) -> None:
        """Keep a measurement."""
        self._seconds.setdefault(size, {})[rows] = seconds
        if self._path is not None and self.next_count(size) is None:
            log.info("latents of %d x %d: %d rows a call are best", *size, self.best(size))
            self._write_file(self._path)

    def _judge(self, size: Size) -> tuple[int | None, int | None]:
        measured, costs = self.seconds(size), list[float]()
        for count in self.counts:
            if count not in measured:
                return None, count
            costs.append(measured[count] / count)
            # Two counts in a row that make no row cheaper: one alone may have been disturbed.
            is_flat = len(costs) > 2 and min(costs[-2:]) > min(costs[:-2]) / CLOSE_ENOUGH
            if is_flat or measured[count] > LONG_SECONDS:
                break
        close = CLOSE_ENOUGH * min(costs)
        return next(count for count, cost in zip(self.counts, costs, strict=False) if cost <= close), None

    def _read_file(self) -> dict[str, dict[Size, dict[int, float]]]:
        """What the file holds of every machine; nothing if it is missing or damaged: then all is measured again."""
        if self._path is None:
            return {}
        try:
            held = json.loads(self._path.read_text(encoding="utf-8"))
            return {machine: _from_json(sizes) for machine, sizes in held.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def _write_file(self, path: Path) -> None:
        held = self._read_file() | {self._machine: self._seconds}
        text = json.dumps({machine: _as_json(sizes) for machine, sizes in held.items()}, indent=1)
        with contextlib.suppress(OSError):  # a full or read-only disk costs the next start a few seconds, no more
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def _as_json(sizes: Mapping[Size, Mapping[int, float]]) -> dict[str, Mapping[int, float]]:
    return {f"{height}x{width}": seconds for (height, width), seconds in sizes.items()}


def _from_json(sizes: Mapping[str, Mapping[str, float]]) -> dict[Size, dict[int, float]]:
    found: dict[Size, dict[int, float]] = {}
    for name, seconds in sizes.items():
        height, _, width = name.partition("x")
        found[int(height), int(width)] = {int(rows): float(value) for rows, value in seconds.items()}
    return found


def machine_name(pipeline: Pipeline) -> str:
    """What measurements depend on: model, device, number format, threads and PyTorch."""
    device = torch.cuda.get_device_name(pipeline.device) if pipeline.device.type == "cuda" else "cpu"
    identity = pipeline.model.profile.identity
    threads = torch.get_num_threads()
    return f"{identity.sha256[:16]} {identity.dtype} {device} {threads} threads torch {torch.__version__}"


def sizes_of(pipeline: Pipeline) -> list[Size]:
    """The sizes worth knowing: the model's own shapes, the square first."""
    shapes = pipeline.model.profile.shapes
    pixels = [shapes["square"], *(shape for name, shape in shapes.items() if name != "square")]
    return [(height // pipeline.factor, width // pipeline.factor) for width, height in pixels]


class IdleWork:
    """What the worker does while nobody waits: it times and captures UNet calls, one at a time."""

    def __init__(
        self,
        pipeline: Pipeline,
        profile: RowProfile,
        clock: Callable[[], float] = time.perf_counter,
        sizes: Sequence[Size] | None = None,
    ) -> None:
        self._pipeline, self._profile, self._clock = pipeline, profile, clock
        self._sizes = sizes_of(pipeline) if sizes is None else sizes

    @property
    def is_due(self) -> bool:
        """Whether anything is left to do."""
        return self._next_timing() is not None or self._next_capture() is not None

    def do_some(self) -> None:
        """Time the next row count of a size; later capture the next of those that pay."""
        timing, capture = self._next_timing(), self._next_capture()
        if timing is not None:
            rows, size = timing
            if self._pipeline.can_capture(rows, size):
                self._pipeline.capture(rows, size)
            self._profile.record(size, rows, _time_call(self._pipeline, size, rows, self._clock))
        elif capture is not None:
            self._pipeline.capture(*capture)

    def _next_timing(self) -> tuple[int, Size] | None:
        wanted = ((self._profile.next_count(size), size) for size in self._sizes)
        return next(((rows, size) for rows, size in wanted if rows is not None), None)

    def _next_capture(self) -> tuple[int, Size] | None:
        for size in self._sizes:
            best = self._profile.best(size) or 0
            for rows in (1, *self._profile.counts):
                if rows <= best and self._pipeline.can_capture(rows, size):
                    return rows, size
        return None


def _time_call(pipeline: Pipeline, size: Size, rows: int, clock: Callable[[], float]) -> float:
    """The shortest of a few calls' seconds; infinite if memory does not suffice."""
    inputs = pipeline.inputs(rows, size)
    times: list[float] = []
    while len(times) < REPETITIONS.start or (sum(times) < ENOUGH_SECONDS and len(times) < REPETITIONS.stop):
        started = clock()
        try:
            # Reading a number back waits for the device.
            float(pipeline.predict(*inputs)[0, 0, 0, 0])
        except RuntimeError:  # mostly out of memory: this row count is ruled out
            log.warning("%d rows of %d x %d can't be painted at once", rows, *size)
            return math.inf
        times.append(clock() - started)
        if times[0] > LONG_SECONDS:
            break
    return min(times)
