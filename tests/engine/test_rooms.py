"""The rooms of the engine import downwards only: worker → {sampling, images, safety, policy} → request → domain."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.source_tree import SourceTree

ROOT = Path(__file__).parents[2]
BELOW = {
    "worker": {"sampling", "images", "safety", "policy", "request"},
    "sampling": {"checkpoint", "request"},
    "images": {"request"},
    "safety": {"request"},
    "policy": {"request"},
    "checkpoint": {"request"},
    "request": set[str](),
}
BESIDE = {"onnx_session", "console"}  # opens ONNX models for policy and safety; what every command line prints on


@pytest.fixture(scope="module")
def engine() -> SourceTree:
    return SourceTree.read(ROOT, "engine")


@pytest.mark.parametrize("room", BELOW)
def test_a_room_imports_only_rooms_below_it(room: str, engine: SourceTree) -> None:
    here = [one for one in engine.imports if one.source.startswith(f"engine/{room}/")]
    assert len({one.source for one in here}) > 1
    allowed = BELOW[room] | BESIDE | {room}
    inside = [one for one in here if one.module.startswith("engine.")]
    assert [str(one) for one in inside if one.module.split(".")[1] not in allowed] == []


def test_every_room_is_in_the_order() -> None:
    folders = {path.name for path in (ROOT / "engine").iterdir() if (path / "__init__.py").is_file()}
    assert folders == set(BELOW)
