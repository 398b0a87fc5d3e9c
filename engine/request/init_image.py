"""Attached init images and masks (start pictures to members): decoded within limits, brought to the request's size."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageOps

from domain import PictureRefused
from engine.request.image_file import ImageTooLarge, UnreadableImage, flatten, open_image

MAX_BYTES = 10 * 2**20
MAX_SIDE = 4096


def read_init_image(data: bytes, size: tuple[int, int]) -> Image.Image:
    """The picture, cropped to the shape of `size` (width, height) and scaled to it; on white, as a viewer shows it.

    Raises PictureRefused.
    """
    return ImageOps.fit(flatten(_open(data, "start picture"), "white"), size, Image.Resampling.LANCZOS)


def read_mask(data: bytes, size: tuple[int, int], factor: int) -> torch.Tensor:
    """The mask as [1, h/factor, w/factor] of 0 (keep) and 1 (paint, where it is white). Raises PictureRefused.

    Where a mask is transparent nobody painted, so it is black there. One without any white is refused.
    """
    mask = ImageOps.fit(flatten(_open(data, "mask"), "black").convert("L"), size, Image.Resampling.NEAREST)
    small = mask.resize((size[0] // factor, size[1] // factor), Image.Resampling.BOX)
    paint = np.asarray(small) > 127
    if not paint.any():
        raise PictureRefused("The mask has no white in it, so nothing would change. Make white what is to be painted.")
    return torch.as_tensor(paint.astype(np.float32))[None]


def _open(data: bytes, what: str) -> Image.Image:
    if len(data) > MAX_BYTES:
        raise PictureRefused(f"The {what} may have at most {MAX_BYTES // 2**20} MiB; please make it smaller.")
    try:
        image = open_image(data, max_pixels=MAX_SIDE * MAX_SIDE)
    except ImageTooLarge as error:
        raise PictureRefused(_too_large(what)) from error
    except UnreadableImage as error:
        raise PictureRefused(f"The {what} can't be read. Please send a PNG, JPEG or WebP file.") from error
    if max(image.size) > MAX_SIDE:
        raise PictureRefused(_too_large(what))
    return image


def _too_large(what: str) -> str:
    return f"The {what} may have at most {MAX_SIDE}×{MAX_SIDE} pixels; please scale it down."
