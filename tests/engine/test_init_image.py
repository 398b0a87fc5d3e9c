"""Start pictures and masks of every kind of file: the right pixels, or one sentence, within a bound of memory."""

from __future__ import annotations

import io
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from domain import PictureRefused
from engine.images.fingerprint import fingerprint
from engine.request.image_file import MAX_SCANS, ImageTooLarge, flatten, open_image
from engine.request.init_image import read_init_image, read_mask
from scripts.hostile.images import chunk

SIZE = (64, 64)
ROOT = Path(__file__).parents[2]


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def half(mode: str, left: Any, right: Any) -> Image.Image:
    """64×64 pixels, the left half of one colour and the right half of another."""
    image = Image.new(mode, SIZE, left)
    image.paste(right, (32, 0, 64, 64))
    return image


def palette(transparent: bytes | int) -> bytes:
    image = Image.new("P", SIZE, 0)
    image.putpalette([255, 255, 255, 255, 255, 255])
    image.paste(1, (32, 0, 64, 64))
    return encoded(image, transparency=transparent)


MASKS = {
    "white strokes on nothing, RGBA": encoded(half("RGBA", (255, 255, 255, 255), (0, 0, 0, 0))),
    "white strokes on white nothing, RGBA": encoded(half("RGBA", (255, 255, 255, 255), (255, 255, 255, 0))),
    "grey with alpha, LA": encoded(half("LA", (255, 255), (255, 0))),
    "a palette with one clear colour": palette(1),
    "a palette with an alpha for each colour": palette(bytes((255, 0))),
    "grey with one clear level": encoded(half("L", 255, 17), transparency=17),
    "colours with one clear colour": encoded(half("RGB", "white", (250, 250, 250)), transparency=(250, 250, 250)),
    "WebP with alpha": encoded(half("RGBA", (255, 255, 255, 255), (255, 255, 255, 0)), "WEBP", lossless=True),
    "plain black and white": encoded(half("L", 255, 0)),
    "one bit": encoded(half("1", 1, 0)),
    "16 bits": encoded(Image.fromarray(np.where(np.arange(64) < 32, 65535, 400).astype(np.uint16)[None].repeat(64, 0))),
    "16 bits with one clear level": encoded(
        Image.fromarray(np.where(np.arange(64) < 32, 65535, 60000).astype(np.uint16)[None].repeat(64, 0)),
        transparency=60000,
    ),
}


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_paints_where_it_is_white_and_keeps_where_it_is_clear(name: str) -> None:
    mask = read_mask(MASKS[name], SIZE, 8)
    assert mask.shape == (1, 8, 8)
    assert mask[0, :, :4].min() == 1.0
    assert mask[0, :, 4:].max() == 0.0


@pytest.mark.parametrize("level", [(0, 0, 0, 255), (255, 255, 255, 0)], ids=["black", "clear"])
def test_a_mask_that_keeps_everything_is_refused_with_a_sentence(level: tuple[int, ...]) -> None:
    with pytest.raises(PictureRefused, match="no white in it"):
        read_mask(encoded(Image.new("RGBA", SIZE, level)), SIZE, 8)


def png_of(levels: np.ndarray[Any, Any]) -> bytes:
    return encoded(Image.fromarray(levels))


def test_sixteen_bits_are_scaled_to_eight() -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(64, 0)
    read = np.asarray(read_init_image(png_of(ramp), SIZE))
    assert read.mean() == pytest.approx(127.5, abs=1)
    assert (int(read.min()), int(read.max())) == (0, 255)


def test_a_dark_picture_of_sixteen_bits_stays_dark() -> None:
    read = np.asarray(read_init_image(png_of(np.full((64, 64), 257 * 20, np.uint16)), SIZE))
    assert set(read.flatten().tolist()) == {20}


@pytest.mark.parametrize(
    ("mode", "levels", "expected"),
    [
        ("I", [0, 65535], [0, 255]),
        ("I", [0, 2**31 - 1], [0, 128]),
        ("F", [0.0, 0.5, 1.0], [0, 128, 255]),
        ("F", [0.0, 200.0], [0, 200]),
        ("F", [float("nan"), 1.0], [0, 255]),
    ],
)
def test_thirty_two_bits_and_fractions_are_scaled_by_their_own_white(
    mode: str, levels: list[float], expected: list[int]
) -> None:
    image = Image.fromarray(np.array([levels], np.int32 if mode == "I" else np.float32))
    assert image.mode == mode
    assert np.asarray(flatten(image, "white"))[0, :, 0].tolist() == expected


