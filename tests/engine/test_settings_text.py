"""The one line of settings in the form: read back as it was written, and clear about what it does not know."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import SEED_LIMIT, InvalidRequest
from engine.request.presets import PRESETS, apply_preset
from engine.request.schedulers import SCHEDULERS
from engine.request.settings_text import read_settings, write_settings
from tests.support.requests import REQUEST

SHAPES = {"portrait": (128, 192), "square": (128, 128)}


@given(
    scheduler=st.sampled_from(sorted(SCHEDULERS)),
    seed=st.integers(0, SEED_LIMIT - 1),
    steps=st.integers(1, 150),
    guidance=st.integers(4, 120),
    preset=st.sampled_from([None, *PRESETS]),
    has_start=st.booleans(),
)
def test_what_was_written_is_read_back(
    scheduler: str, seed: int, steps: int, guidance: int, preset: str | None, has_start: bool
) -> None:
    request = replace(
        apply_preset(REQUEST, preset),
        scheduler=scheduler,
        seed=seed,
        num_inference_steps=steps,
        guidance_scale=guidance / 4,
        upscale=1.5,
        images=3,
        init_image=b"x" if has_start else None,
        strength=0.35 if has_start else REQUEST.strength,
    )
    assert read_settings(write_settings(request), request, SHAPES) == request
    other = replace(REQUEST, preset=request.preset, guidance_interval=request.guidance_interval)
    assert read_settings(write_settings(request), replace(other, init_image=request.init_image), SHAPES) == replace(
        request, prompt=REQUEST.prompt
    )


def test_a_new_preset_brings_its_steps_and_scheduler_unless_the_line_changes_them() -> None:
    line = write_settings(REQUEST).replace("Preset: none", "Preset: faithful")
    assert read_settings(line, REQUEST, SHAPES).num_inference_steps == PRESETS["faithful"].num_inference_steps
    changed = line.replace(f"Steps: {REQUEST.num_inference_steps}", "Steps: 7")
    found = read_settings(changed, REQUEST, SHAPES)
    assert (found.num_inference_steps, found.preset) == (7, "faithful")
    back = read_settings(write_settings(found).replace("Preset: faithful", "Preset: none"), found, SHAPES)
    assert (back.preset, back.guidance_interval) == (None, (0.0, 1.0))


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("Steps: 5", "num_inference_steps", 5),
        ("CFG scale: 3.5", "guidance_scale", 3.5),
        ("sampler = dpm++ 2m karras", "scheduler", "dpm++2m_karras"),
        ("Size: portrait", "height", 192),
        ("Size: 64 × 96", "width", 64),
        ("Denoising strength: 0.4\nSteps: 9", "strength", 0.4),
        ("  ,, ", "seed", REQUEST.seed),
    ],
)
def test_settings_are_read_by_their_usual_names(line: str, name: str, value: object) -> None:
    assert getattr(read_settings(line, REQUEST, SHAPES), name) == value


@pytest.mark.parametrize("value", ["", "-1", "random", "NEW"])
def test_an_empty_seed_is_a_new_one(value: str) -> None:
    seeds = {read_settings(f"Seed: {value}", REQUEST, SHAPES).seed for _ in range(4)}
    assert len(seeds) > 1


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("Stps: 5", "Did you mean steps"),
        ("Mood: happy", "There is no setting “Mood”"),
        ("twenty", "is no setting"),
        ("Steps: many", "takes a whole number"),
        ("Guidance: x", "takes a number"),
        ("Size: huge", "is no size"),
        ("Seed: 99999999999", "A seed is a whole number"),
        ("Seed: ٣", "A seed is a whole number"),
    ],
)
def test_what_is_no_setting_is_said(line: str, sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        read_settings(line, REQUEST, SHAPES)
