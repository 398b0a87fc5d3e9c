"""One bot, one database: a second process is refused with a sentence, whatever path it takes to the file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from db.database import Database, DatabaseError
from db.lock import DatabaseLock

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys
from pathlib import Path
from db.lock import DatabaseLock
with DatabaseLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def held_elsewhere(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is told to end, or killed."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def relative(path: Path) -> Path:
    return Path(os.path.relpath(path))


async def make(path: Path) -> Path:
    async with Database(path):
        pass
    return path


async def test_a_second_process_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = await make(tmp_path / "bot.sqlite3")
    with held_elsewhere(path):
        with pytest.raises(DatabaseError, match="in use by another process of this bot"), DatabaseLock(path):
            pass
        with DatabaseLock(await make(tmp_path / "other.sqlite3")):
            pass


async def test_a_path_through_links_and_detours_is_the_file_itself(tmp_path: Path) -> None:
    path = await make(tmp_path / "data" / "bot.sqlite3")
    (tmp_path / "link.sqlite3").symlink_to(path)
    (tmp_path / "folder").symlink_to(path.parent)
    detours = (
        tmp_path / "link.sqlite3",
        tmp_path / "folder" / "bot.sqlite3",
        tmp_path / "data" / ".." / "data" / "bot.sqlite3",
        relative(path),
    )
    with held_elsewhere(path):
        for detour in detours:
            with pytest.raises(DatabaseError, match="in use"), DatabaseLock(detour):
                pass


async def test_a_file_with_a_second_name_is_refused(tmp_path: Path) -> None:
    path = await make(tmp_path / "bot.sqlite3")
    (tmp_path / "second.sqlite3").hardlink_to(path)
    for name in ("bot.sqlite3", "second.sqlite3"):
        with pytest.raises(DatabaseError, match="second name"), DatabaseLock(tmp_path / name):
            pass


async def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "new" / "bot.sqlite3"
    with held_elsewhere(path) as process:
        process.kill()
        process.wait()
        with DatabaseLock(path):
            pass
    with DatabaseLock(path):  # and with its block
        pass
