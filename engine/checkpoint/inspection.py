"""What is in a checkpoint file, and why it can't be used if so: a report for the person who has it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from domain import ModelUnavailable
from engine.checkpoint.archive import Archive, UnsafeCheckpoint, open_archive
from engine.checkpoint.conversion import holds_ema, make_plan
from engine.checkpoint.loading import hash_file, hyperparameters_of
from engine.checkpoint.published import KNOWN_NAMES


def inspect(path: Path) -> dict[str, Any]:
    """What is in a checkpoint, found without running any of it; `problem` says why it can't be used, if so."""
    report: dict[str, Any] = {"file": str(path), "size": None, "sha256": None, "format": None, "problem": None}
    try:
        archive = open_archive(path)
        report |= {"format": archive.format, "globals": sorted(archive.names), **_contents(archive)}
        report["ignored"] = list(make_plan(archive, hyperparameters_of(path, archive)).ignored)
    except UnsafeCheckpoint as error:
        report |= {"problem": str(error), "refused": error.names}
    except ModelUnavailable as error:
        report["problem"] = str(error)
    if path.is_file():
        report |= {"size": path.stat().st_size, "sha256": hash_file(path)}
        report["known_as"] = KNOWN_NAMES.get(report["sha256"])
    return report


def _contents(archive: Archive) -> dict[str, Any]:
    regions = archive.regions
    return {
        "tensors": len(regions),
        "dtypes": dict(Counter(region.dtype for region in regions.values())),
        "parts": dict(Counter(key.split(".")[0] for key in regions)),
        "ema": holds_ema(archive),
    }
