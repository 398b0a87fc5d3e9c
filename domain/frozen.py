"""The form of the domain's values: `@frozen` stands over each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

Value = TypeVar("Value")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def frozen(cls: type[Value]) -> type[Value]:
    """A dataclass that cannot change, has no attributes beside its fields, and names each of them when it is built."""
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)
