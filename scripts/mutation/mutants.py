"""The mutants that cosmic-ray can make in a room, and a seeded sample of those that lie inside a function."""

# The tools come with an extra that `make check` does not install.
# pyright: reportMissingImports=false

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.work_item import MutationSpec, WorkItem

from scripts.mutation.rooms import ROOMS, modules_of
from scripts.mutation.sql_operators import SqlProvider

cosmic_ray.plugins.OPERATOR_PROVIDERS["sql"] = SqlProvider()

# Type annotations hold `|`, and what cosmic-ray makes of most other binary operators is the same idea many times over.
LEFT_OUT = (
    "ReplaceBinaryOperator_BitOr",
    "VariableReplacer",
    "VariableInserter",
    "RemoveDecorator",
    "ExceptionReplacer",
)


def mutated(spec: MutationSpec, source: str) -> str | None:
    """The file's text with the mutation in it."""
    operator = cosmic_ray.plugins.get_operator(spec.operator_name)(**spec.operator_args)
    return mutate_code(source, operator, spec.occurrence)


def functions(code: CodeType) -> Iterator[CodeType]:
    """Every function of a module, methods included; what lies inside a function belongs to it."""
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            if inner.co_flags & 0x02:  # CO_NEWLOCALS: a function and no class body
                yield inner
            else:
                yield from functions(inner)


def changed_functions(path: str, before: str, after: str) -> list[tuple[CodeType, CodeType]]:
    """(old, new) of the functions in which two texts differ; empty if the change lies outside of functions."""
    old = compile(before, path, "exec", dont_inherit=True)
    new = compile(after, path, "exec", dont_inherit=True)
    pairs = zip(functions(old), functions(new), strict=True)
    return [(one, other) for one, other in pairs if one != other]


def specs_of(path: str, source: str) -> list[MutationSpec]:
    tree = get_ast(source)
    found: list[MutationSpec] = []
    for name in cosmic_ray.plugins.operator_names():
        if any(word in name for word in LEFT_OUT):
            continue
        operator = cosmic_ray.plugins.get_operator(name)()
        places = (place for node in ast_nodes(tree) for place in operator.mutation_positions(node))
        found += [MutationSpec(path, name, number, start, end) for number, (start, end) in enumerate(places)]
    return found


def sample(room: str, count: int, seed: int) -> list[WorkItem]:
    """At most `count` mutants of a room, at most one a line, each inside a function; the same for the same seed."""
    chance = random.Random(f"{seed} {room}")
    sources = {path: Path(path).read_text() for path in modules_of(room)}
    # First a line, then a mutant of it: a line with many operators would otherwise be half of the sample.
    lines: dict[tuple[str, int], list[MutationSpec]] = {}
    for path, source in sources.items():
        for spec in specs_of(path, source):
            lines.setdefault((path, spec.start_pos[0]), []).append(spec)
    chosen: list[WorkItem] = []
    for place in chance.sample(sorted(lines), len(lines)):
        spec = chance.choice(lines[place])
        path = str(spec.module_path)
        text = mutated(spec, sources[path])
        if text is None or not _compiles(text) or not changed_functions(path, sources[path], text):
            continue
        key = f"{path} {spec.operator_name} {spec.occurrence}"
        chosen.append(WorkItem.single(hashlib.sha256(key.encode()).hexdigest()[:16], spec))
        if len(chosen) == count:
            break
    return chosen


def _compiles(text: str) -> bool:
    try:
        compile(text, "mutant", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


def room_of(path: str) -> str:
    """The room that a file belongs to."""
    return next(room for room in ROOMS if path in modules_of(room))
