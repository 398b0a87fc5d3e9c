"""Pickles that mean harm end in a refusal: no code, no hang, no claimed memory; picklescan sees what we see."""

from __future__ import annotations

import io
import pickle
import random
from pathlib import Path
from zipfile import ZipFile

import pytest
import torch
from picklescan.scanner import SafetyLevel, scan_pickle_bytes

from domain import ModelUnavailable
from engine.checkpoint.archive import UnsafeCheckpoint, open_archive
from engine.checkpoint.pickle_reader import MAX_OPERATIONS, read_pickle
from engine.checkpoint.safe_pickle import DAMAGED, Inert, Mapped, StoredTensor
from scripts.hostile.pickles import (
    CALLS,
    MAKERS,
    PROTO,
    STOP,
    colliding,
    deep_keys,
    doubling,
    evil_call,
    name,
    storage,
    tensor,
    text,
    wrapped,
)

DEEP_KEYS = deep_keys(doubling(80))


def read(program: bytes) -> object:
    return read_pickle(io.BytesIO(program)).value


@pytest.mark.parametrize("program", DEEP_KEYS.values(), ids=DEEP_KEYS)
def test_a_key_that_doubles_with_each_level_is_refused_at_once(program: bytes) -> None:
    with pytest.raises(DAMAGED):
        read(b"\x80\x04" + program + STOP)


def test_keys_that_collide_are_refused() -> None:
    keys = b"".join(colliding(n) + b"N" for n in range(2, 50))
    with pytest.raises(pickle.UnpicklingError, match="a key"):
        read(PROTO + b"}(" + keys + b"u" + STOP)


@pytest.mark.parametrize(
    "program",
    [
        b"}" * (MAX_OPERATIONS + 1),
        b"\x96" + (2**50).to_bytes(8, "little"),
        b"\x8e" + (2**50).to_bytes(8, "little"),
        b"\x8d" + (2**40).to_bytes(8, "little"),
        b"\x95" + (2**45).to_bytes(8, "little"),
        b"T" + (2**31 - 1).to_bytes(4, "little"),
        b"\x8b" + (2**31 - 1).to_bytes(4, "little"),
        text("a" * 1000) + b"q\x00h\x00h\x00\x93",
        b"}(" + b"".join(b"J" + n.to_bytes(4, "little") + b"N" for n in range(5_000)) + b"uq\x00"
        + (name("collections OrderedDict") + b"h\x00\x85R") * 300,
    ],
    ids=["dicts", "bytearray", "bytes", "text", "frame", "string", "long", "name", "copies"],
)  # fmt: skip
def test_what_claims_too_much_is_refused(program: bytes) -> None:
    with pytest.raises(DAMAGED):
        read(b"\x80\x04" + program + STOP)


def test_a_copy_budget_is_not_renewed_by_making_another_maker() -> None:
    block = b"}(" + b"".join(b"J" + n.to_bytes(4, "little") + b"N" for n in range(5_000)) + b"uq\x00"
    again = name("collections OrderedDict") + b")\x81h\x00\x85R"
    with pytest.raises(DAMAGED):
        read(PROTO + block + again * 300 + STOP)


@pytest.mark.parametrize(
    "program",
    [
        storage(text("0")) + b"(N}" + text("key") + b"K\x07stb",
        storage(text("0")) + b"](K\x01K\x02K\x03eb",
        tensor(storage(text("0"))) + b"](K\x01K\x02K\x03K\x04eb",
        tensor(storage(text("0"))) + b"}" + text("shape") + b"Nsb",
        b"}}" + text("a") + b"K\x01sb",
    ],
    ids=["slots of a block", "fields of a block", "fields of a tensor", "a tensor's attribute", "a plain dict"],
)
def test_build_changes_nothing(program: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError, match="a state"):
        read(PROTO + program + STOP)


def test_build_on_what_stands_for_an_object_is_ignored() -> None:
    value = read(PROTO + name("collections OrderedDict") + b")R}" + text("_metadata") + b"Nsb" + STOP)
    assert value == Mapped()
    assert not vars(type(value)).keys() & {"_metadata"}
    made = read(PROTO + name("numpy dtype") + b")R}" + text("x") + b"Nsb" + STOP)
    assert isinstance(made, Inert)
    assert not hasattr(made, "x")
    kept = read(PROTO + name("torch FloatStorage") + b"}" + text("dtype") + text("evil") + b"sb" + STOP)
    assert getattr(kept, "dtype", "") == "float32"


@pytest.mark.parametrize(
    "block",
    [text("numbers"), b"N", b"K\x07", name("torch FloatStorage"), name("collections OrderedDict") + b")R"],
    ids=["text", "nothing", "a number", "a type", "a dict"],
)
def test_a_tensor_without_its_numbers_is_a_refusal(tmp_path: Path, block: bytes) -> None:
    program = PROTO + b"}" + text("a") + tensor(block) + b"s" + STOP
    with pytest.raises(pickle.UnpicklingError, match="without its numbers"):
        read(program)
    path = tmp_path / "model.ckpt"
    for seed in range(12):
        path.write_bytes(wrapped(random.Random(seed), program))
        with pytest.raises(ModelUnavailable, match="cut short or damaged"):
            open_archive(path)


