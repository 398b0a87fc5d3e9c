"""Copies of SQLite files by SQLite's own means, also while a bot writes to them.

A copy is made through SQLite's backup interface (https://www.sqlite.org/backup.html), so it is one moment's state with
everything that is committed. A plain copy of the file would miss the write-ahead log, and reading the file in the
process that has it open would drop SQLite's locks on it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from db.problems import DatabaseError

LOG_SUFFIXES = ("-wal", "-shm")


def copy(source: Path, target: Path) -> None:
    """One file with everything in it, on the disk."""
    target.unlink(missing_ok=True)
    with closing(open_existing(source)) as reader, closing(sqlite3.connect(target)) as writer:
        reader.backup(writer)
        # One file: the copy has no log of its own.
        writer.execute("PRAGMA journal_mode = DELETE")
    with target.open("rb+") as file:
        os.fsync(file.fileno())


def open_existing(path: Path) -> sqlite3.Connection:
    """An existing database; connecting by its name alone would make an empty one."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True)
    connection.execute("PRAGMA busy_timeout = 5000")
    return connection


def size_with_log(path: Path) -> int:
    """Bytes of a database file and its write-ahead log."""
    return path.stat().st_size + log_size(path)


def log_size(path: Path) -> int:
    """Bytes of what was written last and is not in the file itself yet."""
    log = path.with_name(path.name + "-wal")
    return log.stat().st_size if log.exists() else 0


def require_room(sources: Iterable[Path], folder: Path) -> None:
    """Raise DatabaseError if the folder's disk has no room for copies of the files."""
    files = list(sources)
    needed = sum(size_with_log(source) for source in files)
    free = shutil.disk_usage(folder).free
    if files and free < needed:
        raise DatabaseError(
            f"There is no room for a copy of {files[0]}{' and its pictures' if len(files) > 1 else ''} in {folder}: "
            f"it needs {needed / 1e6:.1f} MB, and {free / 1e6:.1f} MB are free."
        )
