"""Networks over large pictures, window by window: in the memory of one window, without a seam where two meet.

Every window has the same size, so its network sees what it was made for, and a picture's numbers depend on no other's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from engine.request.windows import OVERLAP, Window, tiles_of
from engine.sampling.shared_norms import SharedNorms

Network = Callable[[torch.Tensor], torch.Tensor]


def run_in_windows(network: Network, inputs: torch.Tensor, windows: Sequence[Window]) -> torch.Tensor:
    """The network's output for inputs [n, c, h, w], made of its outputs for windows of them, in float32.

    The output may be larger or smaller than the input by one factor. Where windows overlap, the mean is taken, with
    weights that fall to the edges, because there a network sees least of what is around.
    """
    parts = [network(cut(inputs, window)).float() for window in windows]
    return parts[0] if len(parts) == 1 else _blended(parts, windows, inputs.shape)


@torch.inference_mode()
def run_alike_in_windows(
    network: Network, norms_of: torch.nn.Module, inputs: torch.Tensor, windows: Sequence[Window]
) -> torch.Tensor:
    """`run_in_windows`, all of them with the group norms' mean and variance of the whole, for one window's memory.

    Those of `norms_of`, the network or a part of it, are measured first, in one more run over tiles of it.
    """
    if len(windows) == 1:
        return run_in_windows(network, inputs, windows)
    norms = SharedNorms(norms_of)
    with norms.measured():
        height, width = inputs.shape[-2:]
        for tile in tiles_of(height, width, max(windows[0].height, windows[0].width)):
            network(cut(inputs, tile))
    with norms.shared():
        return run_in_windows(network, inputs, windows)


def cut(inputs: torch.Tensor, window: Window) -> torch.Tensor:
    """The window of inputs [..., h, w]; the inputs themselves if it is all of them."""
    return _view(inputs, window).contiguous()


def _blended(parts: Sequence[torch.Tensor], windows: Sequence[Window], shape: torch.Size) -> torch.Tensor:
    """The mean of what windows of [n, c, h, w] gave, each counting less towards its edges."""
    factor = parts[0].shape[-1] / windows[0].width
    whole = Window(0, 0, *shape[-2:]).times(factor)
    weight = _weight(parts[0].shape[-2], parts[0].shape[-1]).to(parts[0].device)
    total = parts[0].new_zeros((*parts[0].shape[:2], whole.height, whole.width))
    weights = parts[0].new_zeros((whole.height, whole.width))
    for part, window in zip(parts, windows, strict=True):
        _view(total, window.times(factor)).add_(part * weight)
        _view(weights, window.times(factor)).add_(weight)
    return total / weights


def _view(inputs: torch.Tensor, window: Window) -> torch.Tensor:
    top, left, height, width = window
    return inputs[..., top : top + height, left : left + width]


def _weight(height: int, width: int) -> torch.Tensor:
    """[height, width]: 1 inside, falling smoothly to the edges over the part that two windows share."""
    return _ramp(height)[:, None] * _ramp(width)[None]


def _ramp(length: int) -> torch.Tensor:
    place = torch.arange(length) + 0.5
    share = (torch.minimum(place, length - place) / max(length * OVERLAP, 1)).clamp(max=1)
    return share.square() * (3 - 2 * share)
