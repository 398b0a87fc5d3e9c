"""How much a call does, counted and not timed: the same on a busy machine as on an idle one.

What is counted is every line of Python and every call of a function written in C. The work inside one such call (a
regular expression, a copy of a string) is no part of it; the scripts that measure seconds see that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


class _Counter:
    """Counts the lines that run while it is the tracer, and the C functions that are called while it profiles."""

    def __init__(self) -> None:
        self.count = 0

    def trace(self, _frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            self.count += 1
        return self.trace

    def profile(self, _frame: FrameType, event: str, _argument: Any) -> None:
        if event == "c_call":
            self.count += 1


def steps(action: Callable[[], object]) -> int:
    """The lines of Python that `action` runs on this thread, and the C functions that it calls, together."""
    counter, before = _Counter(), (sys.gettrace(), sys.getprofile())
    sys.setprofile(counter.profile)
    sys.settrace(counter.trace)
    try:
        action()
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    return counter.count


def growth(action: Callable[[str], object], unit: str, *, size: int, times: int) -> float:
    """How many times more steps `action` needs for a text of `times` × `size` characters, all `unit`s, than for `size`.

    Proportional work gives about `times`, quadratic work `times` squared.
    """
    small, large = ((unit * length)[:length] for length in (size, size * times))
    action(small)  # what is built at the first call is no part of either
    return steps(lambda: action(large)) / steps(lambda: action(small))
