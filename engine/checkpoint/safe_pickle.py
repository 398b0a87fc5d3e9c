"""A torch checkpoint's pickle, read as data: every name in it becomes an inert object of ours, nothing is imported.

A pickle is a program that names functions and calls them. Here the only things it can call are the objects below, which
record tensors or do nothing at all; names outside the closed set of NAMES are kept, and the caller refuses the file by
them. Invariants: `find_class` never imports; what it returns has no attributes that a pickle could set; the pure-Python
unpickler is used because the C one allocates memory for whatever index a damaged file claims.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, cast

DTYPES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
ITEM_BYTES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1,
    "bool": 1,
}  # fmt: skip

DAMAGED = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError, KeyError, OverflowError,
    AssertionError, RecursionError, MemoryError, NotImplementedError, struct.error,
)  # fmt: skip
"""What the unpickler raises on bytes that are no pickle, or on one that asks for more than ours can do."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A block of numbers elsewhere in the file."""

    dtype: str
    key: str
    numel: int


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A view of a block: `offset` and `stride` in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class Inert:
    """Stands for any harmless object: takes every argument and state, keeps nothing."""

    __slots__ = ()

    def __new__(cls, *_arguments: Any, **_named: Any) -> Any:
        # A pickle makes instances by `name.__new__(name, …)`, and its names are instances of ours, not types.
        return object.__new__(cls if isinstance(cast("Any", cls), type) else Inert)

    def __setstate__(self, state: Any) -> None: ...
    def __setitem__(self, key: Any, value: Any) -> None: ...
    def append(self, item: Any) -> None: ...
    def extend(self, items: Any) -> None: ...
    def add(self, item: Any) -> None: ...


class _Name(Inert):
    """A class or function by its name alone; calling it, or making an instance of it, gives an inert object."""

    __slots__ = ()

    def __call__(self, *_arguments: Any, **_named: Any) -> Inert:
        return Inert()


