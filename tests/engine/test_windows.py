"""Large pictures window by window: everything is covered, nothing shows where windows meet, nobody sees neighbours."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from domain import Request
from engine.request.windows import OVERLAP, tiles_of, windows_of
from engine.sampling.batcher import WINDOW_ROWS, Batcher
from engine.sampling.model import LoadedModel, load_model
from engine.sampling.pipeline import Pipeline
from engine.sampling.sample import Sample
from engine.sampling.shared_norms import SharedNorms
from engine.sampling.windows import run_alike_in_windows, run_in_windows
from engine.worker.running_job import RunningJob
from tests.support.engine import make_task

pytestmark = [pytest.mark.pipeline, pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")]

sides = st.integers(8, 200)


@given(sides, sides, st.integers(8, 64))
def test_windows_cover_everything_overlap_and_are_equally_large(height: int, width: int, side: int) -> None:
    seen = torch.zeros(height, width)
    windows = windows_of(height, width, side)
    for top, left, tall, wide in windows:
        assert (tall, wide) == (min(height, side), min(width, side))
        seen[top : top + tall, left : left + wide] += 1
    assert seen.min() >= 1
    assert seen.shape == (height, width)
    lefts = sorted({window.left for window in windows})
    assert all(after - before <= side - int(side * OVERLAP) for before, after in pairwise(lefts))


@given(sides, sides, st.integers(8, 64))
def test_tiles_cover_everything_once(height: int, width: int, side: int) -> None:
    seen = torch.zeros(height, width)
    for top, left, tall, wide in tiles_of(height, width, side):
        seen[top : top + tall, left : left + wide] += 1
    assert torch.equal(seen, torch.ones(height, width))


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_what_windows_agree_on_is_left_as_it_is(factor: float) -> None:
    inputs = torch.arange(2 * 40 * 56, dtype=torch.float32).view(1, 2, 40, 56)

    def network(part: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.interpolate(part, scale_factor=factor, mode="nearest") + 1

    torch.testing.assert_close(run_in_windows(network, inputs, windows_of(40, 56, 16)), network(inputs))


def test_shared_norms_are_those_of_the_whole_and_gone_afterwards() -> None:
    norm = torch.nn.GroupNorm(2, 4)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    inputs = torch.randn((1, 4, 24, 24), generator=torch.Generator().manual_seed(0)).cumsum(-1)
    whole = norm(inputs)
    windows = windows_of(24, 24, 16)
    torch.testing.assert_close(run_alike_in_windows(norm, norm, inputs, windows), whole)
    assert (run_in_windows(norm, inputs, windows) - whole).abs().max() > 0.1
    assert torch.equal(norm(inputs), whole)


# ---- the real networks -----------------------------------------------------------------------------------------------


def psnr(one: torch.Tensor, other: torch.Tensor) -> float:
    """Of pixels in -1…1, in dB."""
    return float(-10 * ((one.clamp(-1, 1) - other.clamp(-1, 1)) / 2).square().mean().log10())


@pytest.fixture(scope="module")
def four_heads() -> tuple[Pipeline, torch.Tensor]:
    """The demo model, and the latents [1, 4, 32, 32] of four of its pictures laid side by side."""
    pipeline = Pipeline(load_model(None, device="cpu"))
    request = replace(BASE, width=128, height=128, num_inference_steps=8, guidance_scale=4.0)
    prompts = ("1girl, pink hair, blue background", "1boy, green eyes", "1girl, glasses", "1girl, twintails")
    requests = [replace(request, prompt=prompt, seed=seed) for seed, prompt in enumerate(prompts)]
    one, two, three, four = (sample.latents for sample in finished(pipeline, requests))
    return pipeline, torch.cat([torch.cat([one, two], 2), torch.cat([three, four], 2)], 1)[None]


def test_no_seam_shows_where_decoded_windows_meet(four_heads: tuple[Pipeline, torch.Tensor]) -> None:
    pipeline, latents = four_heads
    vae, windows = pipeline.model.vae, windows_of(32, 32, 24)

    def network(part: torch.Tensor) -> torch.Tensor:
        return vae.decode(part / pipeline.scaling, return_dict=False)[0]

    with torch.inference_mode():
        whole = network(latents)
        alike = run_alike_in_windows(network, vae.decoder, latents, windows)
        each_its_own = run_in_windows(network, latents, windows)
    assert psnr(alike, whole) > 37
    assert psnr(alike, whole) > psnr(each_its_own, whole) + 1


# ---- the second pass -------------------------------------------------------------------------------------------------

BASE = Request(
    prompt="1girl, smile", width=64, height=64, num_inference_steps=2, guidance_scale=6.0, scheduler="ddim", seed=7
)


@pytest.fixture
def small_windows(tiny_model: LoadedModel) -> LoadedModel:
    """The tiny model, told that it paints 64 × 64 pixels at once and no more."""
    return replace(tiny_model, profile=replace(tiny_model.profile, max_pixels=64 * 64, window_side=64))


def finished(pipeline: Pipeline, requests: list[Request]) -> list[Sample]:
    """Every request's only sample, painted together."""
    batcher, profile = Batcher(pipeline, max_rows=4), pipeline.model.profile
    jobs = [RunningJob.of(make_task(number, request, number), profile) for number, request in enumerate(requests)]
    samples = [own[0] for own in batcher.admit(jobs)]
    while not all(sample.is_finished for sample in samples):
        batcher.step()
    assert not any(sample.failure for sample in samples)
    return samples


