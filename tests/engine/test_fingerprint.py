"""Recognising copies: re-encoded, resized, cropped and framed ones yes, other pictures no."""

import io
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageDraw

from engine.images.fingerprint import CANDIDATE_DISTANCE, SAME_SIMILARITY, distances, fingerprint, similarity

SIDE = 256


@cache
def drawing(number: int) -> bytes:
    """A seeded picture of coloured shapes as PNG."""
    random = np.random.default_rng(number)
    image = Image.new("RGB", (SIDE, SIDE), tuple(random.integers(0, 255, 3)))
    draw = ImageDraw.Draw(image)
    for _ in range(25):
        x, y = random.integers(0, SIDE, 2)
        width, height = random.integers(10, SIDE // 2, 2)
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape([int(x), int(y), int(x + width), int(y + height)], fill=tuple(int(v) for v in random.integers(0, 255, 3)))
    return encode(image)


@cache
def line_art(number: int) -> bytes:
    """A seeded picture of shapes with thin dark outlines on light colours, as drawn pictures have them."""
    random = np.random.default_rng(1000 + number)
    image = Image.new("RGB", (SIDE, SIDE), tuple(random.integers(190, 255, 3)))
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        x, y = random.integers(-20, SIDE, 2)
        width, height = random.integers(12, SIDE // 2, 2)
        shape = draw.ellipse if random.random() < 0.7 else draw.rectangle
        fill = tuple(int(v) for v in random.integers(170, 255, 3))
        shape([int(x), int(y), int(x + width), int(y + height)], fill=fill, outline=(20, 20, 30), width=2)
    return encode(image)


@cache
def stored_fingerprints(original: Callable[[int], bytes]) -> list[bytes]:
    """Of the first twelve pictures of a kind."""
    return [fingerprint(original(number)) for number in range(12)]


def encode(image: Image.Image, form: str = "PNG", **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def crop(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    return image.crop((int(left * SIDE), int(top * SIDE), int(right * SIDE), int(bottom * SIDE)))


def framed(image: Image.Image) -> Image.Image:
    frame = Image.new("RGB", (SIDE + 80, SIDE + 60), (40, 44, 52))
    frame.paste(image, (40, 30))
    return frame


COPIES: dict[str, Callable[[Image.Image], bytes]] = {
    "jpeg": lambda image: encode(image, "JPEG", quality=50),
    "webp": lambda image: encode(image, "WEBP", quality=40),
    "half": lambda image: encode(image.resize((SIDE // 2, SIDE // 2))),
    "double": lambda image: encode(image.resize((SIDE * 2, SIDE * 2)), "JPEG", quality=80),
    "stretched": lambda image: encode(image.resize((SIDE, SIDE * 19 // 20))),
    "cropped a little": lambda image: encode(crop(image, 0.04, 0.03, 0.97, 0.98)),
    "cropped to three quarters": lambda image: encode(crop(image, 0.2, 0.05, 0.95, 0.8), "JPEG", quality=70),
    "without its lower part": lambda image: encode(crop(image, 0.0, 0.0, 1.0, 0.75)),
    "framed": lambda image: encode(framed(image)),
    "doubled and a tenth cut off": lambda image: encode(crop(image, 0.1, 0.0, 1.0, 0.9).resize((461, 461)), "JPEG"),
    "its middle": lambda image: encode(crop(image, 0.15, 0.15, 0.85, 0.85), "JPEG", quality=70),
}


@pytest.mark.slow
@pytest.mark.parametrize("original", [drawing, line_art])
@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_recognised(name: str, original: Callable[[int], bytes]) -> None:
    stored = stored_fingerprints(original)
    found = 0
    for number in range(6):
        with Image.open(io.BytesIO(original(number))) as image:
            copy = COPIES[name](image.convert("RGB"))
        apart = distances(fingerprint(copy), stored)
        nearest = sorted(range(12), key=apart.__getitem__)[:5]
        matches = [
            other
            for other in nearest
            if apart[other] <= CANDIDATE_DISTANCE and similarity(copy, original(other)) >= SAME_SIMILARITY
        ]
        assert set(matches) <= {number}
        found += matches == [number]
    assert found >= 5


def test_other_pictures_are_not_alike() -> None:
    assert max(similarity(drawing(0), drawing(other)) for other in range(1, 12)) < SAME_SIMILARITY - 0.1


def test_what_is_no_picture_is_an_error() -> None:
    with pytest.raises(OSError, match="cannot identify"):
        fingerprint(b"not a picture")


def test_an_even_area_is_like_nothing() -> None:
    blank = encode(Image.new("RGB", (64, 64), "white"))
    assert similarity(blank, drawing(0)) < SAME_SIMILARITY


def test_no_stored_pictures_give_no_distances() -> None:
    assert distances(fingerprint(drawing(0)), []) == []
