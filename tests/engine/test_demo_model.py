"""The demo model paints what is asked, and its captions, vocabulary and held-out rule are what the card says."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.demo_model.attributes import (
    BACKGROUNDS,
    EYE_COLORS,
    HAIR_COLORS,
    Portrait,
    draw_portrait,
    draw_portraits,
    is_held_out,
)
from scripts.demo_model.captions import make_caption, make_prompt
from scripts.demo_model.card import BEGIN, END, write_measured
from scripts.demo_model.obedience import held_out_prompts, load_pipeline, paint
from scripts.demo_model.probe import CLASSES, IGNORED, label
from scripts.demo_model.tokens import load_tokenizer

pytestmark = pytest.mark.pipeline

FOLDER = Path(__file__).parents[2] / "models" / "demo"
SEEDS = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return load_pipeline(FOLDER)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(FOLDER / "tokenizer")


def _portrait(seed: int, **changes: Any) -> Portrait:
    portrait: Any = draw_portrait(random.Random(seed))
    return portrait | changes


def test_trained_and_held_out_combinations_never_meet() -> None:
    assert not any(is_held_out(portrait) for portrait in draw_portraits(300, seed=1))
    assert all(is_held_out(portrait) for portrait in draw_portraits(30, seed=1, held_out=True))


@settings(deadline=None)  # the machine's other work is no failure
@given(SEEDS)
def test_what_a_prompt_does_not_name_does_not_move_a_combination_between_training_and_measurement(seed: int) -> None:
    portrait = _portrait(seed)
    same = _portrait(seed, skin="000000", hairColor="123456", earrings=None, features=[])
    assert is_held_out(portrait) == is_held_out(same)


@settings(deadline=None)  # the machine's other work is no failure
@given(SEEDS)
def test_captions_name_no_eye_colour_behind_closed_eyes_or_sunglasses(seed: int) -> None:
    rng = random.Random(seed)
    colours = [f"{name} eyes" for name in EYE_COLORS]
    for hidden in ({"eyes": "closed"}, {"glasses_name": "sunglasses"}):
        caption = make_caption(_portrait(seed, **hidden), rng)
        assert not any(colour in caption for colour in colours)


@settings(deadline=None)  # the machine's other work is no failure
@given(SEEDS)
def test_a_prompt_names_hair_background_and_expression(seed: int) -> None:
    portrait = _portrait(seed, hair_style="twintails", hair_color_name="pink", background_name="red", expression="sad")
    tags = make_prompt(portrait, random.Random(seed)).split(", ")
    assert {"pink hair", "red background"} <= set(tags)
    assert {"sad", "frown"} & set(tags)
    assert {"twintails", "twin tails", "pigtails"} & set(tags)


def test_one_caption_in_ten_is_empty_so_that_guidance_has_something_to_push_away_from() -> None:
    rng = random.Random(0)
    captions = [make_caption(draw_portrait(rng), rng) for _ in range(2000)]
    assert 0.07 < captions.count("") / len(captions) < 0.13


def test_labels_are_left_out_where_the_picture_cannot_show_them() -> None:
    columns = dict(zip(CLASSES, label(_portrait(1, hair_style="bald", eyes="closed")), strict=True))
    assert columns["hair colour"] == IGNORED
    assert columns["eye colour"] == IGNORED
    assert columns["expression"] != IGNORED


def test_the_card_is_rewritten_between_its_markers_only(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text(f"above\n{BEGIN}\nold\n{END}\nbelow\n")
    write_measured(card, "new")
    assert card.read_text() == f"above\n{BEGIN}\nnew\n{END}\nbelow\n"


def test_a_card_without_markers_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("nothing measured")
    with pytest.raises(ValueError, match="no place for the measurement"):
        write_measured(tmp_path / "README.md", "new")


@settings(deadline=None)  # the machine's other work is no failure
@given(st.text(max_size=40))
def test_the_vocabulary_knows_every_byte(tokenizer: Any, text: str) -> None:
    tokens = tokenizer(text).input_ids[1:-1]
    assert tokenizer.eos_token_id not in tokens or "<|endoftext|>" in text.lower()


def test_prompts_survive_the_tokenizer_and_fit_its_window(tokenizer: Any) -> None:
    for prompt in held_out_prompts(50)[1]:
        tokens = tokenizer(prompt).input_ids
        assert len(tokens) <= tokenizer.model_max_length == 77
        assert tokenizer.decode(tokens, skip_special_tokens=True).replace(" ", "") == prompt.replace(" ", "")


def test_the_folder_is_small_and_says_what_it_predicts() -> None:
    weights = sum(path.stat().st_size for path in FOLDER.rglob("*.safetensors"))
    scheduler = json.loads((FOLDER / "scheduler" / "scheduler_config.json").read_text())
    assert weights <= 30_000_000
    assert scheduler["prediction_type"] == "v_prediction"
    assert scheduler["rescale_betas_zero_snr"]
    assert scheduler["timestep_spacing"] == "trailing"


def test_card_and_notice_credit_the_designer() -> None:
    for name in ("README.md", "NOTICE"):
        text = (FOLDER / name).read_text()
        assert "Lisa Wischofsky" in text
        assert "CC BY 4.0" in text


def test_paints_the_hair_and_the_background_that_are_asked_for(pipeline: Any) -> None:
    asked = list(zip(HAIR_COLORS, [*list(BACKGROUNDS)[5:], *list(BACKGROUNDS)[:5]], strict=True)) * 2
    styles = ["long hair", "bob cut", "bun", "ponytail"]
    prompts = [
        f"1girl, {hair} hair, {styles[i % 4]}, smile, {background} background"
        for i, (hair, background) in enumerate(asked)
    ]
    pictures = paint(pipeline, prompts, first_seed=1, steps=12)
    corners = [_nearest(picture[:, 1:6, 1:6].mean((1, 2)), BACKGROUNDS) for picture in pictures]
    crowns = [_dominant(picture[:, 24:36, 46:76], HAIR_COLORS) for picture in pictures]
    assert sum(corner == background for corner, (_, background) in zip(corners, asked, strict=True)) >= 23, corners
    assert sum(crown == hair for crown, (hair, _) in zip(crowns, asked, strict=True)) >= 22, crowns


def test_a_seed_is_a_picture_and_another_seed_another(pipeline: Any) -> None:
    prompts = ["1girl, green hair, short hair, pink background"]
    one, same, other = (paint(pipeline, prompts, first_seed=seed, steps=6) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert float((one - other).abs().mean()) > 0.02


def test_repaints_a_picture_into_another_background(pipeline: Any) -> None:
    import diffusers

    classes: Any = diffusers
    repainter = classes.StableDiffusionImg2ImgPipeline(**pipeline.components, requires_safety_checker=False)
    repainter.set_progress_bar_config(disable=True)
    before = paint(pipeline, ["1girl, blue hair, long hair, white background"], first_seed=3, steps=8)
    after = repainter(
        "1girl, blue hair, long hair, black background",
        image=before / 2 + 0.5,
        strength=0.9,
        num_inference_steps=12,
        guidance_scale=4.0,
        generator=torch.Generator().manual_seed(3),
        output_type="pt",
    ).images
    assert after.shape == before.shape
    assert _nearest(after[0, :, 1:6, 1:6].mean((1, 2)) * 2 - 1, BACKGROUNDS) == "black"


def _colors(palette: dict[str, str]) -> torch.Tensor:
    """(names, 3) in [-1, 1]."""
    return torch.tensor([list(bytes.fromhex(color)) for color in palette.values()]) / 127.5 - 1


def _nearest(color: torch.Tensor, palette: dict[str, str]) -> str:
    return list(palette)[int(((_colors(palette) - color) ** 2).sum(1).argmin())]


def _dominant(area: torch.Tensor, palette: dict[str, str]) -> str:
    """The palette's colour to which most pixels of a (3, h, w) area are nearest."""
    distances = torch.cdist(area.flatten(1).T, _colors(palette))
    return list(palette)[int(distances.argmin(1).mode().values)]
