"""The part of a picture where something is: a small subject in a wide border is hardly seen at a classifier's size.

The classifiers see a picture at 224 pixels; a subject that fills a ninth of it keeps a third of its score. So the
busiest part is cut out and judged as a picture of its own. Cost: one small edge image and one more pass of each model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE = 64  # pixels of the edge image
_KEPT = 0.96  # of all detail lies inside the crop, along each axis
_MARGIN = 0.06  # of the picture's side around it
_SMALLEST = 0.25  # of the picture's side: less would be a texture, no subject
_LARGEST = 0.85  # a crop nearly as large as the picture shows nothing new: its middle is taken instead
_MIDDLE = 0.6


def busiest_part(image: Image.Image) -> Image.Image:
    """The crop (RGB as given) that holds nearly all detail, or the middle where detail is everywhere."""
    detail = _detail(image)
    left, right = _span(detail.sum(0))
    top, bottom = _span(detail.sum(1))
    if right - left > _LARGEST and bottom - top > _LARGEST:
        left = top = (1 - _MIDDLE) / 2
        right = bottom = 1 - left
    width, height = image.size
    x, y = int(left * width), int(top * height)
    return image.crop((x, y, max(x + 1, round(right * width)), max(y + 1, round(bottom * height))))


def _detail(image: Image.Image) -> NDArray[np.float32]:
    """(side, side): how much neighbouring pixels differ, a flat or evenly noisy ground taken off."""
    grey = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float32)
    across: NDArray[Any] = np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
    down: NDArray[Any] = np.abs(np.diff(grey, axis=0, append=grey[-1:]))
    edges = across + down
    return np.maximum(edges - 2 * np.median(edges) - 1, 0).astype(np.float32)


def _span(profile: NDArray[np.float32]) -> tuple[float, float]:
    """Where along one axis the detail begins and ends, as fractions; everything where there is none."""
    total = float(profile.sum())
    if total <= 0:
        return 0.0, 1.0
    share = np.cumsum(profile) / total
    rest = (1 - _KEPT) / 2
    first, last = int(np.searchsorted(share, rest)), int(np.searchsorted(share, 1 - rest)) + 1
    begin, end = max(0.0, first / _SIDE - _MARGIN), min(1.0, last / _SIDE + _MARGIN)
    missing = max(0.0, _SMALLEST - (end - begin)) / 2
    begin, end = begin - missing, end + missing
    shift = max(0.0, -begin) - max(0.0, end - 1)
    return max(0.0, begin + shift), min(1.0, end + shift)