@pytest.mark.parametrize(
    "shape", [b"(" + b"K\x02" * 17 + b"t", b"\x8a\x09" + (2**65).to_bytes(9, "little") + b"\x85", b"N"]
)
def test_a_shape_that_no_tensor_has_is_refused(shape: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError):
        read(PROTO + tensor(storage(text("0")), shape=shape) + STOP)


def test_a_genuine_tensor_is_read() -> None:
    value = read(PROTO + tensor(storage(text("7"), 4)) + STOP)
    assert isinstance(value, StoredTensor)
    assert (value.storage.key, value.storage.dtype, value.shape, value.stride) == ("7", "float32", (4,), (1,))


def typed_tensor(dtype: bytes) -> bytes:
    """_rebuild_tensor_v3 of the code of a dtype."""
    block = storage(text("0")) + b"K\x00" + b"K\x04\x85" + b"K\x01\x85"
    return name("torch._utils _rebuild_tensor_v3") + b"(" + block + b"\x89" + b"}" + dtype + b"tR"


def test_a_dtype_without_a_storage_class_is_read_as_torch_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    torch.save({"a": torch.tensor([1, 2, 3, 4], dtype=torch.uint16)}, path)
    with ZipFile(path) as file:
        (pickled,) = [file.read(entry) for entry in file.namelist() if entry.endswith("data.pkl")]
    tensor_read = read_pickle(io.BytesIO(pickled)).state_dict()["a"]
    assert (tensor_read.storage.dtype, tensor_read.shape) == ("uint16", (4,))


@pytest.mark.parametrize("dtype", [b"N", text("uint16"), name("torch FloatStorage")], ids=["none", "text", "a storage"])
def test_a_tensor_without_a_dtype_is_a_refusal(dtype: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError, match="without a dtype"):
        read(PROTO + typed_tensor(dtype) + STOP)


def test_a_dict_is_made_of_what_comes_first_whatever_comes_after() -> None:
    pairs = b"](" + text("a") + b"K\x01\x86e"
    assert read(PROTO + name("collections OrderedDict") + pairs + b"]\x86R" + STOP) == {"a": 1}


def test_a_frozen_set_is_read_and_its_members_are_checked() -> None:
    assert read(b"\x80\x04(" + text("a") + b"\x91" + STOP) == frozenset({"a"})
    with pytest.raises(pickle.UnpicklingError, match="a key"):
        read(b"\x80\x04(" + colliding(2) + b"\x91" + STOP)


@pytest.mark.parametrize("parts", [b"", text("storage"), b"NNNN"], ids=["none", "one", "four"])
def test_a_block_without_all_of_its_description_is_refused(parts: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError, match="without a description"):
        read(PROTO + b"(" + parts + b"tQ" + STOP)


@pytest.mark.parametrize("kind", [text("module"), text("tensor"), b"N"], ids=["earlier", "later", "nothing"])
def test_a_block_of_another_kind_is_refused(kind: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError, match="holds no numbers"):
        read(PROTO + b"(" + kind + name("torch FloatStorage") + text("0") + text("cpu") + b"K\x04tQ" + STOP)


@pytest.mark.parametrize("call", CALLS)
def test_what_picklescan_calls_dangerous_is_refused_here(tmp_path: Path, call: str) -> None:
    program = PROTO + name(call) + text("x") + b"\x85R" + STOP
    found = scan_pickle_bytes(io.BytesIO(program), "a.pkl").globals
    assert {f"{one.module}.{one.name}" for one in found} == {call.replace(" ", ".")}
    path = tmp_path / "model.ckpt"
    for seed in range(6):
        path.write_bytes(wrapped(random.Random(seed), program))
        with pytest.raises(UnsafeCheckpoint):
            open_archive(path)


@pytest.mark.parametrize("seed", range(60))
def test_no_name_that_picklescan_finds_is_missed(tmp_path: Path, seed: int) -> None:
    program = evil_call(random.Random(seed), str(tmp_path / "mark"))
    dangerous = [
        one for one in scan_pickle_bytes(io.BytesIO(program), "a").globals if one.safety is SafetyLevel.Dangerous
    ]
    contents = read_pickle(io.BytesIO(program))
    assert {f"{one.module}.{one.name}" for one in dangerous} <= set(contents.refused)
    assert contents.refused
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("kind", [kind for kind in MAKERS if kind != "memory"])
def test_every_kind_of_hostile_file_ends_in_a_sentence(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "model.ckpt"
    for seed in range(25):
        dice = random.Random(f"{kind} {seed}")
        path.write_bytes(wrapped(dice, MAKERS[kind](dice, str(tmp_path / "mark"))))
        try:
            regions = open_archive(path).regions
        except ModelUnavailable:
            continue
        assert regions.keys() <= {"a"}
    assert not (tmp_path / "mark").exists()


def test_a_sentence_shows_few_names_and_no_control_characters(tmp_path: Path) -> None:
    calls = b"".join(f"cevil\n\x1b[31m{n}\n0".encode() for n in range(500))
    path = tmp_path / "model.ckpt"
    path.write_bytes(PROTO + calls + b"N" + STOP)
    with pytest.raises(UnsafeCheckpoint) as caught:
        open_archive(path)
    assert str(caught.value).isprintable()
    assert "and 495 more" in str(caught.value)
