"""The training loop: steps over all processes, the schedule of the learning rate, the moving average of the weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import nn
from tqdm import tqdm

from scripts.demo_model.parallel import Clock, average_gradients
from scripts.demo_model.plan import Worker


class Resumable(Protocol):
    """A trainer that counts its steps and can be saved."""

    step: int

    def save(self, spent: float, *, finished: bool) -> None: ...


def train_until(
    clock: Clock, trainer: Resumable, worker: Worker, name: str, take_step: Callable[[float], float], save_every: int
) -> None:
    """Take steps until the clock's time is spent, saved every `save_every` steps and at the end.

    `take_step` gets the share of the time that is spent and returns the loss, which the progress bar shows.
    """
    with tqdm(desc=name, unit="step", disable=not worker.leads, mininterval=5, initial=trainer.step) as bar:
        while (fraction := clock.fraction()) < 1:
            loss = take_step(fraction)
            bar.update()
            bar.set_postfix(loss=f"{loss:.3f}", done=f"{fraction:.0%}", refresh=False)
            if worker.leads and trainer.step % save_every == 0:
                trainer.save(clock.spent_seconds, finished=False)
    if worker.leads:
        trainer.save(clock.spent_seconds, finished=True)


def apply_gradients(
    trained: nn.Module, optimizers: Sequence[torch.optim.Optimizer], world: int, beside: Sequence[nn.Module] = ()
) -> None:
    """One step of the optimizers on gradients averaged over `world` processes; those of `trained` are clipped to 1.

    `beside` are modules that learn too, with gradients as they are.
    """
    average_gradients([weight for module in (trained, *beside) for weight in module.parameters()], world)
    nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


class Average:
    """Exponential moving average of a module's weights, warmed up so that early steps are soon forgotten."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take in the module's present weights."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for mine, theirs in zip(self.module.parameters(), module.parameters(), strict=True):
            mine.lerp_(theirs, 1 - decay)
        for mine, theirs in zip(self.module.buffers(), module.buffers(), strict=True):
            mine.copy_(theirs)


def learning_rate(fraction: float, peak: float, step: int, *, warm: int = 60, flat: float = 0.35) -> float:
    """Linear warm-up over `warm` steps, flat until `flat` of the time, then a cosine to one hundredth."""
    late = min(1.0, max(0.0, fraction - flat) / (1 - flat))
    return peak * min(1.0, (step + 1) / warm) * max(0.01, 0.5 * (1 + math.cos(math.pi * late)))


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every parameter group this rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
