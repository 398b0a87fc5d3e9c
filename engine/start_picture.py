"""Attached start pictures and masks: decoded within limits, brought to the request's size."""

from __future__ import annotations

import io
import warnings

import torch
from PIL import Image, ImageOps

from domain import PictureRefused

MOST_BYTES = 10 * 2**20
MOST_SIDE = 4096
FORMATS = ("PNG", "JPEG", "WEBP")


def read_start_picture(data: bytes, size: tuple[int, int]) -> Image.Image:
    """The picture, cropped to the shape of `size` (width, height) and scaled to it. Raises PictureRefused."""
    return ImageOps.fit(_open(data, "start picture").convert("RGB"), size, Image.Resampling.LANCZOS)


def read_mask(data: bytes, size: tuple[int, int], factor: int) -> torch.Tensor:
    """The mask as [1, 1, h/factor, w/factor] of 0 (keep) and 1 (paint). Raises PictureRefused."""
    mask = ImageOps.fit(_open(data, "mask").convert("L"), size, Image.Resampling.NEAREST)
    small = mask.resize((size[0] // factor, size[1] // factor), Image.Resampling.BOX)
    values = torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8).view(1, 1, small.height, small.width)
    return (values > 127).float()


def _open(data: bytes, what: str) -> Image.Image:
    if len(data) > MOST_BYTES:
        raise PictureRefused(f"The {what} may have at most {MOST_BYTES // 2**20} MiB.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            if max(image.size) > MOST_SIDE:
                raise PictureRefused(f"The {what} may have at most {MOST_SIDE} pixels a side.")
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureRefused(f"The {what} can't be read. Send a PNG, JPEG or WebP file.") from error
    return ImageOps.exif_transpose(image)
