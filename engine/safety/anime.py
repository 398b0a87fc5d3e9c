"""Option: an anime rating classifier (classes "safe", "r15", "r18") as an ONNX file that the operator has.

Made for the files of deepghs/anime_rating: model.onnx with a meta.json beside it that lists the labels; input
(n, 3, side, side), RGB in -1 to 1, output probabilities.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from engine.safety.described import DescribedRater, Description

CLASSES = ("safe", "r15", "r18")
SIDE = 384  # pixels, where the file leaves its size open


def anime_rater(model: Path) -> DescribedRater:
    """Scores "safe", "r15", "r18". Other classes in meta.json are its problem: the limits would mean nothing."""
    return DescribedRater(model, partial(anime_description, model.with_name("meta.json")))


def anime_description(path: Path) -> Description:
    """What deepghs' files take and give; `path` lists the columns in order. Raises ValueError or OSError."""
    labels = _labels(path)
    scores = {name: (name,) for name in CLASSES}
    return Description(SIDE, labels, scores, layout="nchw", fit="squeeze", scale=1 / 127.5, mean=(1.0, 1.0, 1.0))


def _labels(path: Path) -> tuple[str, ...]:
    """The order of the columns; the known one where there is no such file."""
    if not path.is_file():
        return CLASSES
    try:
        labels = tuple(str(label) for label in json.loads(path.read_text(encoding="utf-8"))["labels"])
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} lists no labels: {type(error).__name__} {error}") from None
    if set(labels) != set(CLASSES):
        raise ValueError(f"{path} lists the classes {', '.join(labels)} instead of {', '.join(CLASSES)}")
    return labels
