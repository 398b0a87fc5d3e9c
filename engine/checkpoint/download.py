"""Waifu Diffusion v1.3's published files from the model hub: with a progress bar, resumable, checked by hash."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from domain import ModelUnavailable
from engine.checkpoint.loading import hash_file
from engine.checkpoint.published import FILES, HubFile


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


def first_line(error: Exception) -> str:
    """An error of a library in the length of a sentence."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


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
        raise ModelUnavailable(
            f"{wanted.filename} could not be downloaded from the model hub ({wanted.repository}): "
            f"{first_line(error)} Where there is no network, put the file on this machine and set MODEL to its path."
        ) from error
