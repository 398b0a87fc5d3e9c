"""Option: diffusers' StableDiffusionSafetyChecker from a folder the operator has (2.2 CPU-seconds a picture).

It compares CLIP's picture vector with 17 concepts and 3 "special care" ones (Rando et al. 2022, arXiv 2210.04610) and
knows photographs better than drawings, so it adds to the other models and replaces none.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker

# CLIP's preprocessing (Radford et al. 2021, arXiv 2103.00020): bicubic, centre crop, these means and deviations.
SIDE = 224
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


class DiffusersRater:
    """Score "flagged": 1 if any concept is nearer than its threshold, else 0. Opened at the first picture; thread-safe.

    `folder` is a diffusers model with a `safety_checker` folder, or that folder itself; only safetensors are read.
    """

    name = "sd_checker"

    def __init__(self, folder: Path) -> None:
        inner = folder / "safety_checker"
        self._folder = inner if inner.is_dir() else folder
        self._model: StableDiffusionSafetyChecker | None = None
        self._lock = threading.Lock()

    def problem(self) -> str | None:
        """Why this model can't be used, in words, as far as that shows without opening it."""
        return None if self._folder.is_dir() else f"{self._folder} is missing."

    def rate(self, images: Sequence[Image.Image]) -> list[dict[str, float]]:
        """One score for each of `images` (RGB, any size); OSError if the folder is missing or holds no such model."""
        if (problem := self.problem()) is not None:
            raise FileNotFoundError(problem)
        import torch

        model = self._open()
        rows: list[dict[str, float]] = []
        for image in images:
            side = int(model.config.vision_config.image_size)
            pixels = torch.as_tensor(prepare(image, side))[None]
            # The module blackens what it flags; it is given a pixel to blacken instead of the picture.
            with torch.inference_mode():
                _, flags = model(images=np.zeros((1, 1, 1, 3), np.float32), clip_input=pixels)
            rows.append({"flagged": float(flags[0])})
        return rows

    def _open(self) -> StableDiffusionSafetyChecker:
        from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker

        with self._lock:
            if self._model is None:
                loader: Any = StableDiffusionSafetyChecker
                loaded: StableDiffusionSafetyChecker = loader.from_pretrained(
                    self._folder, local_files_only=True, use_safetensors=True
                )
                self._model = loaded
                loaded.eval()
            return self._model


def prepare(image: Image.Image, side: int = SIDE) -> NDArray[np.float32]:
    """(3, side, side): the middle of the picture, normalised as CLIP expects it."""
    scale = side / min(image.size)
    width, height = (max(side, round(length * scale)) for length in image.size)
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - side) // 2, (height - side) // 2
    pixels = np.asarray(resized.crop((left, top, left + side, top + side)), np.float32) / 255
    return np.ascontiguousarray(((pixels - MEAN) / DEVIATION).transpose(2, 0, 1), np.float32)
