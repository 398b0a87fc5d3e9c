"""Large pictures window by window: everything is covered, and nothing shows where windows meet."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.request.windows import OVERLAP, tiles_of, windows_of
from engine.sampling.model import load_model
from engine.sampling.pipeline import Pipeline
from engine.sampling.shared_norms import SharedNorms
from engine.sampling.windows import run_alike_in_windows, run_in_windows
from tests.support.engine import SMALL
from tests.support.sampling import paint

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


def test_norms_are_left_as_they_were_after_an_error() -> None:
    network = torch.nn.Sequential(torch.nn.GroupNorm(1, 2))
    norms = SharedNorms(network)
    with norms.measured():
        network(torch.randn(1, 2, 4, 4))
    with pytest.raises(KeyError), norms.shared():
        raise KeyError
    inputs = torch.randn(1, 2, 8, 8)
    torch.testing.assert_close(network(inputs), torch.nn.functional.group_norm(inputs, 1))


# ---- the real networks -----------------------------------------------------------------------------------------------


def psnr(one: torch.Tensor, other: torch.Tensor) -> float:
    """Of pixels in -1…1, in dB."""
    return float(-10 * ((one.clamp(-1, 1) - other.clamp(-1, 1)) / 2).square().mean().log10())


@pytest.fixture(scope="module")
def four_heads() -> tuple[Pipeline, torch.Tensor]:
    """The demo model, and the latents [1, 4, 32, 32] of four of its pictures laid side by side."""
    pipeline = Pipeline(load_model(None, device="cpu"))
    request = replace(SMALL, width=128, height=128, num_inference_steps=8, guidance_scale=4.0)
    prompts = ("1girl, pink hair, blue background", "1boy, green eyes", "1girl, glasses", "1girl, twintails")
    requests = [replace(request, prompt=prompt, seed=seed) for seed, prompt in enumerate(prompts)]
    one, two, three, four = (sample.latents for sample in paint(pipeline, requests))
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
