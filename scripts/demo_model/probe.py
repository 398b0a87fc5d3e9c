"""The probe: a small classifier that reads tags from a picture, trained on rendered pictures and never on painted ones.

Blur, noise and colour shifts while it trains keep it from leaning on pixel-exact lines, which no decoder gives.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from scripts.demo_model.attributes import (
    BACKGROUNDS,
    EXPRESSIONS,
    EYE_COLORS,
    HAIR_COLORS,
    HAIR_SHAPES,
    Portrait,
    eyes_are_coloured,
)

IGNORED = -100
CLASSES: dict[str, tuple[str, ...]] = {
    "hair colour": tuple(HAIR_COLORS),
    "background": tuple(BACKGROUNDS),
    "eyewear": ("none", "glasses", "sunglasses"),
    "cat ears": ("no", "yes"),
    "hair style": tuple(HAIR_SHAPES),
    "expression": EXPRESSIONS,
    "eye colour": tuple(EYE_COLORS),
    "eyes": ("open", "wink", "closed"),
    "person": ("girl", "boy"),
}
READ: dict[str, Callable[[Portrait], str | None]] = {
    "hair colour": lambda p: None if p["hair_style"] == "bald" else p["hair_color_name"],
    "background": lambda p: p["background_name"],
    "eyewear": lambda p: p["glasses_name"] or "none",
    "cat ears": lambda p: "yes" if p["catEars"] else "no",
    "hair style": lambda p: p["hair_style"],
    "expression": lambda p: p["expression"],
    "eye colour": lambda p: p["iris_name"] if eyes_are_coloured(p) else None,
    "eyes": lambda p: None if p["glasses_name"] == "sunglasses" else p["eyes"],
    "person": lambda p: "boy" if "mustache" in p["features"] else "girl",
}


def label(portrait: Portrait) -> list[int]:
    """The class of every column, IGNORED where the picture can't show it (a bald head has no hair colour)."""
    values = {name: read(portrait) for name, read in READ.items()}
    return [CLASSES[name].index(value) if value else IGNORED for name, value in values.items()]


class Probe(nn.Module):
    """3 x 64 x 64 pictures in [-1, 1] to one row of scores for every column of CLASSES."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        sizes = (3, width, 2 * width, 3 * width, 4 * width)
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
            layers += [nn.MaxPool2d(2)]
        self.body = nn.Sequential(*layers)
        self.hidden = nn.Linear(sizes[-1] * 16, 128)
        self.heads = nn.ModuleList(nn.Linear(128, len(names)) for names in CLASSES.values())

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        hidden = torch.relu(self.hidden(self.body(pictures).flatten(1)))
        return [head(hidden) for head in self.heads]


def train_probe(pictures: torch.Tensor, portraits: list[Portrait], *, epochs: int = 3, seed: int = 0) -> Probe:
    """A probe for (n, 3, 64, 64) pictures in bytes and their portraits."""
    torch.manual_seed(seed)
    probe = Probe().train()
    labels = torch.tensor([label(portrait) for portrait in portraits])
    batch, steps = 64, epochs * (len(pictures) // 64)
    optimizer = torch.optim.AdamW(probe.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps, pct_start=0.15)
    order = torch.randperm(len(pictures))
    with tqdm(total=steps, desc="probe", unit="step", mininterval=5) as bar:
        for step in range(steps):
            if step % (len(pictures) // batch) == 0:
                order = torch.randperm(len(pictures))
            chosen = order[step * batch % (len(pictures) // batch * batch) :][:batch]
            scores = probe(_disturb(to_float(pictures[chosen])))
            loss = torch.stack([functional.cross_entropy(s, labels[chosen, i]) for i, s in enumerate(scores)]).sum()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            bar.update()
            bar.set_postfix(loss=f"{loss.item():.2f}", refresh=False)
    return probe.eval()


@torch.no_grad()
def read_pictures(probe: Probe, pictures: torch.Tensor) -> torch.Tensor:
    """(n, 3, 64, 64) in [-1, 1] to (n, columns) class numbers."""
    parts = [torch.stack([s.argmax(1) for s in probe(part)], 1) for part in pictures.split(100)]
    return torch.cat(parts)


def accuracies(read: torch.Tensor, portraits: list[Portrait]) -> dict[str, float]:
    """The share of right answers in every column, over the portraits for which the column is defined."""
    wanted = torch.tensor([label(portrait) for portrait in portraits])
    known = wanted != IGNORED
    right = ((read == wanted) & known).sum(0) / known.sum(0).clamp(min=1)
    return {name: float(right[i]) for i, name in enumerate(CLASSES)}


def save_probe(probe: Probe, ceiling: dict[str, float], path: Path) -> None:
    """Half-precision safetensors, with the probe's accuracy on unseen rendered pictures in the header."""
    from safetensors.torch import save_file

    tensors = {name: tensor.half().contiguous() for name, tensor in probe.state_dict().items()}
    save_file(tensors, path, {"accuracy": json.dumps(ceiling)})


def load_probe(path: Path) -> tuple[Probe, dict[str, float]]:
    """The saved probe in float32, and its accuracy on unseen rendered pictures."""
    from safetensors import safe_open
    from safetensors.torch import load_file

    with safe_open(path, "pt") as file:
        ceiling = json.loads(file.metadata()["accuracy"])
    state = {name: tensor.float() for name, tensor in load_file(path).items()}
    probe = Probe()
    probe.load_state_dict(state)
    return probe.eval(), ceiling


def to_float(pictures: torch.Tensor) -> torch.Tensor:
    """Bytes to [-1, 1]."""
    return pictures.float() / 127.5 - 1


def _disturb(pictures: torch.Tensor) -> torch.Tensor:
    blur = torch.rand(len(pictures), 1, 1, 1) * 0.7
    soft = functional.avg_pool2d(functional.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, 1)
    mixed = pictures * (1 - blur) + soft * blur
    shift = torch.randn(len(pictures), 3, 1, 1) * 0.04
    noise = torch.randn_like(mixed) * torch.rand(len(pictures), 1, 1, 1) * 0.15
    return mixed + shift + noise
