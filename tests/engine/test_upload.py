"""Stored pictures made small enough for Discord."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from engine.images.metadata import DIGITAL_SOURCE_TYPE, read_png, write_png
from engine.images.upload import make_upload
from tests.support.engine import GOOD, PROFILE


def noisy_png(side: int = 128) -> bytes:
    """Nothing that compresses well."""
    pixels = np.random.default_rng(3).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return write_png(Image.fromarray(pixels), GOOD, 5, PROFILE.identity, 7)


@pytest.mark.parametrize("limit", [20_000, 4_000])
def test_a_picture_that_had_to_shrink_still_says_that_a_machine_made_it(limit: int) -> None:
    upload = make_upload(noisy_png(), "tree", 1, limit)
    assert (upload.filename, len(upload.data) <= limit) == ("tree.webp", True)
    with Image.open(io.BytesIO(upload.data)) as image:
        assert DIGITAL_SOURCE_TYPE in image.info["xmp"].decode()


def test_an_enlarged_picture_keeps_everything_it_says() -> None:
    upload = make_upload(noisy_png(), "tree", 2, 10_000_000)
    assert upload.filename == "tree.png"
    assert read_png(upload.data) == read_png(noisy_png())
