"""The project read as data: which file imports which, and what the files contain. Nothing is imported or run."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module: `source` imports `module` on this line; `file` is where it lies, if it is ours."""

    source: str
    line: int
    module: str
    file: str | None

    def __str__(self) -> str:
        return f"{self.source}:{self.line} imports {self.module}"


class SourceTree:
    """The Python files in some folders of a project, by their paths from its root."""

    def __init__(self, texts: dict[str, str], trees: dict[str, ast.Module]) -> None:
        self.texts, self.trees = texts, trees

    @classmethod
    def read(cls, root: Path, *folders: str) -> SourceTree:
        """The files at the root and in these folders of it."""
        paths = [*root.glob("*.py"), *(path for folder in folders for path in (root / folder).rglob("*.py"))]
        texts = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in sorted(paths)}
        return cls(texts, {name: ast.parse(text) for name, text in texts.items()})

    def without(self, *folders: str) -> SourceTree:
        names = [name for name in self.texts if room_of(name) not in folders]
        return SourceTree({name: self.texts[name] for name in names}, {name: self.trees[name] for name in names})

    @cached_property
    def imports(self) -> list[Import]:
        """Every import anywhere in a file, those for the type checker and those inside functions as well."""
        files = {_module_of(name): name for name in self.texts}
        return [
            Import(source, line, module, files.get(module))
            for source, tree in self.trees.items()
            for line, module in _imported(tree, source, files)
        ]

    def arrows(self) -> dict[str, set[str]]:
        """For each file the files of ours that it imports."""
        found: dict[str, set[str]] = {name: set() for name in self.texts}
        for one in self.imports:
            if one.file is not None and one.file != one.source:
                found[one.source].add(one.file)
        return found

    def functions(self) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        for name, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield name, node

    def strings(self) -> Iterator[tuple[str, int, str]]:
        """(file, line, text) of every string that is not a docstring."""
        for name, tree in self.trees.items():
            prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                    yield name, node.lineno, node.value


def room_of(file: str) -> str:
    """The top folder of a file, or the file itself where it lies at the root."""
    return file.partition("/")[0]


def is_standard_library(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def find_circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The groups of files that import each other, however far around (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    circles: list[list[str]] = []

    def visit(file: str) -> None:
        index[file] = low[file] = len(index)
        stack.append(file)
        for target in sorted(arrows[file]):
            if target not in index:
                visit(target)
                low[file] = min(low[file], low[target])
            elif target in stack:
                low[file] = min(low[file], index[target])
        if low[file] == index[file]:
            start = stack.index(file)
            group = stack[start:]
            del stack[start:]
            if len(group) > 1:
                circles.append(sorted(group))

    for file in sorted(arrows):
        if file not in index:
            visit(file)
    return circles


def _module_of(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imported(tree: ast.Module, source: str, files: dict[str, str]) -> Iterator[tuple[int, str]]:
    """(line, module); of `from a import b` the module a.b where that is a file, and a otherwise."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, source)
            inside = [f"{base}.{alias.name}" for alias in node.names]
            yield from ((node.lineno, name if name in files else base) for name in inside)


def _absolute(node: ast.ImportFrom, source: str) -> str:
    if not node.level:
        return node.module or ""
    package = source.split("/")[: -node.level]
    return ".".join([*package, *((node.module,) if node.module else ())])
