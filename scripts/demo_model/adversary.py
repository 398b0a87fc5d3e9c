"""The adversary of the decoder's training: a small network that tells rendered pictures from painted ones.

It is what makes lines crisp and colours flat: an error averaged over pixels is content with a blurred line where the
latents leave its place open, the adversary is not. It is not part of the model.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

PEAK = 4e-4
SHARE = 0.6  # of the decoder's gradient, beside 1 for the picture's own error
MATCHING = 2.0  # weight of the features' difference beside the verdict


class Adversary(nn.Module):
    """One verdict for every 38 x 38 pixels, and the features on the way to it."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        sizes = (3, width, 2 * width, 4 * width)
        layers = [nn.Conv2d(before, after, 4, stride=2, padding=1) for before, after in pairwise(sizes)]
        layers.append(nn.Conv2d(sizes[-1], sizes[-1], 3, padding=1))
        self.layers = nn.ModuleList(spectral_norm(layer) for layer in layers)
        self.verdict = spectral_norm(nn.Conv2d(sizes[-1], 1, 3, padding=1))

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        features, hidden = [], pictures
        for layer in self.layers:
            hidden = functional.leaky_relu(layer(hidden), 0.2)
            features.append(hidden)
        return self.verdict(hidden), features


def adversary_loss(adversary: Adversary, painted: torch.Tensor, rendered: torch.Tensor) -> torch.Tensor:
    """Hinge loss of the adversary itself."""
    with torch.autocast(painted.device.type, torch.bfloat16):
        verdicts = adversary(torch.cat([painted.detach(), rendered]))[0].float()
    false, true = verdicts.chunk(2)
    return functional.relu(1 + false).mean() + functional.relu(1 - true).mean()


def painter_loss(adversary: Adversary, painted: torch.Tensor, rendered: torch.Tensor) -> torch.Tensor:
    """What the painter gains: a good verdict, and features like those of the rendered picture."""
    with torch.autocast(painted.device.type, torch.bfloat16):
        verdict, mine = adversary(painted)
        with torch.no_grad():
            theirs = adversary(rendered)[1]
    matching = [functional.l1_loss(a.float(), b.float()) for a, b in zip(mine, theirs, strict=True)]
    return MATCHING * torch.stack(matching).sum() - verdict.float().mean()


def combined_gradient(error: torch.Tensor, verdict: torch.Tensor, painted: torch.Tensor) -> torch.Tensor:
    """The gradient at the pictures, the adversary's part scaled to SHARE of the error's: no weight to tune."""
    (plain,) = torch.autograd.grad(error, painted, retain_graph=True)
    (adverse,) = torch.autograd.grad(verdict, painted)
    return plain + adverse * (SHARE * plain.norm() / adverse.norm().clamp(min=1e-12))
