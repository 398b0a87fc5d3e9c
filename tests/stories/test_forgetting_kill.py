"""SIGKILL between any two statements of retention, an erasure or a departure: the next start finishes it."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from db import erasure, guild_settings
from db.database import Database
from tests.support.people import GUILD, MEMBER, MODERATOR
from tests.support.requests import NOW
from tests.support.traces import PNG, WORDS, live, resume_forgetting

DEEDS = ("retention", "erasure", "departure")

# Stops before each statement until it is told to go on, so that a kill strikes exactly there.
FORGETTER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, ".")
from tests.support.traces import forget
from db.database import Database

def stop(sql):
    print(" ".join(sql.split())[:50], flush=True)
    sys.stdin.readline()

async def main():
    async with Database(Path(sys.argv[1])) as database:
        await database._writer.set_trace_callback(stop)
        await forget(sys.argv[2], database)
        stop("forgotten")

asyncio.run(main())
"""


async def prepare(path: Path, deed: str) -> None:
    async with Database(path) as database:
        await live(database, MEMBER)
        async with database.transaction() as connection:
            await connection.execute("UPDATE cases SET status = 'upheld', resolved_at = 0, told_at = 0")
            if deed == "retention":
                await guild_settings.change(connection, GUILD, MODERATOR, NOW, retention_days=30)
            if deed == "departure":
                await erasure.note_departure(connection, GUILD, NOW)
        await database.scrub()


def content_of(path: Path) -> str:
    """A hash of every row, as somebody reads them who opens the files now; a copy, for reading empties the log."""
    with TemporaryDirectory() as folder, closing(sqlite3.connect(copied_into(path, folder))) as connection:
        return hashlib.sha256("\n".join(connection.iterdump()).encode()).hexdigest()


def in_files(path: Path, needle: bytes) -> bool:
    files = [*path.parent.glob(f"{path.name}*"), *path.parent.glob("pictures/*")]
    return any(needle in file.read_bytes() for file in files)


def copied_into(path: Path, folder: str) -> Path:
    return shutil.copytree(path.parent, Path(folder) / "copy") / path.name


async def copied(path: Path, folder: Path) -> Path:
    await asyncio.to_thread(shutil.copytree, path.parent, folder)
    return folder / path.name


async def kill_before(statement: int | None, path: Path, deed: str) -> int:
    """Run the deed in a process that is killed before its n-th statement (None: never); how many it began."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        FORGETTER,
        str(path),
        deed,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdin is not None
    begun = 0
    while await process.stdout.readline():
        if begun == statement:
            process.kill()
            break
        begun += 1
        process.stdin.write(b"\n")
    await process.wait()
    return begun


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("deed", DEEDS)
async def test_forgetting_is_finished_after_a_kill_at_any_statement(tmp_path: Path, deed: str) -> None:
    first = tmp_path / "first" / "bot.sqlite3"
    await prepare(first, deed)
    assert in_files(first, WORDS.encode())
    undisturbed = await copied(first, tmp_path / "undisturbed")
    statements = await kill_before(None, undisturbed, deed)
    before, after = content_of(first), content_of(undisturbed)
    assert before != after
    seen: set[str] = set()
    for statement in sorted({*range(0, statements, max(statements // 12, 1)), *range(statements - 4, statements)}):
        path = await copied(first, tmp_path / str(statement))
        assert await kill_before(statement, path, deed) == statement
        seen.add(content_of(path))
        is_noted = deed != "erasure" or asks_for_erasure(path)
        async with Database(path) as database:  # the next start
            await resume_forgetting(database)
        assert not is_noted or content_of(path) == after, f"killed before statement {statement}"
        assert in_files(path, WORDS.encode()) != is_noted
        assert in_files(path, PNG[:34]) != is_noted
    assert len(seen) > 2, "no kill fell between two batches"


def asks_for_erasure(path: Path) -> bool:
    """Whether the member's wish was written down before the kill."""
    with TemporaryDirectory() as folder, closing(sqlite3.connect(copied_into(path, folder))) as connection:
        return connection.execute("SELECT 1 FROM erasures").fetchone() is not None
