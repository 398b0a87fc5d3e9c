"""What a damaged, full or read-only database says at the start: one sentence, with what to do."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from db.database import Database, DatabaseError
from db.opening import opened_alone
from db.problems import explain
from tests.support.people import MEMBER
from tests.support.requests import NOW
from tests.support.traces import live

ROOT = Path(__file__).parents[2]
OPENER = """
import asyncio, os, resource, sys
from pathlib import Path
from db.database import DatabaseError
from db.opening import opened_alone
from tests.support.requests import NOW
if sys.argv[2] == "nobody":
    os.setgid(65534)
    os.setuid(65534)
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
async def main():
    try:
        async with opened_alone(Path(sys.argv[1]), NOW):
            print("opened")
    except DatabaseError as error:
        print(error)
asyncio.run(main())
"""


async def opened(path: Path) -> str:
    """What opening says; empty if it works."""
    try:
        async with opened_alone(path, NOW):
            return ""
    except DatabaseError as error:
        return str(error)


def opened_by(how: str, path: Path) -> str:
    """What opening says in a process without rights (`nobody`) or that may write only so many bytes of a file."""
    command = [sys.executable, "-c", OPENER, str(path), how]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.strip()


async def made(path: Path) -> Path:
    async with Database(path) as database:
        await live(database, MEMBER)
    return path


def overwrite(path: Path, start: int) -> None:
    """Everything from there on, but for the header of the file."""
    with path.open("rb+") as file:
        file.seek(start)
        file.write(b"\xff" * (path.stat().st_size - start))


def public_folder() -> Path:
    """One that nobody in particular may read, unlike pytest's."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    return folder


@pytest.mark.parametrize("kept", [100, 1000, 4096, 9000])
async def test_a_truncated_file_is_named_with_the_way_back(tmp_path: Path, kept: int) -> None:
    path = await made(tmp_path / "bot.sqlite3")
    os.truncate(path, kept)
    said = await opened(path)
    assert "bot.sqlite3" in said
    assert "\n" not in said
    assert "--restore" in said or "no SQLite file" in said


@pytest.mark.parametrize("start", [100, 4096])
async def test_overwritten_pages_are_named_with_the_way_back(tmp_path: Path, start: int) -> None:
    path = await made(tmp_path / "bot.sqlite3")
    overwrite(path, start)
    said = await opened(path)
    assert "is damaged" in said
    assert "--restore" in said


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="only root can become nobody")
@pytest.mark.parametrize("what", ["file", "folder"])
async def test_a_file_or_folder_that_may_not_be_written_is_said(what: str) -> None:
    folder = public_folder()
    try:
        path = await made(folder / "bot.sqlite3") if what == "file" else folder / "bot.sqlite3"
        said = opened_by("nobody", path)
    finally:
        shutil.rmtree(folder)
    assert "bot.sqlite3" in said
    assert "writable" in said or "right to write" in said


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
@pytest.mark.parametrize("is_new", [True, False])
async def test_a_disk_that_takes_no_more_is_said(tmp_path: Path, is_new: bool) -> None:
    path = tmp_path / "bot.sqlite3" if is_new else await made(tmp_path / "bot.sqlite3")
    said = opened_by("4096", path)
    assert "can't be" in said
    assert "space" in said


async def test_a_full_database_is_said_as_such(tmp_path: Path) -> None:
    async with Database(tmp_path / "bot.sqlite3") as database:
        assert database._writer is not None
        await database._writer.execute("PRAGMA max_page_count = 1")
        with pytest.raises(sqlite3.OperationalError) as caught:
            async with database.transaction() as connection:
                await connection.execute("INSERT INTO meta VALUES ('x', ?)", ("x" * 1_000_000,))
    assert "disk is full" in explain(Path("x"), caught.value)


async def test_a_database_that_another_program_holds_is_said(tmp_path: Path) -> None:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    assert "in use by another program" in explain(tmp_path, error)
