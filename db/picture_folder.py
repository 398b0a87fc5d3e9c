"""Which folder holds the picture files of which database.

Normally `pictures/` beside the database. A copy of a database (a backup, what a restore set aside) has its pictures in
a folder of its own name, and so has a second database in one folder: what no row of *this* database names is deleted as
left over, so two databases must never take each other's pictures for their own.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from db.files import sync_folder
from db.problems import DatabaseError

SHARED = "pictures"
OWN_SUFFIX = ".pictures"
OWNER_FILE = "owner"
# The one row of which this reads is in the owner file, too.
SELECT_OWNER = "SELECT owner FROM picture_folder"
MONTH_FILE = re.compile(r"(\d{4}-\d{2})\.sqlite3")
# Lies beside the database while a restore exchanges the files.
RESTORING_SUFFIX = ".restoring"


def shared_folder(database: Path) -> Path:
    """`pictures/` beside the database."""
    return database.resolve().parent / SHARED


def own_folder(database: Path) -> Path:
    """The folder that carries the database's name."""
    return database.resolve().with_suffix(OWN_SUFFIX)


def locate(database: Path, owner: str | None) -> Path:
    """Where the database's pictures are, or would be; changes nothing. `owner` is its own name of `SELECT_OWNER`."""
    own, shared = own_folder(database), shared_folder(database)
    if own.is_dir() and (owner is None or _read_owner(own) in (owner, "")):
        return own
    return shared if _read_owner(shared) == (owner or "") or _is_free(shared) else own


def claim(database: Path, owner: str) -> Path:
    """The database's folder, from now on marked as its own if nobody had it. Raises DatabaseError if somebody has."""
    folder = locate(database, owner)
    if _read_owner(folder) not in (owner, ""):
        raise DatabaseError(f"{folder} holds the pictures of another database. Give {database.name} another name.")
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
    if not _read_owner(folder):
        (folder / OWNER_FILE).write_text(owner, encoding="utf-8")
    return folder


def find_months(folder: Path) -> dict[str, Path]:
    """Month → its file, oldest first."""
    with suppress(FileNotFoundError):
        return {found[1]: path for path in sorted(folder.iterdir()) if (found := MONTH_FILE.fullmatch(path.name))}
    return {}


def require_no_restore(database: Path) -> None:
    """Raise DatabaseError if a restore stopped in the middle of its exchange."""
    marker = restore_marker(database)
    if marker.exists():
        raise DatabaseError(
            f"Bringing back {marker.read_text(encoding='utf-8').strip()} stopped half-way. "
            "Repeat `python bot.py --restore FILE` with it (docs/running.md)."
        )


def restore_marker(database: Path) -> Path:
    real = database.resolve()
    return real.with_name(real.name + RESTORING_SUFFIX)


def _read_owner(folder: Path) -> str:
    """Empty if nobody has claimed the folder, or a power cut came in between."""
    try:
        return (folder / OWNER_FILE).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _is_free(folder: Path) -> bool:
    """Whether nobody has claimed the folder and nothing but picture files lies in it: it may be a person's own."""
    if _read_owner(folder):
        return False
    return not folder.is_dir() or all(
        MONTH_FILE.match(path.name) or path.name == OWNER_FILE for path in folder.iterdir()
    )
