"""Pictures that say something about themselves that is not so."""

from __future__ import annotations

import io
import json

from PIL import Image, PngImagePlugin


def forge(png: bytes, other: Image.Image) -> bytes:
    """Another picture with the metadata of this one, in which the request was changed."""
    with Image.open(io.BytesIO(png)) as image:
        text = dict(image.text)  # type: ignore[attr-defined]
    text["request"] = json.dumps(json.loads(text["request"]) | {"seed": 999})
    info = PngImagePlugin.PngInfo()
    for key, value in text.items():
        info.add_itxt(key, value)
    forged = io.BytesIO()
    other.save(forged, "PNG", pnginfo=info)
    return forged.getvalue()
