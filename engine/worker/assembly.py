"""A backend from plain settings: the model on its device, the safety checker, and the two threads of the worker."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from engine.safety import SafetyChecker, load_safety_checker
from engine.sampling.acceleration import accelerate
from engine.sampling.model import load_model
from engine.sampling.pipeline import Pipeline
from engine.sampling.profiling import IdleWork, RowProfile, machine_name
from engine.sampling.row_selection import choose_max_rows
from engine.worker.local_backend import LocalBackend


class EngineSettings(Protocol):
    """What the engine wants to know; `.env.example` explains each."""

    @property
    def model(self) -> str | None: ...
    @property
    def weights(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def low_vram(self) -> bool: ...
    @property
    def compile(self) -> bool: ...
    @property
    def cuda_graphs(self) -> bool: ...
    @property
    def max_rows(self) -> int: ...
    @property
    def reproducible(self) -> bool: ...
    @property
    def max_queue(self) -> int: ...


def make_backend(
    settings: EngineSettings, *, checker: SafetyChecker | None = None, rows_file: Path | None = None
) -> LocalBackend:
    """Slow; raises ModelUnavailable. With a `rows_file` idle moments are used to measure how many rows pay."""
    model = load_model(settings.model, weights=settings.weights, dtype=settings.dtype, device=settings.device)
    if not settings.low_vram:
        accelerate(model, compile_blocks=settings.compile)
    pipeline = Pipeline(
        model,
        reproducible=settings.reproducible,
        low_vram=settings.low_vram,
        cuda_graphs=settings.cuda_graphs,
    )
    most = choose_max_rows(settings.max_rows, reproducible=settings.reproducible)
    row_profile = RowProfile(rows_file, machine_name(pipeline), max_rows=most, fixed=settings.reproducible)
    return LocalBackend(
        model,
        load_safety_checker() if checker is None else checker,
        max_queue=settings.max_queue,
        max_rows=most,
        pipeline=pipeline,
        row_profile=row_profile,
        idle_work=None if rows_file is None else IdleWork(pipeline, row_profile),
    )
