"""What a training run is told, and how a stage is started in its processes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.multiprocessing.spawn import spawn

from scripts.demo_model.parallel import process_group


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the run lives, how many pictures it draws and how many minutes each stage trains."""

    folder: Path
    pictures: int = 30_000
    autoencoder_minutes: float = 15.0
    diffusion_minutes: float = 60.0
    decoder_minutes: float = 20.0
    processes: int = 2
    seed: int = 5

    def checkpoint(self, stage: str) -> Path:
        """The stage's file; it exists from its first save on."""
        return self.folder / f"{stage}.pt"


@dataclass(frozen=True, slots=True)
class Worker:
    """One process of a stage."""

    rank: int
    world: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process prints and saves."""
        return self.rank == 0


Stage = Callable[[Plan, Worker], None]


def is_finished(plan: Plan, stage: str) -> bool:
    """Whether the stage's checkpoint says that its time is over."""
    path = plan.checkpoint(stage)
    return path.is_file() and bool(load_state(path).get("finished"))


def load_state(path: Path) -> dict[str, Any]:
    """A checkpoint of ours: tensors and plain values only."""
    return torch.load(path, map_location="cpu", weights_only=True)


def run_stage(stage: Stage, plan: Plan, port: int) -> None:
    """Run a stage on the GPU if there is one, else in `plan.processes` single-threaded processes."""
    world = 1 if torch.cuda.is_available() else plan.processes
    os.environ["OMP_WAIT_POLICY"] = "passive"  # spinning threads starve each other on shared cores
    if world == 1:
        _enter(0, stage, plan, 1, port)
    else:
        os.environ["OMP_NUM_THREADS"] = "1"
        spawn(_enter, (stage, plan, world, port), nprocs=world)


def _enter(rank: int, stage: Stage, plan: Plan, world: int, port: int) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(plan.seed)
    with process_group(rank, world, port):
        stage(plan, Worker(rank, world, device))
