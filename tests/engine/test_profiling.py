"""Rows are measured once for each size, in idle moments, and captured calls give the same bits."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from domain import Request
from engine.safety import FixedScores
from engine.sampling.model import LoadedModel
from engine.sampling.pipeline import Pipeline
from engine.sampling.profiling import IdleWork, RowProfile, machine_name, sizes_of
from engine.worker.assembly import make_backend
from engine.worker.local_backend import LocalBackend
from engine.worker.running_job import ignore_progress
from settings import Settings
from tests.support.engine import make_task

pytestmark = pytest.mark.pipeline

SIZE = (8, 8)
REQUEST = Request(
    prompt="1girl", width=64, height=64, num_inference_steps=3, guidance_scale=5.0, scheduler="ddim", seed=1
)


def ticks() -> Iterator[float]:
    """A clock on which every call takes a second, however many rows it has."""
    return itertools.count(0.0, 1.0)


def test_idle_work_measures_and_captures_every_size_and_then_ends(tiny_model: LoadedModel) -> None:
    pipeline, clock = Pipeline(tiny_model), ticks()
    profile = RowProfile(max_rows=4)
    work = IdleWork(pipeline, profile, lambda: next(clock))
    assert work.is_due
    while work.is_due:
        work.do_some()
    assert [profile.best(size) for size in sizes_of(pipeline)] == [4, 4, 4]
    assert not any(pipeline.can_capture(rows, size) for rows in (1, 2, 4) for size in sizes_of(pipeline))


def test_a_known_profile_leaves_only_the_capture_of_what_pays(tiny_model: LoadedModel) -> None:
    pipeline = Pipeline(tiny_model)
    (size, *_), profile = sizes_of(pipeline), RowProfile(max_rows=4)
    for rows, seconds in ((2, 1.1), (4, 2.3)):
        profile.record(size, rows, seconds)
    work = IdleWork(pipeline, profile, sizes=[size])
    while work.is_due:
        work.do_some()
    assert [pipeline.can_capture(rows, size) for rows in (1, 2, 4)] == [False, False, True]


@pytest.mark.parametrize("rows", [1, 2, 8])
def test_a_captured_call_gives_the_same_bits_for_any_input(tiny_model: LoadedModel, rows: int) -> None:
    plain, captured = Pipeline(tiny_model), Pipeline(tiny_model)
    captured.capture(rows, SIZE)
    assert not captured.can_capture(rows, SIZE)
    generator = torch.Generator().manual_seed(3)
    for _ in range(3):
        latents, _, embeds = (5 * torch.randn(one.shape, generator=generator) for one in plain.inputs(rows, SIZE))
        timesteps = torch.randint(0, 1000, (rows,), generator=generator).float()
        expected = plain.predict(latents, timesteps, embeds)
        assert torch.equal(captured.predict(latents, timesteps, embeds), expected)


def test_other_shapes_than_the_captured_ones_run_as_before(tiny_model: LoadedModel) -> None:
    plain, captured = Pipeline(tiny_model), Pipeline(tiny_model)
    captured.capture(2, SIZE)
    for rows, size in ((3, SIZE), (2, (8, 10))):
        inputs = plain.inputs(rows, size)
        assert torch.equal(captured.predict(*inputs), plain.predict(*inputs))


def test_low_memory_captures_nothing(tiny_model: LoadedModel) -> None:
    assert not Pipeline(replace(tiny_model), low_vram=True).can_capture(2, SIZE)


def test_measurements_belong_to_model_and_machine(tiny_model: LoadedModel) -> None:
    name = machine_name(Pipeline(tiny_model))
    assert tiny_model.profile.identity.sha256[:16] in name
    assert torch.__version__ in name


class WatchedIdleWork(IdleWork):
    """Tells when nothing is left to do."""

    def __init__(self, pipeline: Pipeline, profile: RowProfile) -> None:
        super().__init__(pipeline, profile)
        self.is_over = threading.Event()

    def do_some(self) -> None:
        super().do_some()
        if not self.is_due:
            self.is_over.set()


@pytest.mark.slow
def test_a_backend_measures_while_idle_and_still_paints_the_same(tiny_model: LoadedModel, tmp_path: Path) -> None:
    path, pipeline = tmp_path / "rows.json", Pipeline(tiny_model)
    profile = RowProfile(path, "here", max_rows=2)
    work = WatchedIdleWork(pipeline, profile)
    task = make_task(1, REQUEST)
    backend = LocalBackend(tiny_model, FixedScores(), pipeline=pipeline, row_profile=profile, idle_work=work)
    try:
        before = backend.submit(task, ignore_progress).result(60)
        assert work.is_over.wait(60)
        after = backend.submit(task, ignore_progress).result(60)
    finally:
        backend.close()
    assert [one.png for one in before.pictures] == [one.png for one in after.pictures]
    assert len(json.loads(path.read_text())["here"]) == len(sizes_of(pipeline))


def test_settings_become_a_backend(tiny_model_dir: Path) -> None:
    wanted = Settings(_env_file=None, model=str(tiny_model_dir), max_rows=2)  # pyright: ignore[reportCallIssue]
    backend = make_backend(wanted, checker=FixedScores())
    try:
        assert backend.profile.identity.name == tiny_model_dir.name
    finally:
        backend.close()
