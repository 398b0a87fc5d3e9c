"""Backups of the database with its pictures, and bringing one back.

A backup is a file and, beside it, a folder of its name with the pictures. The rows are copied first: blobs are written
before the rows that name them, so everything that is named is there when the picture files are copied after it. A plain
copy back would be undone by the write-ahead log that lies there still.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from db import picture_backup
from db.copies import LOG_SUFFIXES, copy, open_existing, require_room
from db.database import SCHEMA, DatabaseError
from db.files import sync_folder
from db.picture_backup import names_pictures
from db.picture_folder import (
    find_months,
    forget_older,
    locate,
    own_folder,
    owner_of,
    require_no_twin,
    restore_marker,
)
from db.problems import explain


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did; `set_aside` is what was there before, None if there was nothing.

    `months` is how many picture files came with the backup; None if it has none beside it though its rows name some:
    then the pictures that were there stay, also those of which the backup does not know.
    """

    database: Path
    jobs: int
    set_aside: Path | None
    months: int | None = 0


def make_backup(database: Path, target: Path) -> int:
    """Copy the database, which may be in use, to a new file and its pictures beside it; the size in bytes.

    The file appears under its name when everything is whole and on the disk. A database in use must delete no pictures
    meanwhile (`PictureFiles.undisturbed`). Raises DatabaseError.
    """
    pictures = own_folder(target)
    try:
        with _copied(database, target, f"The backup {target} can't be written"):
            size = picture_backup.back_up(locate(database, owner_of(database)), target)
    except BaseException:
        picture_backup.discard_partial(pictures)
        raise
    return target.stat().st_size + size


def restore(database: Path, backup: Path, now: datetime) -> Restored:
    """Put a backup in the database's place; what was there is set aside first. Raises DatabaseError.

    The caller holds the database's lock. A stop anywhere leaves the old or the new database, or a note by which the bot
    does not start until the restore is repeated; ids that were given out after the backup are not given out again
    (db/ids.py).
    """
    database = database.resolve()
    jobs = _require_usable(database, backup)
    owner = owner_of(backup)
    theirs, ours = locate(backup, owner), locate(database, owner_of(database, untouched=True) or owner)
    require_no_twin(database, ours, owner)
    has_folder = theirs != ours and bool(find_months(theirs))
    stays = not has_folder and names_pictures(backup)
    marker = restore_marker(database)
    try:
        with _copied(backup, database, f"The backup {backup} can't be put in the place of {database}"):
            partial = picture_backup.prepare(theirs, ours) if has_folder else None
            set_aside = _set_aside(database, now) if database.exists() else None
            marker.write_text(str(backup), encoding="utf-8")
            sync_folder(marker.parent)
            if stays:
                forget_older(ours)
            else:
                _exchange(ours, partial, _kept_pictures(database, now))
            _drop_log(database)
    except DatabaseError:
        picture_backup.discard_partial(ours)
        raise
    marker.unlink()
    sync_folder(marker.parent)
    return Restored(database, jobs, set_aside, None if stays else len(find_months(theirs)) if has_folder else 0)


def _exchange(ours: Path, partial: Path | None, kept: Path) -> None:
    """The pictures that are there make place for those of the backup."""
    if ours.is_dir():
        ours.replace(kept)
    if partial is not None:
        partial.replace(ours)
    sync_folder(ours.parent)


@contextmanager
def _copied(source: Path, target: Path, failure: str) -> Generator[None]:
    """A whole copy lies ready within the block, and takes its place when that ends well. Raises DatabaseError."""
    partial = target.with_name(target.name + ".partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        require_room([source], target.parent)
        copy(source, partial)
        yield
        partial.replace(target)
        sync_folder(target.parent)
    except sqlite3.Error as error:
        raise DatabaseError(explain(source, error)) from error
    except OSError as error:
        raise DatabaseError(f"{failure} ({error}).") from error
    finally:
        partial.unlink(missing_ok=True)


def _require_usable(database: Path, backup: Path) -> int:
    """How many jobs the backup holds. Raises DatabaseError if it is no backup of this bot."""
    if not backup.is_file():
        raise DatabaseError(f"There is no file {backup}.")
    if database.exists() and backup.resolve() == database:
        raise DatabaseError(f"{backup} is the database itself; name a backup of it.")
    try:
        with closing(open_existing(backup)) as connection:
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


def _kept(database: Path, now: datetime) -> Path:
    return database.with_name(f"{database.stem}-before-restore-{now:%Y%m%d-%H%M%S}{database.suffix}")


def _kept_pictures(database: Path, now: datetime) -> Path:
    return own_folder(_kept(database, now))


def _set_aside(database: Path, now: datetime) -> Path:
    """A copy of the files as they are, log included: SQLite would throw the log of a damaged database away."""
    kept = _kept(database, now)
    require_room([database], database.parent)
    for suffix in ("", *LOG_SUFFIXES):
        part = database.with_name(database.name + suffix)
        if part.exists():
            shutil.copy2(part, kept.with_name(kept.name + suffix))
    with contextlib.suppress(sqlite3.Error), closing(open_existing(database)) as connection:
        # Leaves no log behind whose loss would matter, should the process end before the exchange.
        connection.execute("PRAGMA journal_mode = DELETE")
    return kept


def _drop_log(database: Path) -> None:
    """A log that stays would be played into the restored file."""
    for suffix in LOG_SUFFIXES:
        database.with_name(database.name + suffix).unlink(missing_ok=True)