START_PICTURES = {
    "RGBA on white": (encoded(half("RGBA", (200, 30, 30, 255), (9, 9, 9, 0))), (200, 30, 30), (255, 255, 255)),
    "LA": (encoded(half("LA", (90, 255), (90, 0))), (90, 90, 90), (255, 255, 255)),
    "palette": (encoded(half("RGB", (200, 30, 30), (30, 30, 200)).quantize(4)), (200, 30, 30), (30, 30, 200)),
    "CMYK JPEG": (encoded(half("CMYK", (0, 0, 0, 0), (0, 0, 0, 255)), "JPEG"), (255, 255, 255), (0, 0, 0)),
    "grey JPEG": (encoded(half("L", 40, 220), "JPEG"), (40, 40, 40), (220, 220, 220)),
    "one bit": (encoded(half("1", 0, 1)), (0, 0, 0), (255, 255, 255)),
    "16 bits": (png_of(np.full((64, 64), 257 * 80, np.uint16)), (80, 80, 80), (80, 80, 80)),
}


@pytest.mark.parametrize("name", START_PICTURES)
def test_every_kind_of_start_picture_has_the_right_pixels(name: str) -> None:
    data, left, right = START_PICTURES[name]
    image = read_init_image(data, SIZE)
    for place, colour in (((8, 32), left), ((56, 32), right)):
        found: Any = image.getpixel(place)
        assert max(abs(one - other) for one, other in zip(found, colour, strict=True)) <= 4


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("orientation", "corner"), [(6, (60, 4)), (3, (60, 60)), (8, (4, 60)), (2, (60, 4))])
def test_the_cameras_rotation_is_undone(form: str, orientation: int, corner: tuple[int, int]) -> None:
    image = Image.new("RGB", SIZE, "white")
    image.paste("black", (0, 0, 24, 24))
    exif = Image.Exif()
    exif[0x0112] = orientation
    read: Any = read_init_image(encoded(image, form, exif=exif), SIZE).getpixel(corner)
    assert max(read) < 40


def test_damaged_notes_of_a_camera_do_not_hinder() -> None:
    data = encoded(half("RGB", "red", "blue"), "JPEG", exif=b"Exif\0\0MM\0\x2a\xff\xff\xff\xff\x01")
    assert read_init_image(data, SIZE).size == SIZE


def bomb(width: int, height: int, colour_type: int = 2) -> bytes:
    """A PNG of a few hundred kB that unpacks to width × height pixels of zeros."""
    head = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, colour_type, 0, 0, 0))
    row = b"\0" * (1 + width * {0: 1, 2: 3, 6: 4}[colour_type])
    packer = zlib.compressobj(1)
    body = b"".join(packer.compress(row) for _ in range(min(height, 100))) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def webp_of(width: int, height: int) -> bytes:
    """An extended WebP file that claims a canvas."""
    head = b"\0\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + head
    return b"RIFF" + struct.pack("<I", len(body)) + body


def many_scans() -> bytes:
    whole = encoded(Image.new("RGB", (512, 512)), "JPEG", progressive=True)
    scan = whole[whole.index(b"\xff\xda") : whole.rindex(b"\xff\xd9")]
    return whole[: whole.rindex(b"\xff\xd9")] + scan * MAX_SCANS + b"\xff\xd9"


BOMBS = {
    "13,000 square, RGB": bomb(13_000, 13_000),
    "20,000 square, RGBA": bomb(20_000, 20_000, 6),
    "a line of 60 million": bomb(60_000_000, 1, 0),
    "a WebP canvas of 16,000 square": webp_of(16_000, 16_000),
    "a JPEG with scans without end": many_scans(),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_by_its_header(name: str) -> None:
    for read in (open_image, fingerprint):
        with pytest.raises(ImageTooLarge):
            read(BOMBS[name])
    with pytest.raises(PictureRefused, match="4096"):
        read_init_image(BOMBS[name], SIZE)


def test_a_large_jpeg_is_scaled_down_while_it_is_read() -> None:
    image = open_image(encoded(Image.new("L", (8_000, 5_000), 77), "JPEG"))
    assert image.width * image.height <= 4096 * 4096
    assert image.width / image.height == pytest.approx(1.6, rel=0.01)


@pytest.mark.slow
def test_the_largest_allowed_pictures_stay_below_a_gigabyte(tmp_path: Path) -> None:
    Image.new("RGBA", (4096, 4096), (1, 2, 3, 4)).save(tmp_path / "a.png", compress_level=1)
    Image.fromarray(np.zeros((4096, 4096), np.uint16)).save(tmp_path / "b.png", compress_level=1)
    code = (
        "import sys; from pathlib import Path; from engine.request.init_image import read_init_image;"
        "from engine.images.fingerprint import fingerprint\n"
        "for path in sys.argv[1:]:\n"
        "    data = Path(path).read_bytes(); read_init_image(data, (512, 512)); fingerprint(data)\n"
        # Not ru_maxrss, which a process inherits from the one that began it.
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    paths = [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    run = subprocess.run(
        [sys.executable, "-c", code, *paths], cwd=ROOT, capture_output=True, text=True, check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (60, 60)),
    )  # fmt: skip
    assert int(run.stdout) < 2**20  # KiB


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"<html>", b"RIFF\0\0\0\0WEBP", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"]
)
def test_what_is_no_picture_is_one_sentence(data: bytes) -> None:
    with pytest.raises(PictureRefused, match="can't be read"):
        read_init_image(data, SIZE)
