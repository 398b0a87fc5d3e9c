"""Attached init images and masks (start pictures to members): decoded within limits, brought to the request's size."""

from __future__ import annotations

import io
import warnings

import numpy as np
import torch
from PIL import Image, ImageOps

from domain import PictureRefused

MAX_BYTES = 10 * 2**20
MAX_SIDE = 4096
FORMATS = ("PNG", "JPEG", "WEBP")
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    MemoryError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


def read_init_image(data: bytes, size: tuple[int, int]) -> Image.Image:
    """The picture, cropped to the shape of `size` (width, height) and scaled to it. Raises PictureRefused."""
    return ImageOps.fit(_without_alpha(_open(data, "start picture")), size, Image.Resampling.LANCZOS)


def read_mask(data: bytes, size: tuple[int, int], factor: int) -> torch.Tensor:
    """The mask as [1, h/factor, w/factor] of 0 (keep) and 1 (paint, where it is white). Raises PictureRefused."""
    mask = ImageOps.fit(_without_alpha(_open(data, "mask")).convert("L"), size, Image.Resampling.NEAREST)
    small = mask.resize((size[0] // factor, size[1] // factor), Image.Resampling.BOX)
    return torch.as_tensor((np.asarray(small) > 127).astype(np.float32))[None]


def _open(data: bytes, what: str) -> Image.Image:
    if len(data) > MAX_BYTES:
        raise PictureRefused(f"The {what} may have at most {MAX_BYTES // 2**20} MiB; please make it smaller.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            # The header alone is read so far: nothing large is unpacked before the size is known.
            if max(image.size) > MAX_SIDE:
                raise PictureRefused(f"The {what} may have at most {MAX_SIDE}×{MAX_SIDE} pixels; please scale it down.")
            image.load()
            return ImageOps.exif_transpose(image)
    except _UNREADABLE as error:
        raise PictureRefused(f"The {what} can't be read. Please send a PNG, JPEG or WebP file.") from error


def _without_alpha(image: Image.Image) -> Image.Image:
    """On white, as a viewer would show it."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
