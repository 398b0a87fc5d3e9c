"""Pickles that want to run code, hang, or take all memory; each as the bytes of one program."""

from __future__ import annotations

import io
import pickle
import random
import struct
import zipfile
from collections.abc import Callable

CALLS = (
    "os system", "posix system", "nt system", "subprocess Popen", "subprocess check_output", "builtins exec",
    "builtins eval", "builtins getattr", "builtins __import__", "builtins compile", "runpy run_path", "pty spawn",
    "importlib import_module", "operator attrgetter", "functools partial", "webbrowser open",
    "socket create_connection",
    "torch load", "torch.hub load", "numpy load", "pickle loads", "sys exit", "shutil rmtree", "pathlib Path.unlink",
    "torch.jit._script unpackage_script_module", "code InteractiveInterpreter", "asyncio.unix_events _UnixSubprocess",
)  # fmt: skip
PROTO = b"\x80\x02"
STOP = b"."


def text(value: str) -> bytes:
    """BINUNICODE."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def name(path: str) -> bytes:
    """GLOBAL."""
    module, attribute = path.split(" ")
    return f"c{module}\n{attribute}\n".encode()


def storage(key: bytes, count: int = 4) -> bytes:
    """A block of numbers by its persistent id; `key` is the code that makes its name."""
    return (
        b"("
        + text("storage")
        + name("torch FloatStorage")
        + key
        + text("cpu")
        + b"J"
        + struct.pack("<i", count)
        + b"tQ"
    )


def tensor(block: bytes, shape: bytes = b"K\x04\x85", stride: bytes = b"K\x01\x85") -> bytes:
    """_rebuild_tensor_v2 of the code of a block."""
    return name("torch._utils _rebuild_tensor_v2") + b"(" + block + b"K\x00" + shape + stride + b"\x89" + b"}" + b"tR"


def evil_call(dice: random.Random, mark: str) -> bytes:
    """A call of something that runs code, by one of the ways that pickle has."""
    module, attribute = dice.choice(CALLS).split(" ")
    command = text(f"touch {mark}")
    ways = (
        f"c{module}\n{attribute}\n".encode() + command + b"\x85R",
        text(module) + text(attribute) + b"\x93" + command + b"\x85R",
        b"(" + command + f"i{module}\n{attribute}\n".encode(),
        f"c{module}\n{attribute}\n".encode() + command + b"\x85\x81",
        b"(" + f"c{module}\n{attribute}\n".encode() + command + b"o",
        name("collections OrderedDict") + b")R" + f"c{module}\n{attribute}\n".encode() + command + b"\x85Rb",
    )
    return b"\x80\x04" + dice.choice(ways) + STOP


def doubling(levels: int) -> bytes:
    """A tuple whose printing or hashing takes 2**levels steps."""
    return b"K\x01\x85" + b"2\x86" * levels


def deep_keys(deep: bytes) -> dict[str, bytes]:
    """Programs that use `deep` where something is hashed or compared, by the place."""
    return {
        "block's name": tensor(storage(deep)),
        "storage": b"(" + text("storage") + deep + text("0") + text("cpu") + b"K\x04tQ",
        "kind": b"(" + deep + name("torch FloatStorage") + text("0") + text("cpu") + b"K\x04tQ",
        "item": b"}" + deep + b"K\x01s",
        "items": b"}(" + deep + b"K\x01u",
        "dict": b"(" + deep + b"K\x01d",
        "set": b"\x8f(" + deep + b"\x90",
        "frozenset": b"(" + deep + b"\x91",
        "ordered": name("collections OrderedDict") + b"](" + deep + b"K\x01\x86e\x85R",
    }


def hangs(dice: random.Random, _mark: str) -> bytes:
    """Few bytes, endless work: where something is printed, hashed or compared."""
    deep = doubling(dice.randrange(30, 90))
    programs = (
        *deep_keys(deep).values(),
        deep,
        tensor(storage(text("0")), shape=b"(" + b"\x8a\xff" + b"\x7f" * 255 + b"2" * 2000 + b"t"),
    )
    return PROTO + dice.choice(programs) + STOP


def memory(dice: random.Random, _mark: str) -> bytes:
    """Objects without end, or one that claims to be huge."""
    count = 2 ** dice.randrange(16, 23)
    claim = struct.pack("<Q", 2 ** dice.randrange(30, 60))
    programs: tuple[Callable[[], bytes], ...] = (
        lambda: b"}" * count,
        lambda: b"\x8f" * count,
        lambda: b"]\x94" * count,
        lambda: b"\x96" + claim + b"x",
        lambda: b"\x8e" + claim + b"x",
        lambda: b"\x8d" + claim + b"x",
        lambda: b"\x8b" + struct.pack("<i", 2**31 - 1) + b"\x01",
        lambda: b"\x95" + claim + b"x",
        lambda: b"T" + struct.pack("<I", 2**31 - 1) + b"x",
        lambda: numbers(20_000) + b"q\x00" + (name("collections OrderedDict") + b"h\x00\x85R") * 4_000,
        lambda: text("a" * 2**20) + b"q\x00" + b"h\x00h\x00\x930" * 50_000,
        lambda: b"}(" + b"".join(colliding(n) + b"N" for n in range(60_000)) + b"u",
    )
    return b"\x80\x04" + dice.choice(programs)() + STOP


def numbers(count: int) -> bytes:
    """A dict of that many numbers."""
    return b"}(" + b"".join(b"J" + struct.pack("<i", n) + b"K\x01" for n in range(count)) + b"u"


def colliding(number: int) -> bytes:
    """LONG1: one of the numbers whose hash is 0."""
    return b"\x8a\x0a" + ((2**61 - 1) * number).to_bytes(10, "little")


def changed_state(dice: random.Random, _mark: str) -> bytes:
    """BUILD on what must not change, and tensors without numbers."""
    programs = (
        storage(text("0")) + b"(N}" + text("key") + b"K\x07stb",
        tensor(storage(text("0"))) + b"]" + b"K\x01ab",
        tensor(text("none")),
        name("torch FloatStorage") + b"}" + text("dtype") + text("none") + b"sb",
        name("torch._utils _rebuild_tensor_v2") + b")R",
        name("torch._utils _rebuild_tensor_v3") + b"(" + storage(text("0")) + b"K\x00K\x04\x85K\x01\x85\x89}Nt" + b"R",
        storage(b"K\x07") + storage(b"N"),
        name("collections OrderedDict") + b"K\x05\x85R",
    )
    return PROTO + dice.choice(programs) + STOP


def noise(dice: random.Random, _mark: str) -> bytes:
    """Random operations, most of them valid ones, with random arguments."""
    body = b"".join(
        dice.choice((bytes((dice.choice(_CODES),)), name("torch FloatStorage"), text("storage"), b"K\x01", b"}", b"("))
        for _ in range(dice.randrange(3, 400))
    )
    return b"\x80\x04" + body + STOP


_CODES = sorted({value[0] for value in vars(pickle).values() if isinstance(value, bytes) and len(value) == 1})
MAKERS: dict[str, Callable[[random.Random, str], bytes]] = {
    "code": evil_call,
    "hang": hangs,
    "memory": memory,
    "state": changed_state,
    "noise": noise,
}


def wrapped(dice: random.Random, program: bytes) -> bytes:
    """A program as torch would store it: bare, as the object of a legacy stream, or in a zip file."""
    way = dice.randrange(3)
    if way == 0:
        return program
    if way == 1:
        system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
        head = b"".join(pickle.dumps(one, 2) for one in (0x1950A86A20F9469CFC6C, 1001, system))
        return head + program + pickle.dumps(["0"], 2) + struct.pack("<q", 4) + bytes(16)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/data/0", bytes(16))
    return buffer.getvalue()
