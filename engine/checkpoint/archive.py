"""Checkpoint files as regions of bytes: which tensor lies where, without reading any of them.

Formats: torch's zip archives, torch's older streams ("legacy"), and safetensors. Only the tensors that are asked for
are ever read, so that a file of 14 GB costs as much memory as its largest wanted tensor.
"""

from __future__ import annotations

import io
import json
import math
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from domain import ModelUnavailable
from engine.checkpoint.pickle_reader import MAX_PICKLE_BYTES, PickleContents, as_dict, read_pickle
from engine.checkpoint.safe_pickle import DAMAGED, ITEM_BYTES, MAX_DIMENSIONS, MAX_NUMBER, storage_key

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_HEADER_LIMIT = 32 * 2**20  # of JSON, which takes up to 25 times as much memory once it is read
_ENTRIES_LIMIT = 50_000  # of a zip file; Waifu Diffusion's largest has 5,000
_NAMED = 5
_SPREAD = 4  # a view may lie over that many times its own bytes
_SAFETENSORS_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool", "U16": "uint16", "U32": "uint32", "U64": "uint64",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
}  # fmt: skip


class UnsafeCheckpoint(ModelUnavailable):
    """The file asks for code outside the closed set; `names` says which. Nothing of it was run."""

    def __init__(self, path: Path, names: list[str]) -> None:
        some = ", ".join(printable(name) for name in names[:_NAMED])
        rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        super().__init__(
            f"{path.name} was not opened: it asks for {some}{rest}, which no Stable Diffusion checkpoint needs. "
            "Nothing in it was run. Get the file from its original source, or as safetensors."
        )
        self.names = names


@dataclass(frozen=True, slots=True)
class Block:
    """Numbers of one or several tensors; `checksum` is their CRC-32 in a zip file, 0 where torch left it out."""

    start: int
    length: int
    checksum: int


@dataclass(frozen=True, slots=True)
class Region:
    """One tensor: `start` is the file offset of its first element, `stride` in elements."""

    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    start: int
    block: Block | None = None

    @property
    def span(self) -> int:
        """Bytes from the first element to the last."""
        if 0 in self.shape:
            return 0
        last = sum((side - 1) * step for side, step in zip(self.shape, self.stride, strict=True))
        return (last + 1) * ITEM_BYTES[self.dtype]

    @property
    def size(self) -> int:
        """Bytes of its elements."""
        return math.prod(self.shape) * ITEM_BYTES[self.dtype]


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

    def verify(self, file: IO[bytes], keys: Iterable[str]) -> None:
        """Compare the checksums of the blocks in which these tensors lie. Raises ModelUnavailable."""
        for block in {self.regions[key].block for key in keys}:
            if block is not None and block.checksum and _checksum(file, block) != block.checksum:
                raise ModelUnavailable(
                    f"{self.path.name} is damaged: a block of {block.length:,} bytes doesn't have the checksum that "
                    "was written with it. Download it again."
                )


def _checksum(file: IO[bytes], block: Block) -> int:
    file.seek(block.start)
    left, checksum = block.length, 0
    while left > 0 and (data := file.read(min(left, 2**20))):
        left, checksum = left - len(data), zlib.crc32(data, checksum)
    return checksum


