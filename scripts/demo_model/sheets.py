"""Sheets of pictures: painted ones, uncurated and at fixed seeds, and rendered ones to lay beside them."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

COLUMNS = 12


def save_sheet(pictures: torch.Tensor, path: Path, columns: int = COLUMNS) -> None:
    """(n, 3, h, w) in [-1, 1] as one PNG of `columns` pictures a row, without gaps."""
    data = ((pictures.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    height, width = data.shape[1:3]
    rows = -(-len(data) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    for number, picture in enumerate(data):
        sheet.paste(Image.fromarray(picture), (number % columns * width, number // columns * height))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)
