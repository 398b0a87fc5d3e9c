"""Checkpoint files as regions of bytes: which tensor lies where, without reading any of them.

Formats: torch's zip archives, torch's older streams ("legacy"), and safetensors. Only the tensors that are asked for
are ever read, so that a file of 14 GB costs as much memory as its largest wanted tensor.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from domain import ModelUnavailable
from engine.checkpoint.safe_pickle import DAMAGED, ITEM_BYTES, PickleContents, as_dict, read_pickle

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_PICKLE_LIMIT = 256 * 2**20
_HEADER_LIMIT = 100 * 2**20
_SAFETENSORS_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip


class UnsafeCheckpoint(ModelUnavailable):
    """The file asks for code outside the closed set; `names` says which. Nothing of it was run."""

    def __init__(self, path: Path, names: list[str]) -> None:
        super().__init__(
            f"{path.name} was not opened: it asks for {', '.join(names)}, which no Stable Diffusion checkpoint needs. "
            "Nothing in it was run. Get the file from its original source, or as safetensors."
        )
        self.names = names


@dataclass(frozen=True, slots=True)
class Region:
    """One tensor: `start` is the file offset of its first element, `stride` in elements."""

    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    start: int

    @property
    def span(self) -> int:
        """Bytes from the first element to the last."""
        if 0 in self.shape:
            return 0
        last = sum((side - 1) * step for side, step in zip(self.shape, self.stride, strict=True))
        return (last + 1) * ITEM_BYTES[self.dtype]


@dataclass(frozen=True, slots=True)
class Archive:
    """An opened checkpoint. `names` are the globals of its pickle (none in safetensors), `size` its bytes."""

    path: Path
    format: str
    size: int
    regions: Mapping[str, Region]
    names: frozenset[str] = frozenset()

    def read(self, file: IO[bytes], key: str) -> Any:
        """One tensor, contiguous, as it is stored: torch.Tensor."""
        import torch

        region = self.regions[key]
        if region.span == 0:
            return torch.empty(region.shape, dtype=getattr(torch, region.dtype))
        file.seek(region.start)
        buffer = bytearray(file.read(region.span))
        if len(buffer) != region.span:
            raise ModelUnavailable(f"{self.path.name} ends in the middle of the tensor {key}.")
        flat = torch.frombuffer(buffer, dtype=getattr(torch, region.dtype))
        return flat.as_strided(region.shape, region.stride).contiguous()


def open_archive(path: Path) -> Archive:
    """Find every tensor of a checkpoint file. Raises ModelUnavailable with one sentence for a file that is none."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
            file.seek(0)
            if start.startswith(b"PK\x03\x04"):
                return _open_zip(path, file)
            if start.startswith(b"\x80"):
                return _open_legacy(path, file)
            if start[8:9] == b"{":
                return _open_safetensors(path, file)
    except OSError as error:
        raise ModelUnavailable(f"{path} can't be read: {error.strerror}.") from error
    raise ModelUnavailable(_not_a_checkpoint(path, start))


def _not_a_checkpoint(path: Path, start: bytes) -> str:
    if not start:
        return f"{path.name} is empty. Download it again."
    if start.startswith(b"version https://git-lfs"):
        return f"{path.name} is a Git LFS pointer, not the checkpoint itself. Run `git lfs pull`, or download the file."
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return (
            f"{path.name} is a web page, not a checkpoint. Download the file itself (its licence may need agreeing to)."
        )
    return f"{path.name} is not a checkpoint: it is neither torch's format (zip or legacy) nor safetensors."


