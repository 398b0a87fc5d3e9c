"""Which model paints, and what it can do."""

from __future__ import annotations

from collections.abc import Mapping

from domain.frozen import frozen


@frozen
class ModelIdentity:
    """Which model painted: stored with every picture. `weights` is "ema", "raw" or "as stored"."""

    name: str
    sha256: str
    weights: str = "as stored"
    dtype: str = "float32"
    is_demo: bool = False


@frozen
class ModelProfile:
    """What a model can do, and what it does best.

    Sizes are pixels; `token_window` and `max_tokens` count without start and end marks; `display_scale` is how much
    a picture is enlarged when it is shown. What is larger than `max_pixels` is painted in square windows of
    `window_side`. Guidance and upscale begin at 1.
    """

    identity: ModelIdentity
    unit: int
    min_side: int
    max_side: int
    max_pixels: int
    shapes: Mapping[str, tuple[int, int]]  # "portrait", "square", "landscape"
    schedulers: tuple[str, ...]
    scheduler: str
    num_inference_steps: int
    max_steps: int
    guidance_scale: float
    token_window: int = 75
    max_tokens: int = 225
    display_scale: int = 1
    max_guidance_scale: float = 30.0
    max_images: int = 4
    max_upscale: float = 2.0
    window_side: int = 512
