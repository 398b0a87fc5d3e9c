"""From the first pass's picture to a larger one, and to the latents that the second pass paints on.

The way goes through pixels: latents that are stretched themselves decode to a mosaic, and the second pass would have to
repaint so much of it that it composes anew.
"""

from __future__ import annotations

import torch
from PIL import Image

from engine.sampling.pipeline import Pipeline, to_images


def enlarge_image(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The image at `size` (width and height in pixels); itself if it has that."""
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def enlarge(pipeline: Pipeline, latents: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Latents [4, h, w] of the picture at `size` (width and height in pixels); not finite where it can't be decoded.

    Raises torch.OutOfMemoryError. It is decoded on its own and in windows, so that it depends on no other picture and
    takes little memory.
    """
    pixels = pipeline.decode(latents[None], sparing=True)
    if not torch.isfinite(pixels).all() and torch.isfinite(latents).all():
        pixels = pipeline.decode_exactly(latents[None], sparing=True)
    if not torch.isfinite(pixels).all():
        return torch.full_like(latents, torch.nan)
    return pipeline.encode_image(enlarge_image(to_images(pixels)[0], size))
