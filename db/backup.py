"""Backups by SQLite's own means, and bringing one back.

A copy is made through SQLite's backup interface (https://www.sqlite.org/backup.html), so it is one moment's state with
everything that is committed, whoever writes meanwhile. A plain copy of the file would miss the write-ahead log, and a
plain copy back would be undone by the log that lies there still.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from db.database import SCHEMA, DatabaseError
from db.files import sync_folder
from db.problems import explain

LOG_SUFFIXES = ("-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did; `set_aside` is what was there before, None if there was nothing."""

    database: Path
    jobs: int
    set_aside: Path | None


def make_backup(database: Path, target: Path) -> int:
    """Copy the database, which may be in use, to a new file; its size in bytes. Raises DatabaseError.

    The file appears under its name when it is whole and on the disk.
    """
    with _copied(database, target, f"The backup {target} can't be written"):
        pass
    return target.stat().st_size


def restore(database: Path, backup: Path, now: datetime) -> Restored:
    """Put a backup in the database's place; what was there is set aside first. Raises DatabaseError.

    The caller holds the database's lock. A stop anywhere leaves the old or the new database, never a mixture; ids that
    were given out after the backup are not given out again (db/ids.py).
    """
    database = database.resolve()
    jobs = _require_usable(database, backup)
    with _copied(backup, database, f"The backup {backup} can't be put in the place of {database}"):
        set_aside = _set_aside(database, now) if database.exists() else None
        _drop_log(database)
    return Restored(database, jobs, set_aside)


@contextmanager
def _copied(source: Path, target: Path, failure: str) -> Generator[None]:
    """A whole copy lies ready within the block, and takes its place when that ends well. Raises DatabaseError."""
    partial = target.with_name(target.name + ".partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _require_room(source, target.parent)
        _copy(source, partial)
        yield
        partial.replace(target)
        sync_folder(target.parent)
    except sqlite3.Error as error:
        raise DatabaseError(explain(source, error)) from error
    except OSError as error:
        raise DatabaseError(f"{failure} ({error}).") from error
    finally:
        partial.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    with closing(_open(source)) as reader, closing(sqlite3.connect(target)) as writer:
        reader.backup(writer)
        # One file: the copy has no log of its own.
        writer.execute("PRAGMA journal_mode = DELETE")
    with target.open("rb+") as file:
        os.fsync(file.fileno())


def _open(path: Path) -> sqlite3.Connection:
    """An existing database; connecting by its name alone would make an empty one."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True)
    connection.execute("PRAGMA busy_timeout = 5000")
    return connection


def _require_usable(database: Path, backup: Path) -> int:
    """How many jobs the backup holds. Raises DatabaseError if it is no backup of this bot."""
    if not backup.is_file():
        raise DatabaseError(f"There is no file {backup}.")
    if database.exists() and backup.resolve() == database:
        raise DatabaseError(f"{backup} is the database itself; name a backup of it.")
    try:
        with closing(_open(backup)) as connection:
            (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (jobs,) = connection.execute("SELECT count(*) FROM jobs").fetchone() if version else (0,)
    except sqlite3.Error as error:
        raise DatabaseError(f"{backup} can't be restored: it is no whole database of this bot ({error}).") from error
    if finding != "ok":
        raise DatabaseError(f"{backup} can't be restored, because it is damaged ({finding}). Take another backup.")
    newest = len(list(SCHEMA.glob("*.sql")))
    if not 1 <= version <= newest:
        raise DatabaseError(
            f"{backup} can't be restored: its schema is {version}, and this bot knows 1 to {newest}. "
            "A newer bot's backup needs that bot."
        )
    return int(jobs)


def _set_aside(database: Path, now: datetime) -> Path:
    """A copy of the files as they are, log included: SQLite would throw the log of a damaged database away."""
    kept = database.with_name(f"{database.stem}-before-restore-{now:%Y%m%d-%H%M%S}{database.suffix}")
    _require_room(database, database.parent)
    for suffix in ("", *LOG_SUFFIXES):
        part = database.with_name(database.name + suffix)
        if part.exists():
            shutil.copy2(part, kept.with_name(kept.name + suffix))
    with contextlib.suppress(sqlite3.Error), closing(_open(database)) as connection:
        # Leaves no log behind whose loss would matter, should the process end before the exchange.
        connection.execute("PRAGMA journal_mode = DELETE")
    return kept


def _drop_log(database: Path) -> None:
    """A log that stays would be played into the restored file."""
    for suffix in LOG_SUFFIXES:
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def _require_room(source: Path, folder: Path) -> None:
    log = source.with_name(source.name + "-wal")
    needed = source.stat().st_size + (log.stat().st_size if log.exists() else 0)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DatabaseError(
            f"There is no room for a copy of {source} in {folder}: it needs {needed / 1e6:.1f} MB, and "
            f"{free / 1e6:.1f} MB are free."
        )
