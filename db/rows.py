"""Rows to domain values: a column for each field of the same name, checked and converted by the field's type.

Unix seconds become aware datetimes in UTC, texts become enums, 0 and 1 booleans. A row that does not fit (damage, or a
column that was forgotten) raises `pydantic.ValidationError`, which names the field.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

Kind = TypeVar("Kind")


def from_row(kind: type[Kind], row: sqlite3.Row, **values: Any) -> Kind:
    """The dataclass `kind` from a row; `values` stand for columns that are not there or are stored otherwise."""
    columns = {name: row[name] for name in row.keys()}  # noqa: SIM118 - a Row iterates over its values
    return _adapter(kind).validate_python(columns | values)


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
