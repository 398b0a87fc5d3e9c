"""Picture files from people, opened within bounds of memory and time, whatever is in them.

A file is at most MAX_PIXELS large once it is unpacked, 64 MiB for each copy that Pillow makes of it; what it will be is
read from its header first. Baseline JPEG files may be larger: libjpeg scales those down while it reads them.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_PIXELS = 4096 * 4096
MAX_JPEG_PIXELS = 80_000_000  # of a baseline file, which needs no room for the whole picture
# A progressive JPEG has about ten scans; each goes over the whole picture, so thousands would take minutes.
MAX_SCANS = 64
_START_OF_SCAN = b"\xff\xda"  # never inside packed numbers, where a zero follows each 0xff (ITU-T T.81, B.1.1.5)
_DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, MemoryError, IndexError, KeyError, TypeError, AttributeError,
    ArithmeticError, RecursionError, struct.error, zlib.error,
)  # fmt: skip


class UnreadableImage(OSError):
    """The file is no picture of the wanted formats, or a damaged one."""


class ImageTooLarge(UnreadableImage):
    """The picture would take more memory or time than is given to one."""


def open_image(data: bytes, formats: tuple[str, ...] = FORMATS, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The first frame of a picture file, unpacked and upright. Raises UnreadableImage or ImageTooLarge."""
    try:
        _check_webp(data, max_pixels)
        image = Image.open(io.BytesIO(data), formats=formats)
        _shrink_while_reading(image, data, max_pixels)
        if image.width * image.height > max_pixels:
            raise ImageTooLarge(f"{image.width}×{image.height} pixels are more than {max_pixels:,}")
        image.load()
    except UnreadableImage:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge(str(error)) from error
    except _DECODER_ERRORS as error:
        raise UnreadableImage(f"cannot identify or read the picture ({error})") from error
    return _upright(image)


def _check_webp(data: bytes, max_pixels: int) -> None:
    """Opening a WebP file unpacks it, so its size is read beforehand (developers.google.com/speed/webp, RIFF)."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return
    kind, body = data[12:16], data[20:40].ljust(20, b"\0")
    if kind == b"VP8X":
        width, height = 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    elif kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    else:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<2H", body, 6))
    if width * height > max_pixels:
        raise ImageTooLarge(f"{width}×{height} pixels are more than {max_pixels:,}")


def _shrink_while_reading(image: Image.Image, data: bytes, max_pixels: int) -> None:
    """Let libjpeg read a large baseline file at an eighth to a half of its size."""
    if image.format not in ("JPEG", "MPO"):
        return
    if data.count(_START_OF_SCAN) > MAX_SCANS:
        raise ImageTooLarge("the JPEG file has more scans than a picture needs")
    pixels = image.width * image.height
    if max_pixels < pixels <= MAX_JPEG_PIXELS and "progressive" not in image.info:
        share = (max_pixels / pixels) ** 0.5
        image.draft(None, (int(image.width * share / 2), int(image.height * share / 2)))


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except _DECODER_ERRORS:  # damaged notes of a camera; viewers show the picture all the same
        return image


def flatten(image: Image.Image, background: str) -> Image.Image:
    """The picture in RGB with 8 bits, on a colour where it is transparent."""
    image = _eight_bits(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, background), image).convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey pictures of 16 or 32 bits or of fractions, scaled to 0…255; Pillow would cut everything above 255 off."""
    if not image.mode.startswith(("I", "F")):
        return image
    levels = np.asarray(image)
    scaled = np.nan_to_num(levels.astype(np.float32), copy=False)
    scaled *= 255 / _highest_level(image.mode, float(scaled.max(initial=0.0)))
    scaled += 0.5
    grey = Image.fromarray(np.clip(scaled, 0, 255, out=scaled).astype(np.uint8))
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(levels == clear, 0, 255).astype(np.uint8)))
    return grey


def _highest_level(mode: str, found: float) -> float:
    """White: of 16 bits, or the next of 1, 8, 16 and 32 bits that holds the brightest pixel."""
    if mode.startswith("I;16"):
        return 2.0**16 - 1
    candidates = (1.0, 2.0**8 - 1) if mode == "F" else ()
    return next((white for white in (*candidates, 2.0**16 - 1) if found <= white), 2.0**32 - 1)
