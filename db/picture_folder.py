"""Which folder holds the picture files of which database.

Normally `pictures/` beside the database. A copy of a database (a backup, what a restore set aside) has its pictures in
a folder of its own name, and so has a second database in one folder: what no row of *this* database names is deleted as
left over, so two databases must never take each other's pictures for their own. Nor may a database that is older than
its pictures, for instance a copy of last week that somebody put back: what it does not know is kept.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from db.copies import open_existing
from db.files import sync_folder
from db.problems import DatabaseError

SHARED = "pictures"
OWN_SUFFIX = ".pictures"
OWNER_FILE = "owner"
# The file name of the database that uses `pictures/`: a copy beside it has the same owner.
NAME_FILE = "database"
# Lies in the folder while it may hold pictures of which its older database does not know.
OLDER_FILE = "older-database"
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
    return shared if _read_owner(shared) == (owner or "") or _is_free(shared, database) else own


def claim(database: Path, owner: str) -> Path:
    """The database's folder, from now on marked as its own if nobody had it. Raises DatabaseError if somebody has."""
    folder = locate(database, owner)
    if _read_owner(folder) not in (owner, ""):
        raise DatabaseError(f"{folder} holds the pictures of another database. Give {database.name} another name.")
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
    require_no_twin(database, folder, owner)
    if not _read_owner(folder):
        (folder / OWNER_FILE).write_text(owner, encoding="utf-8")
    if folder == shared_folder(database) and _read(folder / NAME_FILE) != database.resolve().name:
        (folder / NAME_FILE).write_text(database.resolve().name, encoding="utf-8")
    return folder


def require_no_twin(database: Path, folder: Path, owner: str | None) -> None:
    """Raise DatabaseError if `pictures/` is in use by the database beside of which this one is a copy."""
    name = _read(folder / NAME_FILE) if folder == shared_folder(database) else ""
    if name in ("", database.resolve().name) or owner is None:
        return
    twin = folder.parent / name
    if twin.is_file() and owner_of(twin) == owner:
        raise DatabaseError(
            f"{database.name} is a copy of {name}, to which the pictures in {folder} belong. Put the copy into another "
            f"folder, together with a copy of {SHARED}/, or move {name} away."
        )


def owner_of(database: Path, *, untouched: bool = False) -> str | None:
    """The name by which a database's folder knows it; None if the file can't be read or is older than that.

    `untouched` reads the file alone: SQLite would throw the log of a damaged database away.
    """
    try:
        with closing(_connect_untouched(database) if untouched else open_existing(database)) as connection:
            row = connection.execute(SELECT_OWNER).fetchone()
    except sqlite3.Error:
        return None
    return str(row[0]) if row else None


def _connect_untouched(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)


# ---- a database that is older than its pictures ----------------------------------------------------------------------


def note_if_older(folder: Path, last_job_id: int) -> None:
    """Mark the folder if it has pictures of jobs that were accepted after the database's last one."""
    if max(map(_newest_job_in, find_months(folder).values()), default=0) > last_job_id:
        (folder / OLDER_FILE).write_text(
            "The database is older than these pictures, so those that it does not know are kept.\n"
            "Delete this file if they are not needed any more; the bot then deletes them at its next start.\n",
            encoding="utf-8",
        )
        sync_folder(folder)  # ids may be lifted right after this, and then nothing else says so


def forget_older(folder: Path) -> None:
    """Another database takes the place of the older one; its start looks again."""
    (folder / OLDER_FILE).unlink(missing_ok=True)


def older_in_words(folder: Path) -> str | None:
    """What the person who runs the bot must know of the mark, None without it."""
    if not (folder / OLDER_FILE).exists():
        return None
    return (
        f"The database is older than the pictures in {folder}, so those that it does not know are kept there. If you "
        f"want them back, restore the newer database; if not, delete {folder / OLDER_FILE} and start the bot again."
    )


def _newest_job_in(month: Path) -> int:
    """The newest job whose picture was written to the file; 0 if it does not say, or can't be read."""
    try:
        with closing(open_existing(month)) as connection:
            return int(connection.execute("SELECT job_id FROM newest").fetchone()[0])
    except (sqlite3.Error, TypeError):
        return 0


# ---- files of the folder ---------------------------------------------------------------------------------------------


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
    return _read(folder / OWNER_FILE)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _is_free(folder: Path, database: Path) -> bool:
    """Whether nobody but the database has claimed the folder and nothing else lies in it: it may be a person's own."""
    name = _read(folder / NAME_FILE)
    is_others = name not in ("", database.resolve().name) and (folder.parent / name).is_file()
    if _read_owner(folder) or is_others:
        return False
    return not folder.is_dir() or all(
        MONTH_FILE.match(path.name) or path.name in (OWNER_FILE, NAME_FILE, OLDER_FILE) for path in folder.iterdir()
    )
