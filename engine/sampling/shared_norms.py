"""Group norms that know the whole picture while a VAE sees only a window of it.

A group norm divides by what it measures in its input. Window by window that gives each its own contrast and tone, which
shows as seams. Here the windows are looked at once to measure them together, and then all are normed alike.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import nn

# What torch calls after a norm, with the norm, its inputs and its output.
Hook = Callable[[nn.GroupNorm, tuple[torch.Tensor, ...], torch.Tensor], None]


class Moments(NamedTuple):
    """Mean and variance [n, groups], each of so many values."""

    mean: torch.Tensor
    variance: torch.Tensor
    values: int

    def merged(self, other: Moments) -> Moments:
        """Those of both together (Chan et al., 1979)."""
        values = self.values + other.values
        share = other.values / values
        between = share * (1 - share) * (other.mean - self.mean).square()
        return Moments(self.mean.lerp(other.mean, share), self.variance.lerp(other.variance, share) + between, values)


class SharedNorms:
    """The group norms of a network; no other thread may use it meanwhile."""

    def __init__(self, network: nn.Module) -> None:
        self._norms = [module for module in network.modules() if isinstance(module, nn.GroupNorm)]
        self._moments: dict[nn.GroupNorm, Moments] = {}

    @contextmanager
    def measured(self) -> Generator[None]:
        """Within this the norms work as usual, and what they see is remembered."""
        with self._hooked(self._measure):
            yield

    @contextmanager
    def shared(self) -> Generator[None]:
        """Within this the norms use what was measured before instead of their input's own mean and variance."""
        with self._hooked(self._norm_as_measured):
            yield

    @contextmanager
    def _hooked(self, hook: Hook) -> Generator[None]:
        handles = [norm.register_forward_hook(hook) for norm in self._norms]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _measure(self, norm: nn.GroupNorm, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        groups = inputs[0].float().reshape(len(output), norm.num_groups, -1)
        variance, mean = torch.var_mean(groups, 2, correction=0)
        seen = Moments(mean, variance, groups.shape[2])
        known = self._moments.get(norm)
        self._moments[norm] = seen if known is None else known.merged(seen)

    def _norm_as_measured(self, norm: nn.GroupNorm, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        """Write over the output, which takes no memory: one product and one sum for each channel."""
        mean, variance, _ = self._moments[norm]
        channels = norm.num_channels // norm.num_groups
        scale = (variance + norm.eps).rsqrt().repeat_interleave(channels, 1)
        shift = -mean.repeat_interleave(channels, 1) * scale
        if norm.affine:
            scale, shift = scale * norm.weight.float(), shift * norm.weight.float() + norm.bias.float()
        shape = (*scale.shape, *(1 for _ in output.shape[2:]))
        scale, shift = scale.view(shape).to(output.dtype), shift.view(shape).to(output.dtype)
        torch.addcmul(shift, inputs[0], scale, out=output)
