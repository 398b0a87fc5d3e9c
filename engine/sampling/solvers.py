"""Diffusion schedulers by the names that people type, as tables of coefficients that many rows use at once.

A table is computed once for each scheduler, number of steps and starting step; after that a step of any mixture of
solvers is one multiply-add over the batch (`advance`). Timesteps and noise levels come from a diffusers instance with
the model's own configuration: prediction type, spacing, and the clamp at zero terminal signal-to-noise ratio.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.request.schedulers import SCHEDULERS, Scheduler, canonical
from engine.sampling import solver_formulas as formulas
from engine.sampling.solver_formulas import Call, Schedule

Config = tuple[tuple[str, Any], ...]
Floats = NDArray[np.float32]

# Settings of the model's own that every solver must share.
_SHARED = (
    "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "prediction_type", "rescale_betas_zero_snr",
    "timestep_spacing", "steps_offset",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SolverTable:
    """Everything about a scheduler that does not depend on the picture, for `calls` calls of the model.

    `timesteps` and `scales` [calls] go to the model, `matrices` [calls, 5, 7] make new latents and memory of old ones,
    `clean` [calls, 7] predicts the clean latents, `levels` [calls + 1, 2] says how much picture and noise the latents
    hold before each call and at the end. `start` is what unit noise is multiplied by when nothing else is there.
    """

    timesteps: Floats
    scales: Floats
    matrices: Floats
    clean: Floats
    levels: tuple[tuple[float, float], ...]
    start: float

    @property
    def calls(self) -> int:
        """How often the model is called."""
        return len(self.timesteps)


def solver_table(name: str, config: dict[str, Any], steps: int, strength: float = 1.0) -> SolverTable:
    """The table of a scheduler; with a `strength` below 1 only the last that much of the steps, at least one.

    Raises InvalidRequest for an unknown name.
    """
    begin = steps - max(min(int(steps * strength), steps), 1)
    return _table(canonical(name), _key(config), steps, begin)


def make_scheduler(name: str, config: dict[str, Any]) -> Any:
    """diffusers' own scheduler of that name with the model's noise schedule, to compare with.

    Raises InvalidRequest for an unknown name.
    """
    scheduler = SCHEDULERS[canonical(name)]
    if scheduler.formula == "lms":
        scheduler = replace(scheduler, class_name="LMSDiscreteScheduler")
    return _make(scheduler, dict(config))


def advance(
    state: torch.Tensor, output: torch.Tensor, noise: torch.Tensor | None, matrices: torch.Tensor
) -> torch.Tensor:
    """New state [n, 5, c, h, w] of old state, model output and noise [n, c, h, w] by matrices [n, 5, 7].

    Only products and sums of single numbers, so a row's result depends on no other row and on no batch size.
    """
    fresh = [output, torch.zeros_like(output) if noise is None else noise]
    inputs = [*state.unbind(1), *fresh]
    used = matrices.abs().amax(dim=(0, 1)).cpu().numpy()
    result = torch.zeros_like(state)
    for column, tensor in enumerate(inputs):
        if used[column]:
            result += matrices[:, :, column, None, None, None] * tensor[:, None]
    return result


def _key(config: dict[str, Any]) -> Config:
    wanted = (*_SHARED, "set_alpha_to_one")
    return tuple((key, config[key]) for key in wanted if key in config)


def _make(wanted: Scheduler, config: dict[str, Any]) -> Any:
    import diffusers

    shared = {key: config[key] for key in _SHARED if key in config} | dict(wanted.settings)
    scheduler_class = getattr(diffusers, wanted.class_name)
    if wanted.class_name in ("DDIMScheduler", "PNDMScheduler"):
        shared["set_alpha_to_one"] = config.get("set_alpha_to_one", False)
    if shared.get("rescale_betas_zero_snr") and not _takes_zero_snr(scheduler_class):
        shared["trained_betas"] = _zero_snr_betas(config)
    return scheduler_class.from_config(shared)


def _takes_zero_snr(scheduler_class: type) -> bool:
    import inspect

    return "rescale_betas_zero_snr" in inspect.signature(scheduler_class).parameters


def _zero_snr_betas(config: dict[str, Any]) -> list[float]:
    """Betas of the rescaled schedule for the classes that can't rescale, clamped like diffusers' others."""
    import diffusers

    shared = {key: config[key] for key in _SHARED if key in config}
    classes: Any = diffusers
    cumulative = classes.EulerDiscreteScheduler.from_config(shared).alphas_cumprod.double()
    ratios = torch.cat([cumulative[:1], cumulative[1:] / cumulative[:-1]])
    return [float(1 - ratio) for ratio in ratios]


def _formula(scheduler: Scheduler) -> Callable[[Schedule], Iterable[Call]]:
    return getattr(formulas, scheduler.formula)


@lru_cache(maxsize=512)
def _table(name: str, config: Config, steps: int, begin: int) -> SolverTable:
    row = SCHEDULERS[name]
    scheduler = _make(row, dict(config))
    scheduler.set_timesteps(steps)
    schedule = Schedule(scheduler, steps, begin)
    calls = list(_formula(row)(schedule))
    timesteps = [float(t) for t in scheduler.timesteps][begin * row.order :]
    if row.formula == "plms":
        timesteps = [float(t) for t in formulas.plms_timesteps(schedule)]
    assert len(timesteps) == len(calls), f"{name} with {steps} steps: {len(timesteps)} timesteps, {len(calls)} calls"
    matrices = [[call.x, call.h1, call.h2, call.h3, call.saved] for call in calls]
    a, s = calls[0].level
    return SolverTable(
        timesteps=np.array(timesteps, np.float32),
        scales=np.array([call.scale for call in calls], np.float32),
        matrices=np.array(matrices, np.float32),
        clean=np.array([call.clean for call in calls], np.float32),
        levels=(*(call.level for call in calls), (1.0, 0.0)),
        start=float(scheduler.init_noise_sigma) if begin == 0 else s / math.hypot(a, s),
    )


def stack_rows(tables: Sequence[SolverTable], calls: Sequence[int], device: torch.device) -> torch.Tensor:
    """The matrices [n, 5, 7] of n pictures, each at its own call of its own table."""
    rows = [table.matrices[call] for table, call in zip(tables, calls, strict=True)]
    return torch.as_tensor(np.stack(rows)).to(device)
