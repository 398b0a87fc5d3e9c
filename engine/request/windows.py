"""How a large picture is cut into overlapping windows, each of a size that the model composes and the machine holds."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from domain import ModelProfile

# Neighbouring windows share at least this part of their sides.
OVERLAP = 0.25
# A VAE holds more of a picture at once than a UNet does, so its windows' sides are shorter by this.
VAE_SHARE = 0.75


class Window(NamedTuple):
    """A rectangle, in latents or in pixels."""

    top: int
    left: int
    height: int
    width: int

    def times(self, factor: float) -> Window:
        """The same rectangle where everything is `factor` times as large."""
        return Window(*(round(number * factor) for number in self))


def unet_windows(height: int, width: int, profile: ModelProfile, factor: int = 1) -> list[Window]:
    """Those in which height × width is painted: one unless it is too large for the model to compose.

    `factor` is how many pixels a unit of length has: 1 for pixels, and the VAE's factor for latents.
    """
    side = max(height, width) if _is_whole(height, width, profile, factor) else profile.window_side // factor
    return windows_of(height, width, side)


def vae_windows(
    height: int, width: int, profile: ModelProfile, factor: int = 1, *, sparing: bool = False
) -> list[Window]:
    """Those in which height × width is encoded or decoded: one for an ordinary size, unless memory is to be spared."""
    is_whole = not sparing and _is_whole(height, width, profile, factor)
    side = max(height, width) if is_whole else int(profile.window_side * VAE_SHARE) // factor
    return windows_of(height, width, side)


def windows_of(height: int, width: int, side: int) -> list[Window]:
    """Windows of at most `side` that cover height × width: as few as overlap enough, equally large, evenly spread."""
    tall, wide = min(height, side), min(width, side)
    return [Window(top, left, tall, wide) for top in _starts(height, tall) for left in _starts(width, wide)]


def tiles_of(height: int, width: int, side: int) -> list[Window]:
    """height × width in pieces of at most `side` and about the same size, without overlap."""
    rows, columns = _cuts(height, side), _cuts(width, side)
    return [
        Window(top, left, bottom - top, right - left)
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    ]


def _is_whole(height: int, width: int, profile: ModelProfile, factor: int) -> bool:
    return height * width * factor**2 <= profile.max_pixels


def _starts(length: int, side: int) -> list[int]:
    if length == side:
        return [0]
    stride = side - int(side * OVERLAP)
    count = 1 + -(-(length - side) // stride)
    return [round(number * (length - side) / (count - 1)) for number in range(count)]


def _cuts(length: int, side: int) -> list[int]:
    count = -(-length // side)
    return [number * length // count for number in range(count + 1)]
