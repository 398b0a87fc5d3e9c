"""Option: any tagger or rater of anime pictures that the operator has: an ONNX file, and a TOML file that describes it.

    side = 448             # pixels, where the model leaves that open; the picture becomes a square
    layout = "nhwc"        # or "nchw"
    channels = "bgr"       # or "rgb"
    fit = "pad"            # on white, or "squeeze"
    scale = 1.0            # value = (pixel * scale - mean) / deviation
    mean = [0.0, 0.0, 0.0]
    deviation = [1.0, 1.0, 1.0]
    activation = "none"    # of the outputs; or "sigmoid", "softmax"
    labels = "selected_tags.csv"    # a CSV file beside it with a column "name", or a list
    [scores]               # the highest of the named labels' probabilities
    r18 = ["explicit"]
    r15 = ["questionable"]
    safe = ["general", "sensitive"]
    young = ["child"]      # left out where the model has no such label

Made for SmilingWolf's WD taggers and deepghs' raters; docs/safety.md says how to get one.
"""

from __future__ import annotations

import csv
import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.safety.onnx_rater import OnnxRater, squares

REQUIRED_SCORES = frozenset(("r18",))
KNOWN_SCORES = frozenset(("safe", "r15", "r18", "young"))
_CHOICES = {
    "layout": ("nhwc", "nchw"),
    "channels": ("rgb", "bgr"),
    "fit": ("pad", "squeeze"),
    "activation": ("none", "sigmoid", "softmax"),
}


@dataclass(frozen=True, slots=True)
class Description:
    """What a TOML file says of a model: its input, its outputs' labels in order, and the scores made of them."""

    side: int
    labels: tuple[str, ...]
    scores: Mapping[str, tuple[str, ...]]
    layout: str = "nhwc"
    channels: str = "rgb"
    fit: str = "pad"
    activation: str = "none"
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    deviation: tuple[float, ...] = (1.0, 1.0, 1.0)

    def prepare(self, images: Sequence[Image.Image], shape: Sequence[Any]) -> NDArray[np.float32]:
        """(n, side, side, 3) or (n, 3, side, side), as the model takes them; `shape` is its input's, where known."""
        own = shape[2] if len(shape) == 4 else None
        side = own if isinstance(own, int) else self.side
        fitted = [on_white(image) for image in images] if self.fit == "pad" else images
        pixels = squares(fitted, side).astype(np.float32)
        pixels = (pixels * self.scale - np.asarray(self.mean, np.float32)) / np.asarray(self.deviation, np.float32)
        if self.channels == "bgr":
            pixels = pixels[..., ::-1]
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2) if self.layout == "nchw" else pixels, np.float32)

    def read(self, outputs: Mapping[str, float]) -> dict[str, float]:
        """The scores of one picture; "young_explicit" is how surely it is both."""
        probabilities = _activate(outputs, self.activation)
        found = {name: max(probabilities[label] for label in labels) for name, labels in self.scores.items()}
        return found | {"young_explicit": min(found.get("young", 0.0), found["r18"])}


def load_description(path: Path) -> Description:
    """The description in a TOML file. ValueError with a sentence that says what is wrong in it."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        scores = {name: tuple(labels) for name, labels in document.pop("scores", {}).items()}
        labels = _labels(path, document.pop("labels", ()))
        described = Description(labels=labels, scores=scores, **document)
        wrong = _fault(described)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, AttributeError, csv.Error) as error:
        raise ValueError(f"{path} does not describe a model: {error}") from None
    if wrong is not None:
        raise ValueError(f"{path}: {wrong}")
    return described


def _fault(described: Description) -> str | None:
    """What is wrong with a description, or None."""
    for name, choices in _CHOICES.items():
        if getattr(described, name) not in choices:
            return f"{name} must be one of {', '.join(choices)}"
    if not REQUIRED_SCORES <= described.scores.keys() <= KNOWN_SCORES:
        return "[scores] must name r18, and may name safe, r15 and young"
    unknown = {label for labels in described.scores.values() for label in labels} - set(described.labels)
    if unknown or not all(described.scores.values()):
        return f"[scores] names labels that the model does not have: {', '.join(sorted(unknown)) or 'none at all'}"
    if described.side < 1 or len(described.mean) != 3 or len(described.deviation) != 3 or 0 in described.deviation:
        return "side must be positive, mean and deviation three numbers, no deviation 0"
    return None


class DescribedRater:
    """An ONNX file as its description says. A file or description that can't be used is a problem, later an error.

    `describe` is called at the first use; it raises ValueError or OSError with what is wrong.
    """

    name = "anime"

    def __init__(self, model: Path, describe: Callable[[], Description]) -> None:
        self._model = model
        self._describe = describe
        self._loaded: tuple[OnnxRater, Description] | None = None

    def problem(self) -> str | None:
        """Why this model can't be used, in words, as far as that shows without opening it."""
        try:
            rater, _ = self._load()
        except (OSError, ValueError) as error:
            return str(error)
        return rater.problem()

    def rate(self, images: Sequence[Image.Image]) -> list[dict[str, float]]:
        """The described scores and "young_explicit" for each of `images`."""
        rater, description = self._load()
        return [description.read(outputs) for outputs in rater.rate(images)]

    def _load(self) -> tuple[OnnxRater, Description]:
        if self._loaded is None:
            description = self._describe()
            rater = OnnxRater(self.name, self._model, description.prepare, classes=description.labels)
            self._loaded = rater, description
        return self._loaded


def on_white(image: Image.Image) -> Image.Image:
    """The whole picture in the middle of a white square."""
    side = max(image.size)
    if image.width == image.height:
        return image
    square = Image.new("RGB", (side, side), "white")
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def _labels(path: Path, source: str | Sequence[str]) -> tuple[str, ...]:
    if not isinstance(source, str):
        return tuple(source)
    with path.with_name(source).open(encoding="utf-8", newline="") as file:
        names = [row.get("name") for row in csv.DictReader(file)]
    if None in names or not names:
        raise ValueError(f"{path.with_name(source)} has no column called name")
    return tuple(str(name) for name in names)


def _activate(outputs: Mapping[str, float], activation: str) -> dict[str, float]:
    if activation == "sigmoid":
        return {name: 0.5 * (1 + math.tanh(value / 2)) for name, value in outputs.items()}
    if activation == "softmax":
        highest = max(outputs.values())
        powers = {name: math.exp(value - highest) for name, value in outputs.items()}
        total = sum(powers.values())
        return {name: power / total for name, power in powers.items()}
    return dict(outputs)
