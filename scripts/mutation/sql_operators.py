"""Mutations of the SQL in strings, which cosmic-ray's own operators leave alone."""

# The tools come with an extra that `make check` does not install.
# pyright: reportMissingImports=false

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cosmic_ray.operators.operator import Example, Operator
from parso.tree import Leaf, NodeOrLeaf

# What stands after the first WHERE, ON or HAVING decides which rows; before it most changes are syntax errors.
CONDITIONS = re.compile(r"\b(WHERE|HAVING|ON)\b")
SWAPS = {
    " AND ": " OR ",
    " OR ": " AND ",
    " = ": " <> ",
    " <> ": " = ",
    " < ": " <= ",
    " <= ": " < ",
    " > ": " >= ",
    " >= ": " > ",
    " IS NULL": " IS NOT NULL",
    " IS NOT NULL": " IS NULL",
}
SWAP = re.compile("|".join(re.escape(word) for word in sorted(SWAPS, key=len, reverse=True)))


def _matches(text: str) -> list[re.Match[str]]:
    start = CONDITIONS.search(text)
    return list(SWAP.finditer(text, start.start())) if start else []


class ReplaceSqlOperator(Operator):
    """Turns one comparison or connective of an SQL condition into its neighbour."""

    def mutation_positions(self, node: NodeOrLeaf) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        if isinstance(node, Leaf) and node.type in ("string", "fstring_string"):
            for _ in _matches(node.value):
                yield node.start_pos, node.end_pos

    def mutate(self, node: NodeOrLeaf, index: int) -> NodeOrLeaf:
        assert isinstance(node, Leaf)
        found = _matches(node.value)[index]
        node.value = node.value[: found.start()] + SWAPS[found.group()] + node.value[found.end() :]
        return node

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example('"SELECT 1 WHERE a = ? AND b"', '"SELECT 1 WHERE a <> ? AND b"'),)


class SqlProvider:
    """cosmic-ray's view of the operators of this file."""

    def __iter__(self) -> Iterator[str]:
        return iter(("ReplaceSqlOperator",))

    def __getitem__(self, name: str) -> type[Operator]:
        return {"ReplaceSqlOperator": ReplaceSqlOperator}[name]
