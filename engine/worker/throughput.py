"""How fast the worker paints: what the waiting times that members read are computed from."""

from __future__ import annotations

_SMOOTHING = 0.05
_PICTURE_SMOOTHING = 0.2


class ThroughputEstimate:
    """Moving means over the worker's last turns and pictures. Before anything was painted: 5 s a credit."""

    def __init__(self) -> None:
        self._seconds = 5.0
        self._cost = 1000.0
        self._painted = 0.0
        self.seconds_per_picture = 5.0
        self._is_measured = False

    @property
    def seconds_per_cost(self) -> float:
        """Seconds for a thousandth of a picture credit."""
        return self._seconds / self._cost

    def count_painted(self, cost: float) -> None:
        """Add what the running turn painted, in thousandths of a credit."""
        self._painted += cost

    def end_turn(self, seconds: float) -> None:
        """A turn is over; one that painted nothing says nothing."""
        if self._painted == 0.0:
            return
        if not self._is_measured:
            self._seconds, self._cost, self._is_measured = seconds, self._painted, True
        self._seconds += _SMOOTHING * (seconds - self._seconds)
        self._cost += _SMOOTHING * (self._painted - self._cost)
        self._painted = 0.0

    def count_picture(self, seconds: float) -> None:
        """A picture was finished `seconds` after it was begun."""
        self.seconds_per_picture += _PICTURE_SMOOTHING * (seconds - self.seconds_per_picture)
