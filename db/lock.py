"""One bot, one database: a lock on a file beside the database, which the operating system drops with its process.

A second bot on one database would paint and charge everything twice. The lock lies beside the real file, so another
path or a symbolic link to it is noticed; a file with a second name (a hard link) is refused, because SQLite's own
companions (`-wal`, `-shm`) go by the name and two names would damage it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from db.database import DatabaseError
from db.problems import explain

SUFFIX = ".lock"


class DatabaseLock:
    """Use as `with DatabaseLock(path)` for as long as the database is in use. Raises DatabaseError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        # Whether no bot that takes this lock has used the database before; set on entering.
        self.is_new = False

    def __enter__(self) -> Self:
        try:
            real = self._path.resolve()
            real.parent.mkdir(parents=True, exist_ok=True)
            _require_one_name(real)
            lock = real.with_name(real.name + SUFFIX)
            self.is_new = not lock.exists()
            file = lock.open("a+b")
        except OSError as error:
            raise DatabaseError(explain(self._path, error)) from error
        if not _take(file):
            file.close()
            raise DatabaseError(
                f"The database {self._path} is in use by another process of this bot. "
                "Stop that one first, or name another file in DATABASE."
            )
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            # The file stays: deleting it would let two processes lock two files of one name.
            self._file.close()
            self._file = None


def _require_one_name(path: Path) -> None:
    if path.exists() and path.stat().st_nlink > 1:
        raise DatabaseError(
            f"The database {path} has a second name (a hard link), under which another process could damage it. "
            "Copy it to a file of its own, and name that in DATABASE."
        )


if sys.platform == "win32":
    import msvcrt

    def _take(file: IO[bytes]) -> bool:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _take(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
