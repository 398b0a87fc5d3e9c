"""A torch checkpoint's pickle, read as data: every name in it becomes an inert object of ours, nothing is imported.

A pickle is a program that names functions and calls them. Here the only things it can call are the objects below, which
record tensors or do nothing at all; names outside the closed set of NAMES are kept, and the caller refuses the file by
them. Invariants: `find_class` never imports; a pickle can change nothing that it holds but dicts, lists and sets; the
pure-Python unpickler is used because the C one allocates memory for whatever index a damaged file claims.

A pickle of a few bytes can also ask for endless work: nested tuples that double with each level when they are hashed or
printed, keys that collide, copies of copies. So everything is bounded: names, keys and dimensions here, bytes and
operations in `pickle_reader.py`.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, cast

MAX_NAME_LENGTH = 200
MAX_DIMENSIONS = 16
MAX_NUMBER = 2**62
MAX_COPIES = 500_000  # items of dicts that are made from others, in one pickle
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
    "bool": 1, "uint16": 2, "uint32": 4, "uint64": 8, "float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1,
    "float8_e5m2fnuz": 1, "float8_e8m0fnu": 1,
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

    def __setitem__(self, key: Any, value: Any) -> None: ...
    def append(self, item: Any) -> None: ...
    def extend(self, items: Any) -> None: ...
    def add(self, item: Any) -> None: ...


class Name(Inert):
    """A class or function by its name alone; calling it, or making an instance of it, gives an inert object."""

    __slots__ = ()

    def __call__(self, *_arguments: Any, **_named: Any) -> Inert:
        return Inert()


class Mapped(dict[Any, Any]):
    """What an OrderedDict becomes; attributes set on the original (`_metadata`) are dropped."""

    __slots__ = ()


class _MakeMapping(Name):
    """OrderedDict, defaultdict or dict. `left` bounds how many items are copied in one pickle."""

    __slots__ = ("left",)
    left: int

    def __new__(cls, *_arguments: Any, **_named: Any) -> Any:
        if not isinstance(cast("Any", cls), type):  # a pickle makes an instance of what stands for OrderedDict
            return Mapped()
        made: Any = object.__new__(_MakeMapping)
        made.left = MAX_COPIES
        return made

    def __call__(self, *arguments: Any, **_named: Any) -> Any:
        items: Any = arguments[0] if arguments else ()
        if not isinstance(items, list | dict):
            return Mapped()
        pairs = list(cast("Any", items.items() if isinstance(items, dict) else items))
        self.left -= len(pairs)
        if self.left < 0:
            raise pickle.UnpicklingError("too many copies")
        check_keys([pair[0] for pair in pairs])
        return Mapped(pairs)


class StorageType(Name):
    """torch.FloatStorage and the like."""

    __slots__ = ("dtype",)
    dtype: str

    def __new__(cls, dtype: str) -> Any:
        made = object.__new__(cls)
        object.__setattr__(made, "dtype", dtype)
        return made

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(name)


class _Dtype(StorageType):
    """torch.float16 and the like."""

    __slots__ = ()


class _Rebuild(Name):
    """torch._utils._rebuild_tensor_v2 and its older form: (storage, offset, size, stride, …)."""

    __slots__ = ()

    def __call__(self, *arguments: Any, **_named: Any) -> Any:
        storage, offset, shape, stride = arguments[:4]
        if not isinstance(storage, Storage):
            raise pickle.UnpicklingError("a tensor without its numbers")
        return StoredTensor(storage, number(offset), _numbers(shape), _numbers(stride))


class _RebuildTyped(_Rebuild):
    """_rebuild_tensor_v3, for dtypes without a storage class of their own: the seventh argument names the dtype."""

    __slots__ = ()

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        tensor = super().__call__(*arguments, **named)
        dtype = arguments[6]
        if not isinstance(dtype, _Dtype):
            raise pickle.UnpicklingError("a tensor without a dtype")
        return replace(tensor, storage=replace(tensor.storage, dtype=dtype.dtype))


def number(value: Any) -> int:
    """A whole number that a tensor may have as size or place. Raises UnpicklingError."""
    if not isinstance(value, int) or not -MAX_NUMBER < value < MAX_NUMBER:
        raise pickle.UnpicklingError("a number that no tensor has")
    return value


def _numbers(values: Any) -> tuple[int, ...]:
    if not isinstance(values, tuple | list) or len(cast("Any", values)) > MAX_DIMENSIONS:
        raise pickle.UnpicklingError("more dimensions than a tensor has")
    return tuple(number(value) for value in cast("Any", values))


def check_keys(keys: Iterable[Any]) -> None:
    """Raise UnpicklingError for a key whose hash takes long to compute or can be made to collide."""
    for key in keys:
        is_plain = key is None or isinstance(key, str | bytes | float | Inert)
        if not is_plain and not (isinstance(key, int) and -MAX_NUMBER < 4 * key < MAX_NUMBER):
            raise pickle.UnpicklingError("a key that no checkpoint has")


def storage_key(key: Any) -> str:
    """The name of a block of numbers: torch numbers them through. Raises UnpicklingError for anything else."""
    if isinstance(key, int):
        return str(number(key))
    if not isinstance(key, str) or len(key) > MAX_NAME_LENGTH:
        raise pickle.UnpicklingError("a block without a name")
    return key


class _RebuildParameter(Name):
    __slots__ = ()

    def __call__(self, *arguments: Any, **_named: Any) -> Any:
        return arguments[0]


class _Bytes(Name):
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
    *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in (
        "set", "frozenset", "list", "tuple", "int", "float", "bool", "str", "bytes", "bytearray", "complex", "slice",
        "long", "unicode",
    )),
)  # fmt: skip


def known_names() -> dict[str, Any]:
    """Fresh objects for every load, so that one file can't change what the next one meets."""
    names: dict[str, Any] = dict.fromkeys(_HARMLESS, Name())
    mappings = ("collections.OrderedDict", "collections.defaultdict", "builtins.dict", "__builtin__.dict")
    names |= dict.fromkeys(mappings, _MakeMapping())
    names |= {f"torch.{dtype}": _Dtype(dtype) for dtype in ITEM_BYTES}
    names["torch.storage.UntypedStorage"] = StorageType("uint8")
    names |= {f"torch.{name}": StorageType(dtype) for name, dtype in DTYPES.items()}
    names |= {f"torch._utils.{name}": _Rebuild() for name in ("_rebuild_tensor", "_rebuild_tensor_v2")}
    names["torch._utils._rebuild_tensor_v3"] = _RebuildTyped()
    names["torch._utils._rebuild_parameter"] = _RebuildParameter()
    names["_codecs.encode"] = _Bytes()
    return names


KNOWN = frozenset(known_names())
