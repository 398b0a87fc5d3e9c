"""Step-level batching: rows of different requests in one model call, and no picture the worse for it."""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from domain import SEED_LIMIT, Request
from engine.sampling.batcher import STEPS_UNTIL_RAISED, Batcher
from engine.sampling.decoding import Decoded, Decoder
from engine.sampling.model import LoadedModel
from engine.sampling.pipeline import Pipeline
from engine.sampling.profiling import RowProfile
from engine.sampling.row_selection import ROW_COUNTS
from engine.sampling.sample import InitLatents, Sample
from engine.worker.running_job import RunningJob
from tests.support.engine import make_task
from tests.support.requests import PROFILE

pytestmark = [pytest.mark.pipeline, pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")]

BASE = Request(
    prompt="1girl, smile", width=64, height=64, num_inference_steps=5, guidance_scale=6.0, scheduler="ddim", seed=7
)
SMALLEST = replace(BASE, width=32, height=32)  # for what takes many steps
MIXED = [
    replace(
        SMALLEST, scheduler=scheduler, num_inference_steps=steps, guidance_scale=scale, seed=seed, prompt=f"tree {seed}"
    )
    for seed, (scheduler, steps, scale) in enumerate(
        itertools.product(("ddim", "euler_a", "unipc", "heun"), (2, 4), (1.0, 7.5))
    )
]


class RecordingPipeline(Pipeline):
    """Remembers how many rows each call had, and fails where it is told to."""

    def __init__(self, model: LoadedModel, **options: bool) -> None:
        super().__init__(model, **options)
        self.calls: list[int] = []
        self.out_of_memory: Iterator[bool] = itertools.repeat(False)
        self.nan_rows: set[int] = set()

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
        if next(self.out_of_memory):
            raise torch.OutOfMemoryError("injected")
        self.calls.append(len(latents))
        output = super().predict(latents, timesteps, embeds)
        for row in self.nan_rows:
            output[row] = float("nan")
        return output


def job(job_id: int, user_id: int, request: Request, init: InitLatents | None = None) -> RunningJob:
    """A job as the worker hands it to the batcher."""
    made = RunningJob.of(make_task(job_id, request, user_id), PROFILE)
    made.init_latents = init
    return made


def paint(pipeline: Pipeline, requests: list[Request], *, stagger: int = 0, max_rows: int = 16) -> list[torch.Tensor]:
    """Latents of every request's first picture; with a stagger, one joins every `stagger` steps."""
    batcher = Batcher(pipeline, max_rows)
    waiting, samples = list(enumerate(requests)), list[Sample]()
    while waiting or any(not sample.is_finished for sample in samples):
        while waiting and (not stagger or len(samples) * stagger <= batcher.counters.calls or not len(batcher)):
            number, request = waiting.pop(0)
            samples.extend(own[0] for own in batcher.admit([job(number, number, request)]))
        batcher.step()
    assert all(sample.failure is None for sample in samples)
    return [sample.latents.clone() for sample in samples]


def test_a_mixed_batch_gives_everybody_the_picture_they_get_alone(tiny_model: LoadedModel) -> None:
    pipeline = Pipeline(tiny_model)
    together = paint(pipeline, MIXED)
    for request, latents in zip(MIXED[::2], together[::2], strict=True):
        (alone,) = paint(pipeline, [request])
        assert (latents - alone).abs().max() <= 1e-4


def test_reproducible_pictures_are_the_same_to_the_bit_under_any_load(tiny_model: LoadedModel) -> None:
    pipeline = Pipeline(tiny_model, reproducible=True)
    together = paint(pipeline, MIXED, stagger=2)
    for request, latents in zip(MIXED[::4], together[::4], strict=True):
        (alone,) = paint(pipeline, [request])
        assert torch.equal(latents, alone)


def test_rows_are_padded_to_fixed_counts(tiny_model: LoadedModel) -> None:
    pipeline = RecordingPipeline(tiny_model)
    paint(pipeline, MIXED[:7], stagger=1)
    assert set(pipeline.calls) <= set(ROW_COUNTS[:5])


def test_reproducible_pads_every_call_alike(tiny_model: LoadedModel) -> None:
    pipeline = RecordingPipeline(tiny_model, reproducible=True)
    paint(pipeline, MIXED[:5], stagger=1, max_rows=8)
    assert set(pipeline.calls) == {8}


def test_no_guidance_takes_one_row_and_guidance_two(tiny_model: LoadedModel) -> None:
    pipeline = RecordingPipeline(tiny_model)
    paint(pipeline, [replace(BASE, guidance_scale=1.0)])
    paint(pipeline, [BASE])
    assert pipeline.calls == [1] * 5 + [2] * 5


def test_steps_outside_the_guidance_interval_take_one_row(tiny_model: LoadedModel) -> None:
    pipeline = RecordingPipeline(tiny_model)
    paint(pipeline, [replace(BASE, num_inference_steps=10, guidance_interval=(0.2, 0.6))])
    assert pipeline.calls == [1, 1, 2, 2, 2, 2, 2, 1, 1, 1]


def test_image_number_i_is_painted_with_seed_plus_i(tiny_model: LoadedModel) -> None:
    pipeline = Pipeline(tiny_model, reproducible=True)
    batcher = Batcher(pipeline)
    (samples,) = batcher.admit([job(1, 1, replace(SMALLEST, images=3))])
    while not samples[0].is_finished:
        batcher.step()
    for number, sample in enumerate(samples):
        (alone,) = paint(pipeline, [replace(SMALLEST, seed=BASE.seed + number)])
        assert sample.seed == BASE.seed + number
        assert torch.equal(sample.latents, alone)


def test_a_removed_request_takes_no_rows_at_the_next_step(tiny_model: LoadedModel) -> None:
    pipeline = RecordingPipeline(tiny_model)
    batcher = Batcher(pipeline)
    first, second = batcher.admit([job(n, n, BASE) for n in (1, 2)])
    batcher.step()
    batcher.remove(first)
    batcher.step()
    assert pipeline.calls == [4, 2]
    assert second[0].step == 2


def test_a_removed_pictures_place_in_memory_is_used_again(tiny_model: LoadedModel) -> None:
    batcher = Batcher(Pipeline(tiny_model))
    held = batcher.admit([job(n, n, BASE) for n in range(4)])
    places = len(held[0][0].slab.state)
    for number in range(3 * places):
        batcher.remove(held.pop(0))
        held += batcher.admit([job(number, number, BASE)])
    assert len(held[0][0].slab.state) == places
    assert len({own[0].slot for own in held}) == 4


def test_guidance_moves_a_picture_in_proportion_to_its_scale(tiny_model: LoadedModel) -> None:
    scales = (1.0, 11.0, 21.0)
    requests = [replace(BASE, guidance_scale=scale, num_inference_steps=1) for scale in scales]
    unguided, once, twice = paint(Pipeline(tiny_model), requests)
    moved = (once - unguided).abs().max()
    assert moved > 1e-3
    assert (twice - unguided - 2 * (once - unguided)).abs().max() <= 0.02 * moved


def test_sizes_take_turns(tiny_model: LoadedModel) -> None:
    batcher = Batcher(Pipeline(tiny_model))
    requests = [BASE, replace(BASE, width=80), replace(BASE, height=80)]
    batcher.admit([job(n, n, request) for n, request in enumerate(requests)])
    moved = [batcher.step()[0].job_id for _ in range(6)]
    assert set(moved[:4]) == {0, 1, 2}


def test_running_out_of_memory_at_random_steps_changes_no_picture(tiny_model: LoadedModel) -> None:
    expected = paint(Pipeline(tiny_model), MIXED[:6])
    pipeline = RecordingPipeline(tiny_model)
    chance = random.Random(1)
    pipeline.out_of_memory = iter(lambda: chance.random() < 0.2, None)
    for ours, theirs in zip(paint(pipeline, MIXED[:6]), expected, strict=True):
        assert (ours - theirs).abs().max() <= 1e-4
    assert min(pipeline.calls) < 8


def test_out_of_memory_with_one_row_fails_that_job_alone(tiny_model: LoadedModel) -> None:
    pipeline = RecordingPipeline(tiny_model)
    batcher = Batcher(pipeline)
    first, second = batcher.admit([job(n, n, BASE) for n in (1, 2)])
    pipeline.out_of_memory = itertools.chain([True] * 5, itertools.repeat(False))
    (failed,) = batcher.step()
    assert failed.failure is not None
    assert "memory" in failed.failure
    batcher.remove([failed])
    left = second[0] if failed is first[0] else first[0]
    while not left.is_finished:
        batcher.step()
    assert left.failure is None


def test_rows_come_back_a_while_after_memory_ran_out(tiny_model: LoadedModel) -> None:
    pipeline = RecordingPipeline(tiny_model)
    batcher = Batcher(pipeline, 8)
    long = replace(SMALLEST, num_inference_steps=2 * STEPS_UNTIL_RAISED + 20, scheduler="ddim")
    batcher.admit([job(n, n, long) for n in range(4)])
    pipeline.out_of_memory = itertools.chain([True], itertools.repeat(False))
    for _ in range(STEPS_UNTIL_RAISED):
        batcher.step()
    assert set(pipeline.calls[1:]) == {4}
    pipeline.calls.clear()
    for _ in range(5):
        batcher.step()
    assert set(pipeline.calls) == {8}


def test_the_limit_of_rows_holds_whatever_a_profile_says(tiny_model: LoadedModel) -> None:
    pipeline = RecordingPipeline(tiny_model)
    profile = RowProfile(max_rows=16)
    size = pipeline.latent_shape(BASE)[1:]
    for rows in profile.counts:
        profile.record((size[0], size[1]), rows, 1.0 + rows / 1000)
    assert profile.best((size[0], size[1])) == 16
    batcher = Batcher(pipeline, 4, row_profile=profile)
    batcher.admit([job(n, n, BASE) for n in range(6)])
    for _ in range(4):
        batcher.step()
    assert max(pipeline.calls) == 4


@pytest.mark.parametrize("seed", [SEED_LIMIT - 1, SEED_LIMIT - 2])
def test_seeds_wrap_at_their_limit(tiny_model: LoadedModel, seed: int) -> None:
    pipeline = Pipeline(tiny_model, reproducible=True)
    batcher = Batcher(pipeline)
    (samples,) = batcher.admit([job(1, 1, replace(BASE, seed=seed, images=4))])
    assert [sample.seed for sample in samples] == [(seed + number) % SEED_LIMIT for number in range(4)]
    assert max(sample.seed for sample in samples) < SEED_LIMIT
    while not samples[0].is_finished:
        batcher.step()
    (alone,) = paint(pipeline, [replace(BASE, seed=0)])
    assert torch.equal(samples[SEED_LIMIT - seed].latents, alone)


def test_a_row_that_is_not_a_number_fails_its_sample_alone(tiny_model: LoadedModel) -> None:
    (expected,) = paint(Pipeline(tiny_model), [MIXED[2]])
    pipeline = RecordingPipeline(tiny_model)
    batcher = Batcher(pipeline)
    samples = [own[0] for own in batcher.admit([job(n, n, MIXED[n]) for n in (1, 2)])]
    pipeline.nan_rows = {0}
    moved = batcher.step()
    pipeline.nan_rows = set()
    broken = [sample for sample in moved if sample.failure]
    assert len(broken) == 1
    batcher.remove(broken)
    (left,) = [sample for sample in samples if sample not in broken]
    if left.job_id == 2:
        while not left.is_finished:
            batcher.step()
        assert (left.latents - expected).abs().max() <= 1e-4


def test_a_start_picture_is_kept_outside_the_mask(tiny_model: LoadedModel) -> None:
    pipeline = Pipeline(tiny_model)
    latents = torch.randn((4, 8, 8), generator=torch.Generator().manual_seed(3))
    mask = torch.zeros((1, 8, 8))
    mask[:, :, 4:] = 1
    request = replace(BASE, init_image=b"given", mask_image=b"given", strength=0.8, num_inference_steps=10)
    batcher = Batcher(pipeline)
    ((sample,),) = batcher.admit([job(1, 1, request, InitLatents(latents, mask))])
    assert sample.total_steps == 8
    while not sample.is_finished:
        batcher.step()
    assert torch.allclose(sample.latents[:, :, :4], latents[:, :, :4], atol=1e-5)
    assert not torch.allclose(sample.latents[:, :, 4:], latents[:, :, 4:], atol=0.1)


def test_less_strength_stays_closer_to_the_start_picture(tiny_model: LoadedModel) -> None:
    latents = torch.randn((4, 8, 8), generator=torch.Generator().manual_seed(3))
    distances: list[float] = []
    for strength in (0.2, 0.9):
        batcher = Batcher(Pipeline(tiny_model))
        request = replace(BASE, init_image=b"given", strength=strength, num_inference_steps=10)
        ((sample,),) = batcher.admit([job(1, 1, request, InitLatents(latents))])
        while not sample.is_finished:
            batcher.step()
        distances.append(float((sample.latents - latents).abs().mean()))
    assert distances[0] < distances[1]


def test_decoding_stays_within_its_budget_and_loses_nothing(tiny_model: LoadedModel) -> None:
    pipeline = Pipeline(tiny_model)
    batcher = Batcher(pipeline)
    samples = [own[0] for own in batcher.admit([job(n, n, BASE) for n in range(3)])]
    decoder = Decoder(pipeline)
    for sample in samples:
        decoder.add(sample)
    assert len(decoder.decode(0.0)) == 1
    assert len(decoder.decode(0.0)) == 1
    assert len(decoder.decode(float("inf"))) == 1
    assert len(decoder) == 0


def test_pictures_wait_for_company_but_nobodys_last_one_does(tiny_model: LoadedModel) -> None:
    pipeline = Pipeline(tiny_model)
    flood = Batcher(pipeline).admit([job(n, 1, BASE) for n in range(2)])
    (light,) = Batcher(pipeline).admit([job(9, 2, BASE)])
    decoder = Decoder(pipeline)
    for own in flood:
        decoder.add(own[0])
    assert [decoder.is_due({1, 2}) for _ in range(4)] == [False, False, False, True]
    decoder.add(light[0])
    assert decoder.is_due({1})
    assert [decoded.sample.user_id for decoded in decoder.decode(float("inf"), {1})] == [2]
    assert not decoder.is_due({1})
    assert decoder.is_due(set())
    assert len(decoder.decode(float("inf"))) == 2


def decoded_noise(pipeline: Pipeline) -> Decoded:
    """What the decoder makes of a picture that has not been painted yet."""
    ((sample,),) = Batcher(pipeline).admit([job(1, 1, BASE)])
    decoder = Decoder(pipeline)
    decoder.add(sample)
    (decoded,) = decoder.decode(float("inf"))
    return decoded


class FaultyDecoding(Pipeline):
    """Runs out of memory in the VAE until it decodes in tiles."""

    is_tiled = False

    def decode(self, latents: torch.Tensor, *, sparing: bool = False) -> torch.Tensor:
        if not self.is_tiled:
            raise torch.OutOfMemoryError("injected")
        return super().decode(latents, sparing=sparing)

    def decode_in_windows(self) -> None:
        self.is_tiled = True


def test_a_vae_out_of_memory_decodes_in_tiles(tiny_model: LoadedModel) -> None:
    pipeline = FaultyDecoding(tiny_model)
    assert decoded_noise(pipeline).image is not None
    assert pipeline.is_tiled


class Overflowing(Pipeline):
    """A VAE whose half precision gives values that are not numbers."""

    def decode(self, latents: torch.Tensor, *, sparing: bool = False) -> torch.Tensor:
        pixels = super().decode(latents, sparing=sparing)
        return pixels if self.model.vae.dtype == torch.float32 else pixels * float("nan")


def test_a_vae_that_overflows_in_half_precision_decodes_once_more_in_float32(tiny_model: LoadedModel) -> None:
    model = replace(tiny_model, vae=copy.deepcopy(tiny_model.vae).to(torch.bfloat16))
    pipeline = Overflowing(model)
    assert decoded_noise(pipeline).image is not None
    assert model.vae.dtype == torch.bfloat16


def test_low_vram_gives_the_same_picture(tiny_model: LoadedModel) -> None:
    model = replace(tiny_model, vae=copy.deepcopy(tiny_model.vae))
    (expected,), (ours,) = paint(Pipeline(tiny_model), [BASE]), paint(Pipeline(model, low_vram=True), [BASE])
    assert torch.equal(ours, expected)
