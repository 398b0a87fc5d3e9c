"""Named regions: where the mask is white, that the pipeline reads it so, and what the preview shows."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from domain.regions import Region
from engine.images.metadata import XMP
from engine.images.regions import MAX_PREVIEW_SIDE, draw_region, region_mask, region_preview
from engine.request.init_image import read_mask

SIZE = (320, 200)
# A point of each region that belongs to no other but the background.
POINTS = {
    Region.TOP_LEFT: (0, 0),
    Region.TOP: (160, 0),
    Region.TOP_RIGHT: (319, 0),
    Region.LEFT: (0, 100),
    Region.CENTRE: (160, 100),
    Region.RIGHT: (319, 100),
    Region.BOTTOM_LEFT: (0, 199),
    Region.BOTTOM: (160, 199),
    Region.BOTTOM_RIGHT: (319, 199),
}


def picture(size: tuple[int, int], xmp: str = "") -> bytes:
    info, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
    info.add_itxt(XMP, xmp)
    Image.new("RGB", size, (40, 90, 40)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


@pytest.mark.parametrize("region", POINTS)
def test_a_region_is_white_in_its_own_place_alone(region: Region) -> None:
    mask = draw_region(region, SIZE)
    assert [name for name, point in POINTS.items() if mask.getpixel(point) == 255] == [region]


def test_the_background_is_everything_but_the_centre() -> None:
    centre, background = (np.asarray(draw_region(one, SIZE)) for one in (Region.CENTRE, Region.BACKGROUND))
    assert (centre ^ background == 255).all()


def test_the_nine_regions_leave_no_gap_between_them() -> None:
    masks = [np.asarray(draw_region(region, SIZE)) for region in POINTS]
    assert np.maximum.reduce(masks).min() == 255


@pytest.mark.parametrize("size", [(64, 64), (512, 768), (768, 512)])
@pytest.mark.parametrize("region", Region)
def test_the_pipeline_paints_in_every_region_and_keeps_the_rest(region: Region, size: tuple[int, int]) -> None:
    painted = read_mask(region_mask(region, size), size, 8).mean().item()
    wanted = np.asarray(draw_region(region, size)).mean() / 255
    assert painted == pytest.approx(wanted, abs=0.1)
    assert 0.05 < painted < 0.95


def test_a_preview_tints_the_region_and_leaves_the_rest_as_it_was() -> None:
    preview = Image.open(io.BytesIO(region_preview(picture(SIZE), Region.RIGHT))).convert("RGB")
    before = np.array([40, 90, 40])
    tinted, kept = (np.asarray(preview)[y, x].astype(int) for x, y in ((300, 100), (60, 100)))
    assert preview.size == SIZE
    assert np.abs(tinted - before).max() > 60
    assert np.abs(kept - before).max() < 10


def test_a_preview_of_a_small_picture_is_enlarged_and_of_a_large_one_bounded() -> None:
    small = Image.open(io.BytesIO(region_preview(picture((64, 96)), Region.TOP, 4)))
    large = Image.open(io.BytesIO(region_preview(picture((1536, 1024)), Region.TOP, 4)))
    assert small.size == (256, 384)
    assert large.size == (MAX_PREVIEW_SIDE, MAX_PREVIEW_SIDE * 2 // 3 + 1)


def test_a_preview_still_says_that_a_machine_made_it() -> None:
    preview = region_preview(picture(SIZE, "<x:xmpmeta>trainedAlgorithmicMedia</x:xmpmeta>"), Region.TOP)
    assert b"trainedAlgorithmicMedia" in preview
