"""Rendering the training pictures with Node, and reading them back as tensors of bytes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm

from scripts.demo_model.attributes import Portrait

SIZE = 128
HERE = Path(__file__).parent
_CHUNK = 5000  # the rasteriser's native buffers grow with every picture of one process


def install_renderer() -> None:
    """Install the pinned npm packages beside render.mjs, once. Raises RuntimeError without Node."""
    if (HERE / "node_modules" / "@resvg" / "resvg-js").is_dir():
        return
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("Rendering the training pictures needs Node.js 18 or newer with npm on the path.")
    subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=HERE, check=True)


def render(portraits: Sequence[Portrait], folder: Path, name: str) -> None:
    """Write `name`.rgb (n x 128 x 128 x 3 bytes) and, last, `name`.jsonl, the portraits, into `folder`."""
    install_renderer()
    folder.mkdir(parents=True, exist_ok=True)
    part_in, part_out = folder / "part.jsonl", folder / "part.rgb"
    with (folder / f"{name}.rgb").open("wb") as pixels, tqdm(total=len(portraits), desc=f"render {name}") as bar:
        for start in range(0, len(portraits), _CHUNK):
            part = portraits[start : start + _CHUNK]
            part_in.write_text("".join(json.dumps(portrait) + "\n" for portrait in part))
            subprocess.run(["node", HERE / "render.mjs", part_in, part_out, str(SIZE)], check=True)
            pixels.write(part_out.read_bytes())
            bar.update(len(part))
    part_out.unlink()
    part_in.unlink()
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(portrait) + "\n" for portrait in portraits))


def load_portraits(folder: Path, name: str) -> list[Portrait]:
    """The portraits that belong to the pictures of the same name."""
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def load_pictures(folder: Path, name: str, first: int = 0, count: int | None = None) -> torch.Tensor:
    """(n, 128, 128, 3) bytes in memory: random reads from a file are far slower than training."""
    step = SIZE * SIZE * 3
    data = np.fromfile(folder / f"{name}.rgb", np.uint8, -1 if count is None else count * step, offset=first * step)
    return torch.from_numpy(data.reshape(-1, SIZE, SIZE, 3))


def to_planes(pictures: torch.Tensor) -> torch.Tensor:
    """(n, h, w, 3) bytes to (n, 3, h, w) in [-1, 1]."""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1


def halve(pictures: torch.Tensor) -> torch.Tensor:
    """(n, 128, 128, 3) bytes to (n, 3, 64, 64) bytes, averaged."""
    small = torch.empty(len(pictures), 3, SIZE // 2, SIZE // 2, dtype=torch.uint8)
    for start in range(0, len(pictures), 500):
        planes = pictures[start : start + 500].permute(0, 3, 1, 2).float()
        small[start : start + 500] = functional.avg_pool2d(planes, 2).round().to(torch.uint8)
    return small
