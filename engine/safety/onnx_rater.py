"""A picture model as an ONNX file."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.onnx_session import open_session

BATCH = 2  # pictures a call: bounds memory, and one core gains nothing from more

# RGB pictures and the input's shape as the file states it → the model's input, pictures first.
Prepare = Callable[[Sequence[Image.Image], Sequence[Any]], NDArray[Any]]


class OnnxRater:
    """Probabilities by class from the first output of `path`. Opened at the first picture; thread-safe.

    `classes` names the output's columns; None reads them from the file's metadata ("classes", separated by commas).
    `sha256` pins the file; `hint` tells how to get it. Raises FileNotFoundError or ValueError (another file) when used.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        prepare: Prepare,
        *,
        classes: Sequence[str] | None = None,
        sha256: str | None = None,
        hint: str = "",
    ) -> None:
        self._name = name
        self._path = path
        self._prepare = prepare
        self._classes = None if classes is None else tuple(classes)
        self._sha256 = sha256
        self._hint = hint
        self._session: Any = None  # onnxruntime.InferenceSession; the package carries no types
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._name

    def problem(self) -> str | None:
        """Why this model can't be used, in words, as far as that shows without opening it."""
        return None if self._path.is_file() else f"{self._path} is missing. {self._hint}".strip()

    def rate(self, images: Sequence[Image.Image]) -> list[dict[str, float]]:
        """One dict of probabilities for each of `images` (RGB, any size)."""
        session, classes = self._open()
        source = session.get_inputs()[0]
        rows: list[dict[str, float]] = []
        for start in range(0, len(images), BATCH):
            batch = self._prepare(images[start : start + BATCH], source.shape)
            output = np.asarray(session.run(None, {source.name: batch})[0])
            rows += [dict(zip(classes, row, strict=True)) for row in output.tolist()]
        return rows

    def _open(self) -> tuple[Any, tuple[str, ...]]:
        with self._lock:
            if self._session is None:
                self._session = self._load()
            if self._classes is None:
                names: str = self._session.get_modelmeta().custom_metadata_map["classes"]
                self._classes = tuple(names.split(","))
            return self._session, self._classes

    def _load(self) -> Any:
        if (problem := self.problem()) is not None:
            raise FileNotFoundError(problem)
        data = self._path.read_bytes()
        if self._sha256 is not None and hashlib.sha256(data).hexdigest() != self._sha256:
            raise ValueError(f"{self._path} is not the file that the limits were chosen for. {self._hint}".strip())
        return open_session(data)


def squares(images: Sequence[Image.Image], side: int) -> NDArray[np.uint8]:
    """(n, side, side, 3): each picture squeezed to a square, as the classifiers were trained."""
    bilinear = Image.Resampling.BILINEAR
    return np.stack([np.asarray(image.resize((side, side), bilinear), np.uint8) for image in images])
