"""Networks over large pictures, window by window: in the memory of one window, without a seam where two meet.

Every window has the same size, so its network sees what it was made for, and a picture's numbers depend on no other's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import torch

from engine.request.windows import OVERLAP, Window, tiles_of
from engine.sampling.shared_norms import SharedNorms

Network = Callable[[torch.Tensor], torch.Tensor]


def run_in_windows(network: Network, inputs: torch.Tensor, windows: Sequence[Window]) -> torch.Tensor:
    """The network's output for inputs [n, c, h, w], made of its outputs for windows of them, in float32.

    The output may be larger or smaller than the input by one factor. Where windows overlap, the mean is taken, with
    weights that fall to the edges, because there a network sees least of what is around.
    """
    if len(windows) == 1:
        return network(inputs).float()
    height, width = inputs.shape[-2:]
    total = weights = torch.zeros(())
    for window in windows:
        part = network(cut(inputs, window)).float()
        if not total.ndim:
            factor = part.shape[-1] / window.width
            size = (round(height * factor), round(width * factor))
            total = part.new_zeros((*part.shape[:-2], *size))
            weights = part.new_zeros(size)
        weight = _weight(part.shape[-2], part.shape[-1]).to(part.device)
        place = _slices(window, part.shape[-1] / window.width)
        total[(..., *place)] += part * weight
        weights[place] += weight
    return total / weights


def run_alike_in_windows(
    network: Network, norms_of: torch.nn.Module, inputs: torch.Tensor, windows: Sequence[Window]
) -> torch.Tensor:
    """`run_in_windows`, all of them with the group norms' mean and variance of the whole, for one window's memory.

    Those of `norms_of`, the network or a part of it, are measured first, in one more run over tiles of it.
    """
    if len(windows) == 1:
        return network(inputs).float()
    norms = SharedNorms(norms_of)
    with norms.measured():
        height, width = inputs.shape[-2:]
        for tile in tiles_of(height, width, max(windows[0].height, windows[0].width)):
            network(cut(inputs, tile))
    with norms.shared():
        return run_in_windows(network, inputs, windows)


def cut(inputs: torch.Tensor, window: Window) -> torch.Tensor:
    """The window of inputs [..., h, w]."""
    return inputs[(..., *_slices(window))].contiguous()


def _slices(window: Window, factor: float = 1.0) -> tuple[slice, slice]:
    top, left, tall, wide = (round(number * factor) for number in window)
    return slice(top, top + tall), slice(left, left + wide)


@lru_cache(maxsize=32)
def _weight(height: int, width: int) -> torch.Tensor:
    """[height, width]: 1 inside, falling smoothly to the edges over the part that two windows share."""
    return _ramp(height)[:, None] * _ramp(width)[None]


def _ramp(length: int) -> torch.Tensor:
    place = torch.arange(length) + 0.5
    share = (torch.minimum(place, length - place) / max(length * OVERLAP, 1)).clamp(max=1)
    return share.square() * (3 - 2 * share)