class Watched(Pipeline):
    """Remembers the shape of everything that UNet and VAE were given at once."""

    def __init__(self, model: LoadedModel) -> None:
        super().__init__(model)
        self.rows: list[int] = []
        self.sizes: set[tuple[int, int]] = set()
        for part in (model.unet, model.vae.decoder):
            part.register_forward_pre_hook(self._note)

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
        if len(self.windows(latents.shape)) > 1:
            self.rows.append(len(latents))
        return super().predict(latents, timesteps, embeds)

    def _note(self, _: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self.sizes.add((inputs[0].shape[-2], inputs[0].shape[-1]))


def test_a_large_second_pass_is_painted_and_decoded_in_windows_of_few_rows(small_windows: LoadedModel) -> None:
    pipeline = Watched(
        replace(small_windows, unet=copy.deepcopy(small_windows.unet), vae=copy.deepcopy(small_windows.vae))
    )
    samples = finished(pipeline, [replace(BASE, upscale=1.5, seed=seed) for seed in range(2)])
    assert [tuple(sample.latents.shape) for sample in samples] == [(4, 12, 12)] * 2
    pixels = pipeline.decode(torch.stack([sample.latents for sample in samples]))
    assert pixels.shape == (2, 3, 96, 96)
    assert set(pipeline.rows) == {WINDOW_ROWS}
    assert max(pipeline.sizes) == (8, 8)


def test_a_picture_painted_in_windows_depends_on_no_other(small_windows: LoadedModel) -> None:
    neighbour, request = (replace(BASE, upscale=1.5, seed=seed) for seed in range(2))
    pipeline = Pipeline(small_windows, reproducible=True)
    (alone,) = finished(pipeline, [request])
    together = finished(pipeline, [neighbour, request, replace(BASE, seed=9)])
    assert torch.equal(together[1].latents, alone.latents)


def test_norms_are_left_as_they_were_after_an_error() -> None:
    network = torch.nn.Sequential(torch.nn.GroupNorm(1, 2))
    norms = SharedNorms(network)
    with norms.measured():
        network(torch.randn(1, 2, 4, 4))
    with pytest.raises(KeyError), norms.shared():
        raise KeyError
    inputs = torch.randn(1, 2, 8, 8)
    torch.testing.assert_close(network(inputs), torch.nn.functional.group_norm(inputs, 1))
