"""Where an installed package keeps a data file, without importing the package."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def packaged_file(package: str, name: str) -> Path | None:
    """The path of `name` inside top-level `package`, whether it exists or not; None if it isn't installed."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / name
