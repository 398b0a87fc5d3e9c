"""How many rows a device should be given at once: as many as still make each of them cheaper."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from engine.pipeline import Pipeline
from engine.turns import ROW_COUNTS

# More rows must make a row at least this much cheaper, because they make every step longer.
WORTHWHILE = 0.92
REPETITIONS = 4


def best_row_count(
    pipeline: Pipeline, most: int = ROW_COUNTS[-1], clock: Callable[[], float] = time.perf_counter
) -> int:
    """The row count to use for the model's square pictures on this machine; takes a few dozen steps' time."""
    best, best_seconds = 2, _seconds_per_row(pipeline, 2, clock)
    for count in ROW_COUNTS[2:]:
        if count > most:
            break
        try:
            seconds = _seconds_per_row(pipeline, count, clock)
        except torch.OutOfMemoryError:
            break
        if seconds > WORTHWHILE * best_seconds:
            break
        best, best_seconds = count, seconds
    return best


def _seconds_per_row(pipeline: Pipeline, rows: int, clock: Callable[[], float]) -> float:
    unet, factor, device = pipeline.model.unet, pipeline.factor, pipeline.device
    width, height = pipeline.model.profile.shapes["square"]
    latents = torch.zeros((rows, unet.config.in_channels, height // factor, width // factor), device=device)
    embeds = torch.zeros((rows, 77, unet.config.cross_attention_dim), dtype=pipeline.dtype, device=device)
    timesteps = torch.full((rows,), 500.0, device=device)
    times: list[float] = []
    for _ in range(REPETITIONS):
        started = clock()
        # Reading a number back waits for the device.
        float(pipeline.predict(latents, timesteps, embeds)[0, 0, 0, 0])
        times.append(clock() - started)
    return min(times) / rows