def printable(name: str) -> str:
    """A name out of a file, for a sentence: cut, and without what a console or JSON can't show."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name[:120])


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
        raise ModelUnavailable(f"{path} can't be read: {error.strerror or error}.") from error
    except DAMAGED as error:
        raise ModelUnavailable(f"{path.name} is cut short or damaged: its contents make no sense.") from error
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
    entries = _entries(path, file)
    found = [name for name in entries if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(found) != 1:
        raise ModelUnavailable(f"{path.name} is a zip file, but not one that torch saved: it holds no data.pkl.")
    prefix = found[0].removesuffix("data.pkl")
    order = entries.get(f"{prefix}byteorder")
    if order is not None and _entry_bytes(path, file, order) != b"little":
        raise ModelUnavailable(f"{path.name} was saved on a big-endian machine; convert it there.")
    contents = _read(path, io.BytesIO(_entry_bytes(path, file, entries[found[0]])))
    blocks: dict[str, Block] = {}
    for key in {tensor.storage.key for tensor in contents.state_dict().values()}:
        entry = entries.get(f"{prefix}data/{key}")
        if entry is None:
            raise ModelUnavailable(f"{path.name} is incomplete: the numbers of block {printable(key)} are missing.")
        blocks[key] = Block(_entry_start(path, file, entry), entry.file_size, entry.CRC)
    return _archive(path, "zip", size, contents, blocks)


def _entries(path: Path, file: IO[bytes]) -> dict[str, zipfile.ZipInfo]:
    """What a zip file holds, by name; the count is looked at before the list is read."""
    try:
        internals: Any = zipfile  # the end record has no public reader
        end = internals._EndRecData(file)
        if end is not None and end[internals._ECD_ENTRIES_TOTAL] > _ENTRIES_LIMIT:
            raise ModelUnavailable(f"{path.name} lists more entries than a checkpoint has; that is not genuine.")
        if end is not None and end[internals._ECD_SIZE] > _HEADER_LIMIT:
            raise ModelUnavailable(f"{path.name} has a longer list of contents than a checkpoint; that is not genuine.")
        with zipfile.ZipFile(file) as archive:
            return {entry.filename: entry for entry in archive.infolist()}
    except (zipfile.BadZipFile, OSError, *DAMAGED) as error:
        raise ModelUnavailable(f"{path.name} is cut short or damaged (no list of contents at its end).") from error


def _entry_bytes(path: Path, file: IO[bytes], entry: zipfile.ZipInfo) -> bytes:
    if entry.file_size > MAX_PICKLE_BYTES:
        raise ModelUnavailable(
            f"{path.name} has a table of contents of {entry.file_size:,} bytes; that is not genuine."
        )
    file.seek(_entry_start(path, file, entry))
    data = file.read(entry.file_size)
    if entry.CRC and zlib.crc32(data) != entry.CRC:
        raise ModelUnavailable(f"{path.name} is cut short or damaged: its table of contents has the wrong checksum.")
    return data


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
    blocks: dict[str, Block] = {}
    for key in map(storage_key, _read(path, file).value):
        storage = contents.storages.get(key)
        if storage is None:
            raise ModelUnavailable(f"{path.name} is damaged: block {printable(key)} belongs to no tensor.")
        (count,) = struct.unpack("<q", _exactly(path, file, 8))
        length = count * ITEM_BYTES[storage.dtype]
        if not 0 <= length <= size:
            raise ModelUnavailable(f"{path.name} is cut short or damaged: block {printable(key)} is {length:,} bytes.")
        blocks[key] = Block(file.tell(), length, 0)
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


def _archive(path: Path, kind: str, size: int, contents: PickleContents, blocks: Mapping[str, Block]) -> Archive:
    regions: dict[str, Region] = {}
    for key, tensor in contents.state_dict().items():
        block = blocks.get(tensor.storage.key, Block(0, 0, 0))
        item = ITEM_BYTES[tensor.storage.dtype]
        region = Region(tensor.storage.dtype, tensor.shape, tensor.stride, block.start + tensor.offset * item, block)
        _check_region(path, key, region, block.start, min(block.start + block.length, size))
        regions[key] = region
    return Archive(path, kind, size, regions, contents.names)


def _check_region(path: Path, key: str, region: Region, start: int, end: int) -> None:
    sane = len(region.shape) == len(region.stride) and all(number >= 0 for number in (*region.shape, *region.stride))
    if not sane or region.start < start or region.start + region.span > end:
        raise ModelUnavailable(
            f"{path.name} is cut short or damaged: the tensor {printable(key)} reaches beyond its numbers."
        )
    if region.span > _SPREAD * region.size + 2**20:
        raise ModelUnavailable(
            f"{path.name} is damaged: the tensor {printable(key)} lies over {region.span:,} bytes for {region.size:,}."
        )


def _open_safetensors(path: Path, file: IO[bytes]) -> Archive:
    """Format: github.com/huggingface/safetensors#format (length, JSON header, numbers)."""
    size = path.stat().st_size
    try:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > min(_HEADER_LIMIT, size):
            raise ValueError("the header is longer than the file")
        header = json.loads(file.read(length))
        regions = {key: _region(entry, 8 + length) for key, entry in header.items() if key != "__metadata__"}
    except UnknownDtype as error:
        raise ModelUnavailable(
            f"{path.name} stores numbers as {printable(str(error))}, which this bot can't read. Get it as float32, "
            "float16 or bfloat16."
        ) from error
    except DAMAGED as error:
        raise ModelUnavailable(f"{path.name} is cut short or damaged: its header can't be read.") from error
    for key, region in regions.items():
        _check_region(path, key, region, 8 + length, size)
    return Archive(path, "safetensors", size, regions)


class UnknownDtype(Exception):
    """A number format of safetensors that is not in the list above; its text is the format's name."""


def _region(entry: Mapping[str, Any], base: int) -> Region:
    shape, (begin, end) = tuple(entry["shape"]), entry["data_offsets"]
    numbers = (*shape, begin, end)
    if len(shape) > MAX_DIMENSIONS or not all(type(one) is int and 0 <= one < MAX_NUMBER for one in numbers):
        raise ValueError("no shape that a tensor has")
    dtype = _SAFETENSORS_DTYPES.get(entry["dtype"])
    if dtype is None:
        raise UnknownDtype(entry["dtype"])
    strides: list[int] = []
    step = 1
    for side in reversed(shape):
        strides.append(step)
        step *= side
    return Region(dtype, shape, tuple(reversed(strides)), base + begin)
