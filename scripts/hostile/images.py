"""Picture files that lie about their size, never end, or are damaged."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from typing import Any

from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


def good(dice: random.Random) -> bytes:
    """A small picture of a random kind."""
    mode = dice.choice(("RGB", "RGBA", "L", "P", "1", "LA", "I;16", "CMYK"))
    form = {"I;16": "PNG", "CMYK": "JPEG", "LA": "PNG", "1": "PNG"}.get(mode, dice.choice(FORMATS))
    if form == "JPEG" and mode in ("RGBA", "P"):
        mode = "RGB"
    side = dice.randrange(1, 300)
    image = Image.frombytes("L", (side, side), dice.randbytes(side * side)).convert("RGB")
    image = image.convert("L").convert("I").convert("I;16") if mode == "I;16" else image.convert(mode)
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = dice.randrange(9)
    options: dict[str, Any] = {} if form == "GIF" else {"exif": exif}
    if form == "JPEG":
        options["progressive"] = dice.random() < 0.5
    image.save(buffer, form, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_bomb(dice: random.Random) -> bytes:
    """A huge picture of zeros, or text and colour profiles that unpack to gigabytes."""
    width, height = (dice.choice((1, 4096, 13_000, 30_000, 65_535, 2**31 - 1)) for _ in "wh")
    colour, bits = dice.choice(((0, 1), (0, 16), (2, 8), (2, 16), (3, 8), (6, 8), (6, 16)))
    packed = zlib.compress(bytes(2 ** dice.randrange(10, 25)))
    extra = dice.choice(
        (
            b"",
            chunk(b"zTXt", b"a\0\0" + packed),
            chunk(b"iCCP", b"a\0\0" + packed),
            chunk(b"iTXt", b"a\0\1\0\0\0" + packed),
        )
    )
    head = chunk(b"IHDR", struct.pack(">2I5B", width, height, bits, colour, 0, 0, dice.randrange(2)))
    return b"\x89PNG\r\n\x1a\n" + head + extra * dice.choice((1, 1, 40)) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def jpeg_bomb(dice: random.Random) -> bytes:
    """Huge sides, or scans without end."""
    side = dice.choice((64, 512, 2048))
    image = Image.new("RGB", (side, side))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", progressive=dice.random() < 0.7)
    data = buffer.getvalue()
    if dice.random() < 0.5:
        at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
        return data[: at + 5] + struct.pack(">2H", dice.choice((4_000, 65_500)), 65_500) + data[at + 9 :]
    begin, end = data.index(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:end] + data[begin:end] * dice.choice((5, 40, 2_000)) + b"\xff\xd9"


def webp_bomb(dice: random.Random) -> bytes:
    """A canvas of a gigabyte, simple or animated."""
    width, height = (dice.choice((100, 4096, 16_383, 2**24)) for _ in "wh")
    body = (
        bytes((dice.choice((0, 2, 16, 18)), 0, 0, 0))
        + (width - 1).to_bytes(3, "little")
        + (height - 1).to_bytes(3, "little")
    )
    kind = dice.choice((b"VP8X", b"VP8L", b"VP8 "))
    rest = dice.choice((b"", b"ANIM" + struct.pack("<I", 6) + bytes(6), good(dice)[12:]))
    whole = b"WEBP" + kind + struct.pack("<I", len(body)) + body + rest
    return b"RIFF" + struct.pack("<I", len(whole)) + whole


def gif_bomb(dice: random.Random) -> bytes:
    """A small file with a large screen and a larger frame."""
    side = dice.choice((1, 5_000, 65_535))
    head = b"GIF89a" + struct.pack("<2H3B", side, side, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<4HB", 0, 0, 65_535, dice.choice((1, 65_535)), 0) + b"\x02\x02L\x01\0;"
    return head + frame * dice.choice((1, 1_000))


def damaged(dice: random.Random, whole: bytes) -> bytes:
    """The bytes with flips, a cut, a hole, something twice, or something else inside."""
    data = bytearray(whole or b"x")
    for _ in range(dice.choice((1, 1, 2, 20))):
        at = dice.randrange(len(data))
        end = min(at + dice.randrange(1, 200), len(data))
        match dice.randrange(6):
            case 0 | 1:
                data[at] ^= 1 << dice.randrange(8)
            case 2:
                del data[at:]
            case 3:
                data[at:end] = bytes(end - at)
            case 4:
                data[at:at] = data[at:end]
            case _:
                data[at:end] = dice.randbytes(end - at)
        if not data:
            data = bytearray(b"x")
    return bytes(data)


MAKERS: dict[str, Callable[[random.Random], bytes]] = {
    "damaged": lambda dice: damaged(dice, good(dice)),
    "PNG bomb": png_bomb,
    "JPEG bomb": jpeg_bomb,
    "WebP bomb": webp_bomb,
    "GIF bomb": gif_bomb,
    "damaged bomb": lambda dice: damaged(dice, dice.choice((png_bomb, jpeg_bomb, webp_bomb, gif_bomb))(dice)),
}