def _open_zip(path: Path, file: IO[bytes]) -> Archive:
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(file) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
    except (zipfile.BadZipFile, *DAMAGED) as error:
        raise ModelUnavailable(f"{path.name} is cut short or damaged (no list of contents at its end).") from error
    found = [name for name in entries if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(found) != 1:
        raise ModelUnavailable(f"{path.name} is a zip file, but not one that torch saved: it holds no data.pkl.")
    prefix = found[0].removesuffix("data.pkl")
    order = entries.get(f"{prefix}byteorder")
    if order is not None and _entry_bytes(path, file, order) != b"little":
        raise ModelUnavailable(f"{path.name} was saved on a big-endian machine; convert it there.")
    contents = _read(path, io.BytesIO(_entry_bytes(path, file, entries[found[0]])))
    blocks: dict[str, tuple[int, int]] = {}
    for storage in {tensor.storage for tensor in contents.state_dict().values()}:
        entry = entries.get(f"{prefix}data/{storage.key}")
        if entry is None:
            raise ModelUnavailable(f"{path.name} is incomplete: the numbers of block {storage.key} are missing.")
        blocks[storage.key] = (_entry_start(path, file, entry), entry.file_size)
    return _archive(path, "zip", size, contents, blocks)


def _entry_bytes(path: Path, file: IO[bytes], entry: zipfile.ZipInfo) -> bytes:
    if entry.file_size > _PICKLE_LIMIT:
        raise ModelUnavailable(
            f"{path.name} has a table of contents of {entry.file_size:,} bytes; that is not genuine."
        )
    file.seek(_entry_start(path, file, entry))
    return file.read(entry.file_size)


def _entry_start(path: Path, file: IO[bytes], entry: zipfile.ZipInfo) -> int:
    """Where an entry's bytes begin: behind its local header, whose padding the central directory doesn't tell."""
    if entry.compress_type != zipfile.ZIP_STORED:
        raise ModelUnavailable(f"{path.name} is a compressed zip file; torch saves uncompressed ones.")
    file.seek(entry.header_offset)
    header = file.read(30)
    if len(header) < 30 or not header.startswith(b"PK\x03\x04"):
        raise ModelUnavailable(f"{path.name} is damaged: the entry {entry.filename} is not where it should be.")
    name_length, extra_length = struct.unpack("<2H", header[26:30])
    return entry.header_offset + 30 + name_length + extra_length


def _open_legacy(path: Path, file: IO[bytes]) -> Archive:
    """Five pickles (magic, protocol, system, object, order of the blocks), then each block as count and numbers."""
    size = path.stat().st_size
    magic = _read(path, file).value
    if magic != _LEGACY_MAGIC:
        raise ModelUnavailable(f"{path.name} is a pickle, but not one that torch saved.")
    protocol, system = _read(path, file).value, as_dict(_read(path, file).value)
    if protocol != _LEGACY_PROTOCOL or not system.get("little_endian"):
        raise ModelUnavailable(f"{path.name} was saved by a version or machine that can't be read here.")
    contents = _read(path, file)
    blocks: dict[str, tuple[int, int]] = {}
    for key in _read(path, file).value:
        storage = contents.storages.get(str(key))
        if storage is None:
            raise ModelUnavailable(f"{path.name} is damaged: block {key} belongs to no tensor.")
        (count,) = struct.unpack("<q", _exactly(path, file, 8))
        length = count * ITEM_BYTES[storage.dtype]
        blocks[storage.key] = (file.tell(), length)
        file.seek(length, io.SEEK_CUR)
    return _archive(path, "legacy", size, contents, blocks)


def _exactly(path: Path, file: IO[bytes], count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise ModelUnavailable(f"{path.name} is cut short: it ends before its numbers do.")
    return data


def _read(path: Path, file: IO[bytes]) -> PickleContents:
    try:
        contents = read_pickle(file)
    except DAMAGED as error:
        raise ModelUnavailable(f"{path.name} is cut short or damaged: its table of contents can't be read.") from error
    if contents.refused:
        raise UnsafeCheckpoint(path, contents.refused)
    return contents


def _archive(
    path: Path, kind: str, size: int, contents: PickleContents, blocks: Mapping[str, tuple[int, int]]
) -> Archive:
    regions: dict[str, Region] = {}
    for key, tensor in contents.state_dict().items():
        start, length = blocks.get(tensor.storage.key, (0, 0))
        item = ITEM_BYTES[tensor.storage.dtype]
        region = Region(tensor.storage.dtype, tensor.shape, tensor.stride, start + tensor.offset * item)
        _check_region(path, key, region, start, min(start + length, size))
        regions[key] = region
    return Archive(path, kind, size, regions, contents.names)


def _check_region(path: Path, key: str, region: Region, start: int, end: int) -> None:
    sane = len(region.shape) == len(region.stride) and all(number >= 0 for number in (*region.shape, *region.stride))
    if not sane or region.start < start or region.start + region.span > end:
        raise ModelUnavailable(f"{path.name} is cut short or damaged: the tensor {key} reaches beyond its numbers.")


def _open_safetensors(path: Path, file: IO[bytes]) -> Archive:
    """Format: github.com/huggingface/safetensors#format (length, JSON header, numbers)."""
    size = path.stat().st_size
    try:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > min(_HEADER_LIMIT, size):
            raise ValueError("the header is longer than the file")
        header = json.loads(file.read(length))
        regions = {key: _region(entry, 8 + length) for key, entry in header.items() if key != "__metadata__"}
    except DAMAGED as error:
        raise ModelUnavailable(f"{path.name} is cut short or damaged: its header can't be read.") from error
    for key, region in regions.items():
        _check_region(path, key, region, 8 + length, size)
    return Archive(path, "safetensors", size, regions)


def _region(entry: Mapping[str, Any], base: int) -> Region:
    shape = tuple(int(side) for side in entry["shape"])
    strides: list[int] = []
    step = 1
    for side in reversed(shape):
        strides.append(step)
        step *= side
    return Region(_SAFETENSORS_DTYPES[entry["dtype"]], shape, tuple(reversed(strides)), base + entry["data_offsets"][0])
