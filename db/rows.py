"""Rows to domain values: a column for each field of the same name, checked and converted by the field's type.

Unix seconds become aware datetimes in UTC, texts become enums, 0 and 1 booleans. A row that does not fit (damage, or a
column that was forgotten) raises `pydantic.ValidationError`, which names the field.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

log = logging.getLogger(__name__)

Kind = TypeVar("Kind")


def from_row(kind: type[Kind], row: sqlite3.Row, **values: Any) -> Kind:
    """The dataclass `kind` from a row; `values` stand for columns that are not there or are stored otherwise."""
    columns = {name: row[name] for name in row.keys()}  # noqa: SIM118 - a Row iterates over its values
    return from_values(kind, columns | values)


def from_values(kind: type[Kind], values: Mapping[str, Any]) -> Kind:
    """The dataclass `kind` from a row that came by its columns' names, as a JSON object in another row."""
    return _adapter(kind).validate_python(values)


def read_all(decode: Callable[[sqlite3.Row], Kind], rows: Iterable[sqlite3.Row]) -> list[Kind]:
    """Every row that can be read. A damaged one is set aside with a line in the log, never in the way of the others."""
    values: list[Kind] = []
    for row in rows:
        try:
            values.append(decode(row))
        except (ValueError, TypeError, KeyError) as error:
            _log_once(decode.__name__, row["id"], str(error))
    return values


@cache
def _log_once(kind: str, row_id: int, error: str) -> None:
    log.error("row %d can't be read (%s) and is set aside: %s", row_id, kind, error)


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
