"""Training on few CPU cores: one single-threaded process a core, gradients averaged once a step, a shared clock.

Two processes of one thread beat one process of two: a barrier in every operator costs more than one all-reduce a step.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn


@contextmanager
def process_group(rank: int, world: int, port: int) -> Iterator[None]:
    """Join `world` processes on the loopback for the duration; one process needs no group."""
    torch.set_num_threads(1 if world > 1 else max(1, torch.get_num_threads()))
    if world > 1:
        distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=world)
    try:
        yield
    finally:
        if world > 1:
            distributed.destroy_process_group()


def average_gradients(parameters: Sequence[nn.Parameter], world: int) -> None:
    """Replace every gradient by its mean over the processes, in one message."""
    if world == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= world
    for gradient, mean in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


class Clock:
    """The share of a stage's wall time that is spent, agreed between the processes; a resumed stage counts on."""

    def __init__(self, minutes: float, world: int, spent_seconds: float = 0.0) -> None:
        self.seconds = minutes * 60
        self.world = world
        self.started = time.monotonic() - spent_seconds

    @property
    def spent_seconds(self) -> float:
        """Seconds since the stage began, without interruptions."""
        return time.monotonic() - self.started

    def fraction(self) -> float:
        """0 at the start of the stage, 1 or more at its end; the same number in every process."""
        share = torch.tensor([self.spent_seconds / self.seconds])
        if self.world > 1:
            distributed.broadcast(share, 0)
        return float(share)


def save_atomically(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint so that an interrupted write leaves the old one."""
    fresh = path.with_suffix(".new")
    torch.save(state, fresh)
    os.replace(fresh, path)
