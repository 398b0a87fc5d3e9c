"""A stored picture made ready to be shown: enlarged if the model paints small, within a size limit in bytes."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from domain import Upload
from engine.images.metadata import XMP

# Tried in order until a picture fits: lossless first, then ever smaller WebP.
WEBP_QUALITIES = (95, 85, 70, 50)
SMALLEST_SIDE = 64


def make_upload(data: bytes, name: str, scale: int, limit_bytes: int) -> Upload:
    """A PNG file as an upload of at most `limit_bytes`: unchanged, metadata included, wherever it fits as it is."""
    if scale == 1 and len(data) <= limit_bytes:
        return Upload(f"{name}.png", data)
    with Image.open(io.BytesIO(data)) as opened:
        image = opened.convert("RGB")
        png: Any = opened  # only PNG files have `text`
        metadata: dict[str, str] = dict(png.text)
    if scale > 1:
        image = image.resize((image.width * scale, image.height * scale), Image.Resampling.LANCZOS)
        enlarged = _png(image, metadata)
        if len(enlarged) <= limit_bytes:
            return Upload(f"{name}.png", enlarged)
    return Upload(f"{name}.webp", _shrink(image, limit_bytes, metadata.get(XMP, "").encode()))


def _png(image: Image.Image, metadata: dict[str, str]) -> bytes:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for key, value in metadata.items():
        info.add_itxt(key, value)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def _shrink(image: Image.Image, limit_bytes: int, xmp: bytes) -> bytes:
    """WebP of falling quality, then of falling size; the last try is returned even if it is still too large.

    The XMP packet, in which stands that a machine made it, goes along.
    """
    while True:
        data = b""
        for quality in WEBP_QUALITIES:
            buffer = io.BytesIO()
            image.save(buffer, "WEBP", quality=quality, xmp=xmp)
            data = buffer.getvalue()
            if len(data) <= limit_bytes:
                return data
        if min(image.size) <= SMALLEST_SIDE:
            return data
        image = image.resize((image.width * 3 // 4, image.height * 3 // 4), Image.Resampling.LANCZOS)
