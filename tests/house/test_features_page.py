"""Every test that docs/features.md calls a proof is there, and every "yes" or "partly" has one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "features.md"
PROOF = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ROW = re.compile(r"^\| (?P<feature>[^|]+) \| (?P<here>[^|]+) \|(?P<proof>[^|]*)\|$", re.MULTILINE)


def rows_of(text: str) -> list[tuple[str, str, str]]:
    """Feature, what there is here, and its proof; without the head of the table."""
    rows = [(row["feature"].strip(), row["here"].strip(), row["proof"].strip()) for row in ROW.finditer(text)]
    return [row for row in rows if row[0] != "feature" and set(row[0]) != {"-"}]


def has_test(file: Path, name: str) -> bool:
    if not file.exists() or not name.startswith("test_"):
        return False
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name for node in tree.body)


def wrong_rows(root: Path, text: str) -> list[str]:
    """Rows whose answer is none of yes, partly and no, that lack their proof, or whose proof does not exist."""
    found: list[str] = []
    for feature, here, proof in rows_of(text):
        tests = PROOF.findall(proof)
        answer = re.match(r"\*\*(yes|partly|no)\*\*", here)
        if answer is None:
            found.append(f"{feature}: neither yes, partly nor no")
        elif answer[1] != "no" and not tests:
            found.append(f"{feature}: no test")
        found += [f"{feature}: {file}::{name}" for file, name in tests if not has_test(root / file, name)]
    return found


def test_every_proof_of_a_feature_is_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith(("| -", "| feature "))]
    assert lines
    assert len(rows_of(text)) == len(lines), "a row that can't be read"
    assert wrong_rows(ROOT, text) == []


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ("| a | **yes** | `tests/test_a.py::test_it` |", []),
        ("| a | **no**: not built | |", []),
        ("| a | **yes**, all | |", ["a: no test"]),
        ("| a | perhaps | `tests/test_a.py::test_it` |", ["a: neither yes, partly nor no"]),
        ("| a | **yes** | `tests/test_a.py::test_gone` |", ["a: tests/test_a.py::test_gone"]),
        ("| a | **partly** | `tests/gone.py::test_it` |", ["a: tests/gone.py::test_it"]),
        ("| a | **yes** | `tests/test_a.py::helper` |", ["a: tests/test_a.py::helper"]),
    ],
)
def test_a_row_without_its_proof_is_noticed(tmp_path: Path, row: str, wrong: list[str]) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("def helper(): ...\nasync def test_it(): ...\n")
    text = f"| feature | here | proved by |\n| --- | --- | --- |\n{row}\n"
    assert len(rows_of(text)) == 1
    assert wrong_rows(tmp_path, text) == wrong
