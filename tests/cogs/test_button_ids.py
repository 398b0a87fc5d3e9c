"""A button that carries more than its row can be made, and its custom_id is the one that its template reads."""

from __future__ import annotations

import pytest

from cogs.core.errors import RowButton
from cogs.imagine.finished import PickButton
from cogs.imagine.picture_buttons import UpscaleButton, UpscaleByButton, VaryByButton
from cogs.imagine.regions import OtherRegionButton, RegionButton, RegionFormButton


@pytest.mark.parametrize(
    ("button", "custom_id"),
    [
        (PickButton(7, 2), "job:pick:7:2"),
        (UpscaleButton(7), "job:upscale:7"),
        (UpscaleButton(7, 2), "job:upscale:7:2"),
        (UpscaleByButton(7, 2, 150), "job:upscale-by:7:2:150"),
        (VaryByButton(7, 2, 35), "job:vary-by:7:2:35"),
        (RegionButton(7, 2), "job:region:7:2"),
        (RegionFormButton(7, 2, "top-left"), "job:region-form:7:2:top-left"),
        (OtherRegionButton(7, 2), "job:region-other:7:2"),
    ],
)
def test_a_buttons_custom_id_says_everything_that_its_template_reads(button: RowButton, custom_id: str) -> None:
    assert button.custom_id == custom_id
    assert button.template.fullmatch(custom_id)
