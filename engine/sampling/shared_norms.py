"""Group norms that know the whole picture while a VAE sees only a window of it.

A group norm divides by what it measures in its input. Window by window that gives each its own contrast and tone, which
shows as seams. Here the windows are looked at once to measure them together, and then all are normed alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn


class SharedNorms:
    """The group norms of a network; no other thread may use it meanwhile."""

    def __init__(self, network: nn.Module) -> None:
        self._norms = [module for module in network.modules() if isinstance(module, nn.GroupNorm)]
        # Of each norm: mean, mean square, and how many values they are of.
        self._moments: dict[nn.GroupNorm, tuple[torch.Tensor, torch.Tensor, int]] = {}

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Within this the norms work as usual, and what they see is remembered."""
        handles = [norm.register_forward_pre_hook(self._measure) for norm in self._norms]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Within this the norms use what was measured before instead of their input's own mean and variance."""
        for norm, (mean, square, _) in self._moments.items():
            norm.forward = partial(_norm_as_measured, norm, mean, square - mean**2)
        try:
            yield
        finally:
            for norm in self._moments:
                del norm.forward

    def _measure(self, norm: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        assert isinstance(norm, nn.GroupNorm)
        groups = inputs[0].float().unflatten(1, (norm.num_groups, -1)).flatten(2)
        mean, square, count = groups.mean(2), groups.square().mean(2), groups[0, 0].numel()
        if norm in self._moments:
            old_mean, old_square, old_count = self._moments[norm]
            share = count / (count + old_count)
            mean, square = old_mean.lerp(mean, share), old_square.lerp(square, share)
            count += old_count
        self._moments[norm] = mean, square, count


def _norm_as_measured(
    norm: nn.GroupNorm, mean: torch.Tensor, variance: torch.Tensor, inputs: torch.Tensor
) -> torch.Tensor:
    """`norm` of [n, c, …] with mean and variance [n, groups] given: one product and one sum for each channel."""
    channels = norm.num_channels // norm.num_groups
    scale = (variance.clamp(min=0) + norm.eps).rsqrt().repeat_interleave(channels, 1)
    shift = -mean.repeat_interleave(channels, 1) * scale
    if norm.affine:
        scale, shift = scale * norm.weight.float(), shift * norm.weight.float() + norm.bias.float()
    shape = (*scale.shape, *(1 for _ in inputs.shape[2:]))
    return inputs * scale.view(shape).to(inputs.dtype) + shift.view(shape).to(inputs.dtype)
