"""A pytest plugin that writes which tests run which lines, and how long each test takes.

    python -m pytest -p scripts.mutation.cover --covered-lines .mutation/lines-1.json tests/db

Several files of several runs are read together, so the map can be made in pieces.
"""

# The tools come with an extra that `make check` does not install.
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from coverage import Coverage

from scripts.mutation.rooms import ROOMS

IMPORTING = "(import)"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--covered-lines", default=".mutation/lines.json", help="the file to write")


class LineMap:
    """Follows the run with coverage.py, one context a test."""

    def __init__(self, target: Path) -> None:
        self._target = target
        patterns = sorted({f"{path.split('/')[0]}/*" for paths in ROOMS.values() for path in paths})
        self._coverage = Coverage(data_file=None, config_file=False, include=patterns)
        self._coverage.start()
        self._coverage.switch_context(IMPORTING)
        self._seconds: dict[str, float] = {}
        self._failed: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._coverage.switch_context(item.nodeid)
        started = time.perf_counter()
        try:
            return (yield)
        finally:
            self._seconds[item.nodeid] = round(time.perf_counter() - started, 3)
            self._coverage.switch_context(IMPORTING)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        data = self._coverage.get_data()
        root = Path.cwd()
        lines: dict[str, dict[str, list[str]]] = {}
        for name in data.measured_files():
            path = Path(name).relative_to(root).as_posix()
            contexts = data.contexts_by_lineno(name)
            lines[path] = {
                str(line): sorted({test for test in tests if test in self._seconds and test not in self._failed})
                for line, tests in contexts.items()
            }
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._target.write_text(json.dumps({"seconds": self._seconds, "lines": lines}))


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(LineMap(Path(str(config.getoption("--covered-lines")))), "line-map")
