"""Single-file checkpoints: opened without running anything in them, converted once, known by their SHA-256.

All of Waifu Diffusion v1.3's files (float16 and float32 with averaged weights alone, full, full with optimizer states),
Stable Diffusion 1.4's sd-v1-4.ckpt, and safetensors files in the same layout. See archive.py for the formats,
safe_pickle.py for what keeps a hostile file from doing harm, conversion.py for what is checked, inspection.py for a
report on a file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from domain import ModelUnavailable
from domain.frozen import frozen
from engine.checkpoint.archive import Archive, open_archive
from engine.checkpoint.conversion import RECORD, make_plan, write_model
from engine.checkpoint.hyperparameters import V1_INFERENCE, Hyperparameters, read_hyperparameters
from engine.checkpoint.published import KNOWN_NAMES

_RECORD_VERSION = 1


@frozen
class Source:
    """Where a converted folder came from: stored in it, so that the second start needs neither hash nor conversion."""

    version: int
    name: str
    file: str
    size: int
    modified_ns: int
    sha256: str
    requested: str
    weights: str
    hyperparameters: str


def hyperparameters_of(path: Path, archive: Archive | None = None) -> Hyperparameters:
    """v1-inference's numbers, or those in a `.yaml` of the same name beside the file. Raises ModelUnavailable."""
    beside = path.with_suffix(".yaml")
    if beside.is_file():
        return read_hyperparameters(beside)
    if archive is not None and "v_pred" in archive.regions:
        raise ModelUnavailable(
            f"{path.name} is marked as a v-prediction model. Put a {beside.name} in v1-inference's layout with "
            "`parameterization: v` beside it."
        )
    return V1_INFERENCE


def ensure_converted(path: Path, *, weights: str = "ema", cache: Path | None = None, sha256: str | None = None) -> Path:
    """The diffusers folder of a checkpoint file, made beside it (or in `cache`) at the first call, reused afterwards.

    `sha256` spares hashing a file whose hash was checked already. Raises ModelUnavailable with one sentence for a file
    that is missing, damaged, unsafe or of another kind.
    """
    path = path.resolve()
    numbers = hyperparameters_of(path)
    place = cache or path.parent
    known = _find_converted(path, place, weights, numbers)
    if known is not None:
        return known
    archive = open_archive(path)
    plan = make_plan(archive, hyperparameters_of(path, archive), weights)
    sha256 = sha256 or hash_file(path)
    folder = place / f"{path.stem}-{sha256[:12]}-{plan.weights.replace(' ', '-')}"
    source = _source(path, sha256, weights, plan.weights, numbers)
    if (folder / RECORD).is_file() and read_source(folder) == source:
        return folder
    if folder.exists():  # the same file with other hyper-parameters, or touched since
        folder = folder.with_name(f"{folder.name}-{_digest(source)[:8]}")
    return write_model(archive, plan, numbers, folder, asdict(source))


def convert(path: Path, folder: Path, *, weights: str = "ema") -> Path:
    """Convert a checkpoint into `folder`, which must not exist yet. Raises ModelUnavailable."""
    if folder.exists():
        raise ModelUnavailable(f"{folder} exists already; name a folder that does not.")
    archive = open_archive(path)
    numbers = hyperparameters_of(path, archive)
    plan = make_plan(archive, numbers, weights)
    source = _source(path, hash_file(path), weights, plan.weights, numbers)
    return write_model(archive, plan, numbers, folder, asdict(source))


def read_source(folder: Path) -> Source | None:
    """Which checkpoint a folder was converted from; None for any other folder."""
    try:
        return Source(**json.loads((folder / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def hash_file(path: Path) -> str:
    """SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _find_converted(path: Path, place: Path, weights: str, numbers: Hyperparameters) -> Path | None:
    """An earlier conversion of this very file: same size and time of change, same choice, same hyper-parameters."""
    if not path.is_file():
        return None
    for record in sorted(place.glob(f"*/{RECORD}")):
        source = read_source(record.parent)
        if source is not None and source == _source(path, source.sha256, weights, source.weights, numbers):
            return record.parent
    return None


def _source(path: Path, sha256: str, requested: str, weights: str, numbers: Hyperparameters) -> Source:
    facts = path.stat()
    return Source(
        version=_RECORD_VERSION,
        name=KNOWN_NAMES.get(sha256, path.stem),
        file=path.name,
        size=facts.st_size,
        modified_ns=facts.st_mtime_ns,
        sha256=sha256,
        requested=requested,
        weights=weights,
        hyperparameters=_digest(numbers),
    )


def _digest(values: Hyperparameters | Source) -> str:
    return hashlib.sha256(json.dumps(asdict(values), sort_keys=True).encode()).hexdigest()
