"""Option: an anime rating classifier (classes "safe", "r15", "r18") as an ONNX file that the operator has.

Made for the files of deepghs/anime_rating: model.onnx with a meta.json beside it that lists the labels; input
(n, 3, side, side), RGB in -1 to 1, output probabilities.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.safety.onnx_rater import OnnxRater, squares

CLASSES = ("safe", "r15", "r18")
SIDE = 384  # pixels, where the file leaves its size open


def anime_rater(path: Path) -> OnnxRater:
    """Scores "safe", "r15", "r18". ValueError if meta.json names other classes: the limits would mean nothing."""
    return OnnxRater("anime", path, prepare, classes=_labels(path.with_name("meta.json")))


def _labels(path: Path) -> tuple[str, ...]:
    """The order of the columns; the known one where there is no such file."""
    if not path.is_file():
        return CLASSES
    labels = tuple(json.loads(path.read_text(encoding="utf-8"))["labels"])
    if set(labels) != set(CLASSES):
        raise ValueError(f"{path} lists the classes {', '.join(labels)} instead of {', '.join(CLASSES)}")
    return labels


def prepare(images: Sequence[Image.Image], shape: Sequence[Any]) -> NDArray[np.float32]:
    side = shape[2] if isinstance(shape[2], int) else SIDE
    pixels = squares(images, side).astype(np.float32) / 127.5 - 1
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
