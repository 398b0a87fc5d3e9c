"""Reading one pickle with bounds on bytes and operations; what its names mean is in `safe_pickle.py`."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, cast

from engine.checkpoint.safe_pickle import (
    KNOWN,
    MAX_NAME_LENGTH,
    Inert,
    Mapped,
    Name,
    Storage,
    StorageType,
    StoredTensor,
    check_keys,
    known_names,
    number,
    storage_key,
)

MAX_PICKLE_BYTES = 64 * 2**20
# The largest Waifu Diffusion file has 3,200 tensors of about 40 operations each.
MAX_OPERATIONS = 600_000
WRAPPERS = ("state_dict", "model_state_dict", "model", "module")
MAX_WRAPPERS = 4
PARALLEL = "module."  # what training on several devices puts before each name


class _Bounded:
    """A file of which one pickle may read only so much, so that a claimed length allocates nothing."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left = MAX_PICKLE_BYTES

    def read(self, count: int) -> bytes:
        """At most `count` bytes."""
        self._take(count)
        return self._file.read(count)

    def readline(self) -> bytes:
        """A line of at most the bytes that are left."""
        data = self._file.readline(self._left + 1)
        self._take(len(data))
        return data

    def _take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise pickle.UnpicklingError("longer than a checkpoint's table of contents")


class _Operations(dict[int, Any]):
    """What each code of a pickle does; looking one up counts as an operation."""

    __slots__ = ("left",)

    def __init__(self, operations: Mapping[int, Any]) -> None:
        super().__init__(operations)
        self.left = MAX_OPERATIONS

    def __getitem__(self, code: int) -> Any:
        self.left -= 1
        if self.left < 0:
            raise pickle.UnpicklingError("more operations than a checkpoint's table of contents takes")
        return super().__getitem__(code)


class _Reader(pickle._Unpickler):  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue, reportUntypedBaseClass]
    stack: list[Any]

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(_Bounded(file), encoding="latin-1")
        self.names: set[str] = set()
        self.storages: dict[str, Storage] = {}
        # The operations of this one reader, because they are counted.
        self.dispatch = _Operations(_OPERATIONS)  # pyright: ignore[reportAttributeAccessIssue]
        self._known = known_names()

    def find_class(self, module: str, name: str) -> Any:
        if len(module) + len(name) > MAX_NAME_LENGTH:
            raise pickle.UnpicklingError("a name that is too long")
        full = f"{module}.{name}"
        self.names.add(full)
        return self._known.get(full) or Name()

    def persistent_load(self, pid: Any) -> Storage:
        if not isinstance(pid, tuple) or len(cast("Any", pid)) < 5:
            raise pickle.UnpicklingError("a block without a description")
        kind, storage_type, key, _location, numel = cast("tuple[Any, ...]", pid[:5])
        if not isinstance(kind, str) or kind != "storage" or not isinstance(storage_type, StorageType):
            raise pickle.UnpicklingError("a block that holds no numbers")
        name = storage_key(key)
        return self.storages.setdefault(name, Storage(storage_type.dtype, name, number(numel)))

    def skip_state(self) -> None:
        """BUILD: what stands for objects takes no state, and nothing else may get one."""
        self.stack.pop()
        if not isinstance(self.stack[-1], Inert | Mapped):
            raise pickle.UnpicklingError("a state for something that has none")

    def refuse(self) -> None:
        """BYTEARRAY8 allocates what it claims; buffers outside the pickle are none of a file."""
        raise pickle.UnpicklingError("an operation that no checkpoint needs")

    def set_item(self) -> None:
        check_keys(self.stack[-2:-1])
        _PLAIN[pickle.SETITEM[0]](self)

    def set_items(self) -> None:
        check_keys(self.stack[::2])
        _PLAIN[pickle.SETITEMS[0]](self)

    def make_dict(self) -> None:
        check_keys(self.stack[::2])
        _PLAIN[pickle.DICT[0]](self)

    def add_items(self) -> None:
        check_keys(self.stack)
        _PLAIN[pickle.ADDITEMS[0]](self)

    def make_frozenset(self) -> None:
        check_keys(self.stack)
        _PLAIN[pickle.FROZENSET[0]](self)


_PLAIN: Mapping[int, Any] = cast("Any", _Reader).dispatch
_OPERATIONS: Mapping[int, Any] = {
    **_PLAIN,
    pickle.BUILD[0]: _Reader.skip_state,
    pickle.BYTEARRAY8[0]: _Reader.refuse,
    pickle.NEXT_BUFFER[0]: _Reader.refuse,
    pickle.READONLY_BUFFER[0]: _Reader.refuse,
    pickle.SETITEM[0]: _Reader.set_item,
    pickle.SETITEMS[0]: _Reader.set_items,
    pickle.DICT[0]: _Reader.make_dict,
    pickle.ADDITEMS[0]: _Reader.add_items,
    pickle.FROZENSET[0]: _Reader.make_frozenset,
}


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
        """The tensors at the top, or in the first of WRAPPERS that holds a dict, however they are nested."""
        items = as_dict(self.value)
        for _ in range(MAX_WRAPPERS):
            inner = next((items[name] for name in WRAPPERS if isinstance(items.get(name), dict)), None)
            if inner is None:
                break
            items = as_dict(inner)
        tensors = {key: t for key, t in items.items() if isinstance(key, str) and isinstance(t, StoredTensor)}
        if tensors and all(key.startswith(PARALLEL) for key in tensors):
            return {key.removeprefix(PARALLEL): tensor for key, tensor in tensors.items()}
        return tensors


def read_pickle(file: IO[bytes]) -> PickleContents:
    """Read one pickle from where the file stands to its end mark. Raises one of DAMAGED."""
    reader: Any = _Reader(file)
    value = reader.load()
    return PickleContents(value, frozenset(reader.names), reader.storages)
