"""Upscaled pictures: enlarged as pixels, painted once more, and in windows where they are too large for the model."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from engine.request.passes import enlarged
from engine.sampling.batcher import BROKEN, WINDOW_ROWS, Batcher
from engine.sampling.enlarging import enlarge, enlarge_image
from engine.sampling.model import LoadedModel
from engine.sampling.pipeline import Pipeline
from engine.sampling.sample import TOO_LARGE, InitLatents
from engine.worker.running_job import RunningJob
from tests.support.engine import SMALL, make_task
from tests.support.sampling import paint, painted_image

pytestmark = [pytest.mark.pipeline, pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")]

UPSCALED = replace(SMALL, num_inference_steps=2, upscale=1.5)


def test_upscaling_paints_a_second_larger_pass(tiny_model: LoadedModel) -> None:
    request = replace(UPSCALED, num_inference_steps=6)
    batcher = Batcher(Pipeline(tiny_model))
    ((sample,),) = batcher.admit([RunningJob.of(make_task(request=request), tiny_model.profile)])
    steps = [sample.step]
    while not sample.is_finished:
        batcher.step()
        steps.append(sample.step)
    assert steps == list(range(9))  # 6, and 35 % of 6
    assert sample.latents.shape[-1] * 8 == enlarged(request, tiny_model.profile.unit)[0] == 96


@pytest.mark.parametrize("is_masked", [True, False])
def test_the_second_pass_keeps_the_enlarged_picture_outside_a_mask_only(
    tiny_model: LoadedModel, is_masked: bool
) -> None:
    latents = torch.randn((4, 8, 8), generator=torch.Generator().manual_seed(3))
    mask = torch.zeros((1, 8, 8))
    mask[:, :, 4:] = 1
    pipeline, init = Pipeline(tiny_model), InitLatents(latents, mask if is_masked else None)
    first = replace(SMALL, init_image=b"given", num_inference_steps=6)
    (painted,) = paint(pipeline, [first], init)
    (upscaled,) = paint(pipeline, [replace(first, upscale=1.5)], init)
    larger = enlarge(pipeline, painted.latents, (96, 96))
    assert torch.allclose(upscaled.latents[:, :, :6], larger[:, :, :6], atol=1e-5) is is_masked
    assert not torch.allclose(upscaled.latents[:, :, 6:], larger[:, :, 6:], atol=0.1)


def test_a_model_that_paints_one_size_only_has_its_pictures_enlarged(tiny_model: LoadedModel) -> None:
    demo = replace(tiny_model.profile, identity=replace(tiny_model.profile.identity, is_demo=True))
    pipeline = Pipeline(replace(tiny_model, profile=demo))
    plain, upscaled = painted_image(pipeline, replace(UPSCALED, upscale=1.0)), painted_image(pipeline, UPSCALED)
    assert (plain.size, upscaled.size) == ((64, 64), (96, 96))
    assert upscaled == enlarge_image(plain, (96, 96))


class Failing(Pipeline):
    """A VAE that does what it is told to instead of decoding."""

    fail: Callable[[torch.Tensor], torch.Tensor]

    def decode(self, latents: torch.Tensor, *, sparing: bool = False) -> torch.Tensor:
        return self.fail(super().decode(latents, sparing=sparing))


def out_of_memory(_: torch.Tensor) -> torch.Tensor:
    raise torch.OutOfMemoryError("injected")


@pytest.mark.parametrize(
    ("fail", "failure"), [(out_of_memory, TOO_LARGE), (lambda pixels: pixels * float("nan"), BROKEN)]
)
def test_a_picture_that_cannot_be_enlarged_fails_alone(
    tiny_model: LoadedModel, fail: Callable[[torch.Tensor], torch.Tensor], failure: str
) -> None:
    pipeline = Failing(tiny_model)
    pipeline.fail = fail
    requests = [UPSCALED, replace(UPSCALED, upscale=1.0, num_inference_steps=4)]
    batcher = Batcher(pipeline)
    jobs = [RunningJob.of(make_task(number, request), tiny_model.profile) for number, request in enumerate(requests)]
    (large,), (other,) = batcher.admit(jobs)
    while large.failure is None:
        batcher.step()
    assert large.failure == failure
    batcher.remove([large])
    while not other.is_finished:
        batcher.step()
    assert other.failure is None


# ---- in windows ------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_windows(tiny_model: LoadedModel) -> LoadedModel:
    """The tiny model, told that it paints 64 × 64 pixels at once and no more."""
    return replace(tiny_model, profile=replace(tiny_model.profile, max_pixels=64 * 64, window_side=64))


class Watched(Pipeline):
    """Remembers how many rows a window had, and the size of everything that UNet and VAE were given at once."""

    def __init__(self, model: LoadedModel) -> None:
        super().__init__(model)
        self.rows: set[int] = set()
        self.sides: set[int] = set()
        for part in (model.unet, model.vae.decoder):
            part.register_forward_pre_hook(self._note)

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
        if len(self.windows(latents.shape)) > 1:
            self.rows.add(len(latents))
        return super().predict(latents, timesteps, embeds)

    def _note(self, _: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self.sides.update(inputs[0].shape[-2:])


def test_a_large_second_pass_is_painted_and_decoded_in_windows_of_few_rows(small_windows: LoadedModel) -> None:
    pipeline = Watched(
        replace(small_windows, unet=copy.deepcopy(small_windows.unet), vae=copy.deepcopy(small_windows.vae))
    )
    samples = paint(pipeline, [replace(UPSCALED, seed=seed) for seed in range(2)])
    assert [tuple(sample.latents.shape) for sample in samples] == [(4, 12, 12)] * 2
    pixels = pipeline.decode(torch.stack([sample.latents for sample in samples]))
    assert pixels.shape == (2, 3, 96, 96)
    assert pipeline.rows == {WINDOW_ROWS}
    assert max(pipeline.sides) == 8


def test_a_picture_painted_in_windows_depends_on_no_other(small_windows: LoadedModel) -> None:
    neighbour, request = (replace(UPSCALED, seed=seed) for seed in range(2))
    pipeline = Pipeline(small_windows, reproducible=True)
    (alone,) = paint(pipeline, [request])
    together = paint(pipeline, [neighbour, request, replace(SMALL, seed=9)])
    assert torch.equal(together[1].latents, alone.latents)
