"""The picture files of a backup: a folder of its name beside it, `bot-20261127-203000.pictures/`.

Files of past months hardly change, so a backup shares with the one before what is the same: a hard link takes no time
and no room. Nobody writes to a backup's files, and a restore copies them, so nothing is shared with a database in use.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from db.copies import copy, log_size, open_existing, require_room
from db.files import sync_folder
from db.picture_folder import OWNER_FILE, find_months, own_folder
from db.problems import DatabaseError

FIRST_SCHEMA = 7
PARTIAL = ".partial"
# A file that was written just now may be written again at what its file system takes for the same time.
SURE_NANOSECONDS = 2 * 10**9


def names_pictures(database: Path) -> bool:
    """Whether any row says that its picture is in a month's file."""
    with closing(open_existing(database)) as connection:
        if connection.execute("PRAGMA user_version").fetchone()[0] < FIRST_SCHEMA:
            return False
        return connection.execute("SELECT 1 FROM pictures WHERE month IS NOT NULL LIMIT 1").fetchone() is not None


def back_up(source: Path, backup: Path) -> int:
    """Copy a folder's months to the backup's folder, whole or not at all; their size in bytes.

    The rows were copied before, and nothing is deleted meanwhile: what they name is there.
    """
    target = own_folder(backup)
    if not find_months(source):
        return 0
    earlier = _find_earlier(target)
    changed = [path for path in find_months(source).values() if not _is_same(path, earlier)]
    require_room(changed, target.parent)
    partial = _make_partial(target)
    for path in find_months(source).values():
        _take(path, partial / path.name, earlier)
    _finish(source, partial)
    partial.replace(target)
    sync_folder(target.parent)
    return sum(path.stat().st_size for path in find_months(target).values())


def prepare(source: Path, target: Path) -> Path:
    """Copies of a backup's months, checked and ready beside the place that they will take. Raises DatabaseError."""
    require_room(find_months(source).values(), target.parent)
    partial = _make_partial(target)
    for path in find_months(source).values():
        copy(path, partial / path.name)
        with closing(open_existing(partial / path.name)) as connection:
            (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            # They were copied after the rows, and what those don't name is left over in this copy alone.
            with suppress(sqlite3.OperationalError), connection:  # a file without the table
                connection.execute("UPDATE newest SET job_id = 0")
        if finding != "ok":
            raise DatabaseError(f"The pictures {path} of the backup are damaged ({finding}). Take another backup.")
    _finish(source, partial)
    return partial


def discard_partial(target: Path) -> None:
    """What a copy left that did not come to its end."""
    shutil.rmtree(target.with_name(target.name + PARTIAL), ignore_errors=True)


def _make_partial(target: Path) -> Path:
    discard_partial(target)
    partial = target.with_name(target.name + PARTIAL)
    partial.mkdir(parents=True)
    return partial


def _finish(source: Path, partial: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.copyfile(source / OWNER_FILE, partial / OWNER_FILE)
    sync_folder(partial)


def _find_earlier(target: Path) -> Path | None:
    """The folder of the backup before."""
    folders = [one for one in target.parent.glob("*.pictures") if one.is_dir() and one != target]
    return max(folders, key=lambda folder: folder.stat().st_mtime_ns, default=None)


def _is_same(path: Path, earlier: Path | None) -> bool:
    """Whether the earlier backup's copy was made of the file as it is now: a copy takes over time and size."""
    if earlier is None or log_size(path):
        return False
    with suppress(FileNotFoundError):
        now, then = path.stat(), (earlier / path.name).stat()
        return (now.st_size, now.st_mtime_ns) == (then.st_size, then.st_mtime_ns)
    return False


def _take(path: Path, target: Path, earlier: Path | None) -> None:
    if earlier is not None and _is_same(path, earlier):
        with suppress(OSError):  # a file system without hard links
            os.link(earlier / path.name, target)
            return
    # Before the copy: what is written during it makes the file newer than its copy.
    changed_at, now = path.stat().st_mtime_ns, time.time_ns()
    copy(path, target)
    if now - changed_at > SURE_NANOSECONDS:
        os.utime(target, ns=(changed_at, changed_at))
