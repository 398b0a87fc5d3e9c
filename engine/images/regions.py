"""A picture's named regions: the mask that paints there, and a preview in which the region is tinted."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageDraw

from domain.regions import Region
from engine.images.metadata import XMP

# Thirds that reach over each other: what stands on the border of two can be painted again as a whole.
_BANDS = ((0.0, 0.4), (0.3, 0.7), (0.6, 1.0))
_CELLS = [region for region in Region if region is not Region.BACKGROUND]  # row by row
_TINT = (255, 0, 160)
_TINT_SHARE = 110  # of 255
MAX_PREVIEW_SIDE = 1024


def box_of(region: Region, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in pixels, right and bottom outside; the background's is the centre that it spares."""
    row, column = divmod(_CELLS.index(Region.CENTRE if region is Region.BACKGROUND else region), 3)
    (left, right), (top, bottom) = _BANDS[column], _BANDS[row]
    width, height = size
    return round(left * width), round(top * height), round(right * width), round(bottom * height)


def draw_region(region: Region, size: tuple[int, int]) -> Image.Image:
    """Black and white ("L") of `size` (width, height), white where it is painted.

    Its edges are hard: the pipeline reads a mask in cells of 8 pixels, each painted or kept.
    """
    is_background = region is Region.BACKGROUND
    mask = Image.new("L", size, 255 if is_background else 0)
    mask.paste(0 if is_background else 255, box_of(region, size))
    return mask


def region_mask(region: Region, size: tuple[int, int]) -> bytes:
    """The mask as a PNG file."""
    buffer = io.BytesIO()
    draw_region(region, size).save(buffer, "PNG")
    return buffer.getvalue()


def region_preview(png: bytes, region: Region, scale: int = 1) -> bytes:
    """The picture as WebP with the region tinted and outlined, enlarged by `scale`, 1024 pixels a side at most.

    The XMP packet, in which stands that a machine made it, goes along.
    """
    with Image.open(io.BytesIO(png)) as opened:
        image = opened.convert("RGB")
        file: Any = opened  # only PNG files have `text`
        xmp: str = file.text.get(XMP, "")
    image = image.resize((image.width * scale, image.height * scale), Image.Resampling.LANCZOS)
    image.thumbnail((MAX_PREVIEW_SIDE, MAX_PREVIEW_SIDE), Image.Resampling.LANCZOS)
    share = draw_region(region, image.size).point(lambda value: _TINT_SHARE if value else 0)
    image.paste(_TINT, mask=share)
    left, top, right, bottom = box_of(region, image.size)
    ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), outline=_TINT, width=max(image.width // 200, 1))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=85, xmp=xmp.encode())
    return buffer.getvalue()
