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


def paints_whole(width: int, height: int, profile: ModelProfile) -> bool:
    """Whether the model composes, and the machine should hold, so many pixels at once."""
    return width * height <= profile.max_pixels


def _starts(length: int, side: int) -> list[int]:
    if length == side:
        return [0]
    stride = side - int(side * OVERLAP)
    count = 1 + -(-(length - side) // stride)
    return [round(number * (length - side) / (count - 1)) for number in range(count)]


def _cuts(length: int, side: int) -> list[int]:
    count = -(-length // side)
    return [number * length // count for number in range(count + 1)]
