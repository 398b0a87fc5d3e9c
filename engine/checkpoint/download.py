"""Waifu Diffusion v1.3's published files from the model hub: with a progress bar, resumable, checked by hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain import ModelUnavailable
from engine.checkpoint.loading import hash_file


@dataclass(frozen=True, slots=True)
class HubFile:
    """One published file and the SHA-256 that it must have."""

    repository: str
    filename: str
    sha256: str


_WD13 = "hakurei/waifu-diffusion-v1-3"
FILES = {
    "wd-v1-3-float16": HubFile(
        _WD13, "wd-v1-3-float16.ckpt", "4afab9126057859b34d13d6207d90221d0b017b7580469ea70cee37757a29edd"
    ),
    "wd-v1-3-float32": HubFile(
        _WD13, "wd-v1-3-float32.ckpt", "9dade826203c7ee369881b5dc20d34298fa644c1f137568e09fbc4b9a0d3e817"
    ),
    "wd-v1-3-full": HubFile(
        _WD13, "wd-v1-3-full.ckpt", "23ba8d0411c211d3d14903d46613bc088924e1453ed1c6428ce86bde54a37d27"
    ),
    "wd-v1-3-full-opt": HubFile(
        _WD13, "wd-v1-3-full-opt.ckpt", "10912b9a6d773ea7c299c0563d10538ada04ade81837362b6c0c67be4df937c1"
    ),
}


def hub_name(model: str) -> str | None:
    """The published name that `model` means, with or without `.ckpt`; None for anything else."""
    name = model.removesuffix(".ckpt")
    return name if name in FILES else None


def fetch(
    name: str, folder: Path, *, files: Mapping[str, HubFile] = FILES, endpoint: str | None = None, timeout: float = 10
) -> Path:
    """The file in `folder`, downloaded unless it is there already. Raises ModelUnavailable with one sentence.

    An interrupted download goes on where it stopped. A file counts as fetched once its hash was found right; that is
    noted beside it, so that a start doesn't hash gigabytes again.
    """
    wanted = files[name]
    target = folder / wanted.filename
    note = target.with_name(f"{target.name}.sha256")
    if target.is_file() and note.is_file() and note.read_text(encoding="utf-8").strip() == wanted.sha256:
        return target
    if not target.is_file():
        _download(wanted, folder, endpoint, timeout)
    found = hash_file(target)
    if found != wanted.sha256:
        target.unlink()
        raise ModelUnavailable(
            f"{wanted.filename} from {wanted.repository} has the SHA-256 {found}, not {wanted.sha256}; it was deleted. "
            "Start again to download it once more."
        )
    note.write_text(f"{wanted.sha256}\n", encoding="utf-8")
    return target


def _download(wanted: HubFile, folder: Path, endpoint: str | None, timeout: float) -> None:
    import huggingface_hub
    from huggingface_hub import errors as hub_errors

    hub: Any = huggingface_hub
    failures: Any = hub_errors
    try:
        hub.hf_hub_download(
            wanted.repository, wanted.filename, local_dir=folder, endpoint=endpoint, etag_timeout=timeout, token=False
        )
    except (OSError, ValueError, failures.HTTPError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelUnavailable(
            f"{wanted.filename} could not be downloaded from the model hub ({wanted.repository}): {reason} Where there "
            "is no network, put the file on this machine and set MODEL to its path."
        ) from error
