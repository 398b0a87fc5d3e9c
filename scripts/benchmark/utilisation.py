"""How much of the device's arithmetic the UNet uses: its own operations against a plain matrix multiplication."""

from __future__ import annotations

import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.sampling.pipeline import Pipeline

# Large enough to fill a device, small enough for a second on a slow one.
SIDE = {"cpu": 1024, "cuda": 8192}
REPETITIONS = 10


def flops_per_row(pipeline: Pipeline, size: tuple[int, int]) -> int:
    """Floating-point operations of one UNet row; a multiply-add counts as two."""
    latents, timesteps, embeds = pipeline.inputs(1, size)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        pipeline.model.unet(latents, timesteps, encoder_hidden_states=embeds, return_dict=False)
    return counter.get_total_flops()


def ceiling_flops(pipeline: Pipeline) -> float:
    """Operations a second of the best of several square matrix multiplications in the model's number format."""
    side, device = SIDE[pipeline.device.type], pipeline.device
    left, right = (torch.randn((side, side), device=device, dtype=pipeline.dtype) for _ in range(2))
    best = 0.0
    for _ in range(REPETITIONS):
        _wait(device)
        started = time.perf_counter() if device.type == "cuda" else time.process_time()
        torch.mm(left, right)
        _wait(device)
        seconds = (time.perf_counter() if device.type == "cuda" else time.process_time()) - started
        best = max(best, 2 * side**3 / seconds)
    return best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
