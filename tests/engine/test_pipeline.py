"""The stages of painting, against stock diffusers and by themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from domain import Request
from engine.request.schedulers import SCHEDULERS
from engine.sampling.batcher import Batcher
from engine.sampling.model import LoadedModel
from engine.sampling.pipeline import Pipeline, to_images
from engine.sampling.sample import Sample
from engine.worker.running_job import RunningJob
from scripts.benchmark.baselines import Stock
from tests.support.engine import make_task
from tests.support.requests import PROFILE

pytestmark = [pytest.mark.pipeline, pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")]

BASE = Request(
    prompt="1girl, pink hair, smile", width=64, height=64, num_inference_steps=6, guidance_scale=6.0, scheduler="ddim",
    seed=7, negative_prompt="lowres",
)  # fmt: skip


def pixels(pipeline: Pipeline, *requests: Request) -> list[torch.Tensor]:
    """Pixels in 0…1 [3, h, w] of requests painted together; first pictures only."""
    batcher = Batcher(pipeline)
    jobs = [RunningJob.of(make_task(number, request, number), PROFILE) for number, request in enumerate(requests)]
    samples = [own[0] for own in batcher.admit(jobs)]
    finish(batcher, samples)
    return [(pipeline.decode(sample.latents[None])[0] / 2 + 0.5).clamp(0, 1) for sample in samples]


def finish(batcher: Batcher, samples: list[Sample]) -> None:
    while any(not sample.is_finished for sample in samples):
        batcher.step()


@pytest.fixture(scope="module")
def pipeline(tiny_model: LoadedModel) -> Pipeline:
    return Pipeline(tiny_model)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_pictures_equal_stock_diffusers(pipeline: Pipeline, tiny_model: LoadedModel, scheduler: str) -> None:
    requests = [replace(BASE, scheduler=scheduler, seed=seed, guidance_scale=4.0 + seed) for seed in (1, 2)]
    for request, ours in zip(requests, pixels(pipeline, *requests), strict=True):
        (stock,) = Stock(tiny_model).paint([request])
        assert np.abs(ours.permute(1, 2, 0).numpy() - stock).max() <= 1e-4


def test_a_zero_terminal_snr_model_gives_finite_pictures_with_every_scheduler(tiny_model: LoadedModel) -> None:
    config: dict[str, Any] = tiny_model.scheduler_config | {
        "prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing",
    }  # fmt: skip
    model = replace(tiny_model, scheduler_config=config)
    pictures = pixels(Pipeline(model), *(replace(BASE, scheduler=name) for name in SCHEDULERS))
    assert all(torch.isfinite(picture).all() for picture in pictures)


def test_texts_are_encoded_together_once_and_give_the_same_as_alone(tiny_model: LoadedModel) -> None:
    calls: list[int] = []

    def count(_module: object, arguments: tuple[torch.Tensor, ...]) -> None:
        calls.append(len(arguments[0]))

    hook = tiny_model.text_encoder.register_forward_pre_hook(count)
    try:
        requests = [replace(BASE, prompt=f"tree {number}") for number in range(3)]
        together = Pipeline(tiny_model)
        embeds = together.encode_prompts(requests)
        assert calls == [4]  # three prompts and their common negative prompt
        again = together.encode_prompts(requests)
        assert calls == [4]
        (alone,) = Pipeline(tiny_model).encode_prompts(requests[1:2])
    finally:
        hook.remove()
    assert torch.equal(again[1], embeds[1])
    assert (embeds[1] - alone).abs().max() <= 1e-5


def test_a_long_prompt_takes_more_windows_and_changes_the_picture(pipeline: Pipeline) -> None:
    long = replace(BASE, prompt="tree, " * 60)
    (embeds,) = pipeline.encode_prompts([long])
    assert embeds.shape[1] > 77
    assert embeds.shape[1] % 77 == 0


def test_clip_skip_changes_the_embeddings(pipeline: Pipeline) -> None:
    first, second = pipeline.encode_prompts([BASE, replace(BASE, clip_skip=2)])
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("largest_decoder", [0, 10**9], ids=["linear map", "own decoder"])
def test_preview_is_small_and_roughly_like_the_picture(
    tiny_model: LoadedModel, monkeypatch: pytest.MonkeyPatch, largest_decoder: int
) -> None:
    monkeypatch.setattr("engine.sampling.pipeline.LARGEST_PREVIEW_DECODER", largest_decoder)
    pipeline = Pipeline(tiny_model)
    preview = pipeline.preview(pipeline.encode_image(Image.new("RGB", (64, 64), (200, 60, 40))))
    assert max(preview.size) <= 256
    assert preview.width == preview.height


def test_a_small_decoder_draws_the_preview_that_the_picture_will_be(pipeline: Pipeline) -> None:
    latents = pipeline.encode_image(Image.linear_gradient("L").resize((64, 64)))
    preview = np.asarray(pipeline.preview(latents).resize((64, 64), Image.Resampling.BOX), dtype=float)
    finished = np.asarray(to_images(pipeline.decode(latents[None]))[0], dtype=float)
    assert np.abs(preview - finished).mean() < 8


def test_pixels_become_pictures_without_wrapping_around() -> None:
    (image,) = to_images(torch.tensor([-3.0, 0.0, 3.0]).view(1, 3, 1, 1))
    assert image.getpixel((0, 0)) == (0, 128, 255)