class _Mapping(dict[Any, Any]):
    """What an OrderedDict becomes; attributes set on the original (`_metadata`) are dropped."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None: ...


class _MakeMapping(_Name):
    __slots__ = ()

    def __call__(self, *arguments: Any, **_named: Any) -> Any:
        items: Any = arguments[0] if arguments else ()
        return _Mapping(cast("dict[Any, Any]", items)) if isinstance(items, list | dict) else _Mapping()


class _StorageType(_Name):
    __slots__ = ("dtype",)
    dtype: str

    def __new__(cls, dtype: str) -> Any:
        made = object.__new__(cls)
        object.__setattr__(made, "dtype", dtype)
        return made

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(name)


class _Rebuild(_Name):
    """torch._utils._rebuild_tensor_v2 and its older form: (storage, offset, size, stride, …)."""

    __slots__ = ()

    def __call__(self, *arguments: Any, **_named: Any) -> Any:
        storage, offset, shape, stride = arguments[:4]
        if not isinstance(storage, Storage):
            raise pickle.UnpicklingError("a tensor without its numbers")
        return StoredTensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, stride)))


class _RebuildParameter(_Name):
    __slots__ = ()

    def __call__(self, *arguments: Any, **_named: Any) -> Any:
        return arguments[0]


class _Bytes(_Name):
    """_codecs.encode, with which protocol 2 writes byte strings (numpy scalars hold one)."""

    __slots__ = ()

    def __call__(self, *_arguments: Any, **_named: Any) -> Any:
        return b""


_LIGHTNING = (
    "callbacks.model_checkpoint.ModelCheckpoint", "callbacks.early_stopping.EarlyStopping",
    "callbacks.lr_monitor.LearningRateMonitor", "callbacks.gpu_stats_monitor.GPUStatsMonitor",
    "callbacks.device_stats_monitor.DeviceStatsMonitor", "callbacks.timer.Timer",
    "callbacks.progress.base.ProgressBarBase", "callbacks.progress.tqdm_progress.TQDMProgressBar",
    "callbacks.stochastic_weight_avg.StochasticWeightAveraging", "utilities.parsing.AttributeDict",
)  # fmt: skip
_COMPVIS = ("SetupCallback", "ImageLogger", "CUDACallback")  # classes of the training script that saved the file
_HARMLESS = (
    *(f"{package}.{name}" for package in ("pytorch_lightning", "lightning.pytorch") for name in _LIGHTNING),
    *(f"{script}.{name}" for script in ("main", "__main__") for name in _COMPVIS),
    *(f"omegaconf.{name}" for name in (
        "dictconfig.DictConfig", "listconfig.ListConfig", "base.Metadata", "base.ContainerMetadata", "nodes.AnyNode",
        "nodes.StringNode", "nodes.IntegerNode", "nodes.FloatNode", "nodes.BooleanNode",
    )),
    *(f"{module}.multiarray.{name}" for module in ("numpy.core", "numpy._core") for name in ("scalar", "_reconstruct")),
    "numpy.dtype", "numpy.ndarray", "numpy.dtypes.Float64DType", "numpy.dtypes.Float32DType", "numpy.dtypes.Int64DType",
    "typing.Any", "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.PurePosixPath", "datetime.datetime",
    "datetime.timedelta", "torch.Size", "torch.device", "torch.dtype",
    *(f"torch.{name}" for name in ITEM_BYTES),
    *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in (
        "set", "frozenset", "list", "tuple", "int", "float", "bool", "str", "bytes", "bytearray", "complex", "slice",
        "long", "unicode",
    )),
)  # fmt: skip


def _known_names() -> dict[str, Any]:
    """Fresh objects for every load, so that one file can't change what the next one meets."""
    names: dict[str, Any] = dict.fromkeys(_HARMLESS, _Name())
    mappings = ("collections.OrderedDict", "collections.defaultdict", "builtins.dict", "__builtin__.dict")
    names |= dict.fromkeys(mappings, _MakeMapping())
    names |= {f"torch.{name}": _StorageType(dtype) for name, dtype in DTYPES.items()}
    names |= {f"torch._utils.{name}": _Rebuild() for name in ("_rebuild_tensor", "_rebuild_tensor_v2")}
    names["torch._utils._rebuild_parameter"] = _RebuildParameter()
    names["_codecs.encode"] = _Bytes()
    return names


KNOWN = frozenset(_known_names())


class _Reader(pickle._Unpickler):  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue, reportUntypedBaseClass]
    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="latin-1")
        self.names: set[str] = set()
        self.storages: dict[str, Storage] = {}
        self._known = _known_names()

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        self.names.add(full)
        return self._known.get(full) or _Name()

    def persistent_load(self, pid: Any) -> Storage:
        kind, storage_type, key, _location, numel = pid[:5]
        if kind != "storage" or not isinstance(storage_type, _StorageType):
            raise pickle.UnpicklingError(f"a block of kind {kind!r}")
        return self.storages.setdefault(str(key), Storage(storage_type.dtype, str(key), int(numel)))


def as_dict(value: Any) -> dict[Any, Any]:
    """The value if it is a dict, else an empty one."""
    return cast("dict[Any, Any]", value) if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class PickleContents:
    """The value of a pickle, with tensors as StoredTensor, and every name and every block that it mentions."""

    value: Any
    names: frozenset[str]
    storages: Mapping[str, Storage]

    @property
    def refused(self) -> list[str]:
        """Names outside the closed set: reason enough not to use the file."""
        return sorted(self.names - KNOWN)

    def state_dict(self) -> dict[str, StoredTensor]:
        """The tensors under `state_dict`, or at the top where there is no such key."""
        top = as_dict(self.value)
        items = as_dict(top.get("state_dict", top))
        return {key: value for key, value in items.items() if isinstance(key, str) and isinstance(value, StoredTensor)}


def read_pickle(file: IO[bytes]) -> PickleContents:
    """Read one pickle from where the file stands to its end mark. Raises one of DAMAGED."""
    reader: Any = _Reader(file)
    value = reader.load()
    return PickleContents(value, frozenset(reader.names), reader.storages)
