"""nsfwjs' MobileNetV2: the one freely licensed model with classes for drawn pictures that ships inside a package.

models/safety/nsfwjs.onnx is made by scripts/convert_safety_models.py from npm nsfwjs 4.4.0 (MIT), model
"mobilenet_v2_mid" (width 1.4; its authors claim 93 % accuracy, and 90 % for the small one). It gives the numbers of
TensorFlow.js: on five pictures of 224 pixels they differ by 0.0001 at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.safety.onnx_rater import OnnxRater, squares

MODEL_PATH = Path(__file__).parents[2] / "models" / "safety" / "nsfwjs.onnx"
SHA256 = "5e65d127f6aea6c95965686973b41452a58cfef82846a2f6abcaef21c70b5c18"
SIDE = 224


def nsfwjs_rater(path: Path = MODEL_PATH) -> OnnxRater:
    """Scores "drawing", "hentai", "neutral", "porn", "sexy", which add up to 1."""
    hint = "It is part of the repository; scripts/convert_safety_models.py makes it again."
    return OnnxRater("nsfwjs", path, prepare, sha256=SHA256, hint=hint)


def prepare(images: Sequence[Image.Image], _shape: Sequence[Any]) -> NDArray[np.uint8]:
    """Bytes: the graph scales them itself."""
    return squares(images, SIDE)
