"""The random models are real ones: right sizes, seeded, loadable by stock diffusers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine.request.tokenizer import clip_tokenizer
from scripts.random_model import SIZES, build_random_model, hyperparameters

pytestmark = pytest.mark.pipeline


def test_the_same_seed_gives_the_same_weights(tmp_path: Path):
    weights = [
        load_file(build_random_model(tmp_path / name, seed=seed) / "unet" / "diffusion_pytorch_model.safetensors")
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert any(not torch.equal(weights[0][key], weights[2][key]) for key in weights[0])


def test_building_a_model_leaves_the_global_random_state_alone(tmp_path: Path):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    build_random_model(tmp_path)
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize(("size", "millions"), [("tiny", 0.8), ("mid", 22.6), ("sd14-random", 859.5)])
def test_sizes_have_the_parameters_they_claim(size: str, millions: float):
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from engine.checkpoint.hyperparameters import unet_config

    with torch.device("meta"):
        unet = UNet2DConditionModel(**unet_config(SIZES[size]))
    assert sum(weight.numel() for weight in unet.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


@pytest.mark.parametrize("size", SIZES)
def test_every_attention_head_is_at_least_32_wide(size: str):
    numbers = SIZES[size]
    if numbers.num_head_channels > 0:
        assert numbers.num_head_channels >= 32
    else:
        assert min(numbers.unet_widths) // numbers.num_heads >= 32


def test_stock_diffusers_paints_with_a_random_model(tmp_path: Path):
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

    folder = build_random_model(tmp_path, prediction_type="v_prediction")
    pipeline = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    result: Any = pipeline("1girl, smile", height=64, width=64, num_inference_steps=2)
    assert result.images[0].size == (64, 64)
    assert pipeline.scheduler.config.prediction_type == "v_prediction"


def test_prediction_type_reaches_the_scheduler_configuration():
    assert hyperparameters("tiny").parameterization == "eps"
    assert hyperparameters("tiny", "v_prediction").parameterization == "v"


def test_the_tokenizer_is_clips_own():
    tokenizer = clip_tokenizer()
    assert len(tokenizer) == 49408
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert tokenizer.pad_token_id == 49407
    assert tokenizer.model_max_length == 77
