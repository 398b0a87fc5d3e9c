"""Requests that can't be painted are refused with one clear sentence, whatever is in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import InvalidRequest
from engine.request.presets import PRESETS, apply_preset
from engine.request.prompt import TokenReport
from engine.request.validation import validate
from tests.support.requests import PROFILE
from tests.support.requests import USUAL_REQUEST as GOOD

SHORT = TokenReport(3, 75, "")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompt": "  "}, "prompt is empty"),
        ({"width": 500}, "multiple of 64, and 500 is not; 448 or 512 would do"),
        ({"height": 128}, "from 256 to 1024"),
        ({"width": 1024, "height": 1024}, "more than this model paints at once"),
        ({"scheduler": "magic"}, "There is no scheduler 'magic'. There are: ddim, euler"),
        ({"num_inference_steps": 0}, "Steps go from 1 to 100"),
        ({"guidance_scale": 0.5}, "guidance scale goes from 1 to 30"),
        ({"guidance_scale": float("nan")}, "guidance scale goes from 1 to 30"),
        ({"guidance_interval": (0.7, 0.1)}, "guidance interval"),
        ({"seed": -1}, "seed is a whole number"),
        ({"seed": 2**32}, "seed is a whole number"),
        ({"images": 5}, "1 to 4 pictures"),
        ({"clip_skip": 3}, "Clip skip is 1 or 2"),
        ({"strength": 0.0}, "strength goes from above 0"),
        ({"upscale": 2.5}, "upscale factor goes from 1 to 2"),
        (
            {"upscale": 2.0, "width": 768, "height": 768},
            "1536×1536, more than upscaled pictures may have (1,769",
        ),
        ({"mask_image": b"x"}, "mask needs a start picture"),
    ],
)
def test_what_can_not_be_painted_is_said_in_one_sentence(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        validate(replace(GOOD, **change), PROFILE, SHORT, SHORT)
    assert words in str(caught.value)


def test_a_good_request_passes() -> None:
    validate(GOOD, PROFILE, SHORT, SHORT)
    validate(replace(GOOD, upscale=1.5, images=4, guidance_scale=1.0), PROFILE, SHORT, SHORT)
    validate(replace(GOOD, width=512, height=768, upscale=2.0), PROFILE, SHORT, SHORT)


def test_too_many_tokens_are_counted_and_shown() -> None:
    with pytest.raises(InvalidRequest, match=r"has 300 tokens.*225 at most.*the rest of it"):
        validate(GOOD, PROFILE, TokenReport(300, 75, "the rest of it"), SHORT)
    with pytest.raises(InvalidRequest, match="negative prompt has 300"):
        validate(GOOD, PROFILE, SHORT, TokenReport(300, 75, "the rest of it"))


@given(
    st.integers(-10, 5000), st.integers(-10, 5000), st.integers(-5, 500), st.floats(), st.integers(), st.floats(),
    st.floats(), st.tuples(st.floats(), st.floats()),
)  # fmt: skip
def test_what_is_outside_the_limits_never_passes(
    width: int, height: int, steps: int, scale: float, seed: int, strength: float, upscale: float,
    interval: tuple[float, float],
) -> None:  # fmt: skip
    request = replace(
        GOOD, width=width, height=height, num_inference_steps=steps, guidance_scale=scale, seed=seed, strength=strength,
        upscale=upscale, guidance_interval=interval,
    )  # fmt: skip
    is_fine = (
        width % 64 == height % 64 == 0
        and 256 <= min(width, height) <= max(width, height) <= 1024
        and width * height <= PROFILE.max_pixels
        and 1 <= steps <= 100
        and 1 <= scale <= 30
        and 0 <= seed < 2**32
        and 0 < strength <= 1
        and 1 <= upscale <= 2
        and 0 <= interval[0] <= interval[1] <= 1
    )
    if not is_fine:
        with pytest.raises(InvalidRequest):
            validate(request, PROFILE, SHORT, SHORT)


def test_presets_set_what_they_say_and_explicit_values_win() -> None:
    fast = apply_preset(GOOD, "fast")
    assert fast.preset == "fast"
    assert fast.num_inference_steps < 20
    assert fast.guidance_interval != (0.0, 1.0)
    faithful = apply_preset(GOOD, "faithful", steps=30)
    assert (faithful.num_inference_steps, faithful.scheduler) == (30, "pndm")
    assert apply_preset(GOOD, None) == GOOD
    with pytest.raises(InvalidRequest, match=", ".join(PRESETS)):
        apply_preset(GOOD, "magic")
