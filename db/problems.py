"""What SQLite's errors mean for the person who runs the bot: one sentence each, with what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path


class DatabaseError(Exception):
    """A file of the database can't be used; the text says why and what to do."""


_UNKNOWN = (
    "can't be opened ({error}). Check that DATABASE names a readable and writable SQLite file in a writable folder."
)
# By SQLite's primary result code (https://www.sqlite.org/rescode.html).
_SENTENCES = {
    sqlite3.SQLITE_CORRUPT: (
        "is damaged ({error}). Stop the bot and bring a backup back with `python bot.py --restore FILE` "
        "(docs/running.md)."
    ),
    sqlite3.SQLITE_NOTADB: (
        "can't be opened, because it is no SQLite file ({error}). Check that DATABASE names the bot's own file."
    ),
    sqlite3.SQLITE_FULL: (
        "can't be written, because its disk is full ({error}). Free some space; nothing that was accepted is lost."
    ),
    sqlite3.SQLITE_READONLY: (
        "can't be written ({error}). Give the bot's user the right to write the file and its folder."
    ),
    sqlite3.SQLITE_IOERR: (
        "can't be read or written, because its disk reports an error ({error}). Check the disk and the space on it."
    ),
    sqlite3.SQLITE_BUSY: "is in use by another program ({error}). Close it, then start the bot again.",
}


def explain(path: Path, error: BaseException) -> str:
    """One sentence on why the database at `path` can't be used."""
    code = getattr(error, "sqlite_errorcode", None)
    sentence = _SENTENCES.get(code & 0xFF, _UNKNOWN) if isinstance(code, int) else _UNKNOWN
    return f"The database {path} {sentence.format(error=error)}"
