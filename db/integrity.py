"""Whether a database file is whole, looked at without writing to it: also while a bot works with it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

MAX_PROBLEMS = 3


def find_damage(path: Path) -> list[str]:
    """What SQLite finds wrong with the file's pages, indexes and references, in its own words; empty if it is whole.

    Reads every page once. At most MAX_PROBLEMS of each kind.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5)) as connection:
            pages = [str(row[0]) for row in connection.execute(f"PRAGMA quick_check({MAX_PROBLEMS})")]
            orphans = connection.execute("PRAGMA foreign_key_check").fetchmany(MAX_PROBLEMS)
    except sqlite3.Error as error:
        return [str(error)]
    found = [line for line in pages if line != "ok"]
    return found + [
        f"row {row} of {table} names a row of {parent} that is not there" for table, row, parent, _ in orphans
    ]
