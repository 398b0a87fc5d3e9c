"""A pytest plugin that tries mutants: each in a fork of one warm process, with the tests that run its line.

    python -m pytest -p scripts.mutation.trying --session .mutation/session.sqlite tests/…

The mutated function's code replaces the original in the fork, so no file is changed and nothing is imported again.
A run that is stopped goes on where it was: the session is cosmic-ray's, and a result is written after every mutant.
"""

# The tools come with an extra that `make check` does not install.
# pyright: reportMissingImports=false

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
from pathlib import Path
from types import CodeType, FunctionType

import pytest
from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkResult

from scripts.mutation.mutants import changed_functions, functions, mutated, room_of
from scripts.mutation.rooms import ROOMS

MAX_TESTS = 25
SECONDS = 20.0  # of tests, as the map measured them
TIMEOUT = 90
OUTCOMES = {0: TestOutcome.SURVIVED, 3: TestOutcome.INCOMPETENT}


class Lines:
    """The map of `scripts.mutation.cover`: which tests run a line, the quickest first."""

    def __init__(self, folder: Path) -> None:
        self._lines: dict[str, dict[str, list[str]]] = {}
        self._seconds: dict[str, float] = {}
        for file in sorted(folder.glob("lines-*.json")):
            found = json.loads(file.read_text())
            self._seconds.update(found["seconds"])
            for path, lines in found["lines"].items():
                for line, tests in lines.items():
                    self._lines.setdefault(path, {}).setdefault(line, []).extend(tests)

    def tests(self, path: str, lines: range) -> list[str]:
        """At most MAX_TESTS tests of together SECONDS seconds; the ones that run the least else come first."""
        names = {name for line in lines for name in self._lines.get(path, {}).get(str(line), [])}
        chosen: list[str] = []
        spent = 0.0
        for name in sorted(names, key=lambda name: (self._seconds[name], name)):
            spent += self._seconds[name]
            if len(chosen) == MAX_TESTS or (chosen and spent > SECONDS):
                break
            chosen.append(name)
        return chosen


class Loaded:
    """All functions in memory by the file that they come from."""

    def __init__(self) -> None:
        gc.unfreeze()
        self._functions: dict[str, list[FunctionType]] = {}
        for thing in gc.get_objects():
            if type(thing) is FunctionType:
                self._functions.setdefault(thing.__code__.co_filename, []).append(thing)
        gc.freeze()  # a collection in a fork would copy the whole memory

    def put_in_place(self, path: str, changes: list[tuple[CodeType, CodeType]]) -> int:
        """Give a file's functions their mutated code; how many there were."""
        full, count = str(Path(path).resolve()), 0
        wanted = {(old.co_qualname, old.co_firstlineno): new for old, new in changes}
        for function in self._functions.get(full, []):
            new = wanted.get((function.__code__.co_qualname, function.__code__.co_firstlineno))
            if new is not None:
                function.__code__ = new.replace(co_filename=full)
                count += 1
        return count


class Trying:
    """Runs instead of pytest's own loop."""

    def __init__(self, session_file: str, folder: Path, rooms: list[str]) -> None:
        self._rooms = rooms
        self._database = WorkDB(session_file, WorkDB.Mode.open)
        self._lines = Lines(folder)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        self._warm_up(session)
        self._loaded = Loaded()
        for work in sorted(self._database.pending_work_items, key=lambda work: work.job_id):
            if room_of(str(work.mutations[0].module_path)) in self._rooms:
                self._database.set_result(work.job_id, self._result(work.mutations[0], items))
        return True

    def _warm_up(self, session: pytest.Session) -> None:
        """Build what a session's tests share: the policy's rules, and the tiny model where a test asks for it."""
        plain = [item for item in session.items if "tiny_model" not in getattr(item, "fixturenames", ())][:1]
        model = [item for item in session.items if "tiny_model" in getattr(item, "fixturenames", ())][:1]
        for item in plain + model:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=session.items[-1])

    def _result(self, spec: MutationSpec, items: dict[str, pytest.Item]) -> WorkResult:
        path = str(spec.module_path)
        source = Path(path).read_text()
        text = mutated(spec, source)
        if text is None:
            return WorkResult(WorkerOutcome.NO_TEST)
        names = [
            name for name in self._lines.tests(path, range(spec.start_pos[0], spec.end_pos[0] + 1)) if name in items
        ]
        if not names:
            return WorkResult(WorkerOutcome.NO_TEST, "no quick test runs this line", TestOutcome.SURVIVED, text)
        outcome = self._in_fork(path, changed_functions(path, source, text), [items[name] for name in names])
        if outcome == TestOutcome.KILLED and not self._passes(path, source, [items[name] for name in names]):
            outcome = TestOutcome.INCOMPETENT
        sys.stderr.write(f"{outcome.value} {path}:{spec.start_pos[0]} {spec.operator_name} {len(names)} tests\n")
        return WorkResult(WorkerOutcome.NORMAL, "\n".join(names), outcome, None)

    def _passes(self, path: str, source: str, items: list[pytest.Item]) -> bool:
        """Whether the tests pass in a fork without a mutation; else their failure says nothing about the mutant."""
        same = [(code, code) for code in functions(compile(source, path, "exec", dont_inherit=True))]
        return self._in_fork(path, same, items) == TestOutcome.SURVIVED

    def _in_fork(self, path: str, changes: list[tuple[CodeType, CodeType]], items: list[pytest.Item]) -> TestOutcome:
        child = os.fork()
        if child == 0:
            os.setpgrp()
            os._exit(_run(self._loaded, path, changes, items))
        until = time.monotonic() + TIMEOUT
        while time.monotonic() < until:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
                return OUTCOMES.get(code, TestOutcome.KILLED)
            time.sleep(0.02)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return TestOutcome.KILLED


def _run(loaded: Loaded, path: str, changes: list[tuple[CodeType, CodeType]], items: list[pytest.Item]) -> int:
    """0: all tests passed, 1: one failed, 3: the function was not found in memory."""
    if not loaded.put_in_place(path, changes):
        return 3
    session = items[0].session
    for item, following in zip(items, [*items[1:], session.items[-1]], strict=True):
        failed = session.testsfailed
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed > failed:
            return 1
    return 0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--session", default=".mutation/session.sqlite", help="the session of cosmic-ray")
    parser.addoption("--rooms", default=",".join(ROOMS), help="the rooms to try, with commas between")


def pytest_configure(config: pytest.Config) -> None:
    session = Path(str(config.getoption("--session")))
    config.pluginmanager.register(
        Trying(str(session), session.parent, str(config.getoption("--rooms")).split(",")), "trying-mutants"
    )
