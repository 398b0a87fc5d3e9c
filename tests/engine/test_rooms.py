"""The rooms of the engine import downwards only: worker → {sampling, images, safety, policy} → request → domain."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BELOW = {
    "worker": {"sampling", "images", "safety", "policy", "request"},
    "sampling": {"checkpoint", "request"},
    "images": {"request"},
    "safety": set[str](),
    "policy": {"request"},
    "checkpoint": {"request"},
    "request": set[str](),
}
BESIDE = {"onnx_session", "console"}  # opens ONNX models for policy and safety; what every command line prints on


def imported_rooms(path: Path) -> set[str]:
    """The parts of the engine that a file imports, wherever in it, typing imports included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{path.name} has a relative import"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name.split(".")[1] for name in names if name.startswith("engine.")}


@pytest.mark.parametrize("room", BELOW)
def test_a_room_imports_only_rooms_below_it(room: str) -> None:
    files = sorted((ROOT / "engine" / room).glob("*.py"))
    assert len(files) > 1
    up = {path.name: imported_rooms(path) - BELOW[room] - BESIDE - {room} for path in files}
    assert {name: rooms for name, rooms in up.items() if rooms} == {}


def test_every_room_is_in_the_order() -> None:
    folders = {path.name for path in (ROOT / "engine").iterdir() if (path / "__init__.py").is_file()}
    assert folders == set(BELOW)
