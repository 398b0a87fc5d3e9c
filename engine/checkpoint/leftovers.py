"""Folders of conversions that were stopped half-way: told by their names, removed at the next conversion."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import time
from pathlib import Path

# A conversion writes all the time; one that has not for that long, and can't be asked, is over.
STALE_SECONDS = 3600.0
_NAME = re.compile(r".+\.partial-(?:(?P<host>.+)-)?(?P<pid>\d+)(?:-\w+)?")


def partial_prefix(folder: Path) -> str:
    """The start of an unfinished folder's name: whose it is can be read from it."""
    return f"{folder.name}.partial-{_host()}-{os.getpid()}-"


def sweep_partial(place: Path) -> None:
    """Remove what conversions that are over left in `place`; what can't be removed stays."""
    for path in place.glob("*.partial-*"):
        if path.is_dir() and _is_over(path):
            shutil.rmtree(path, ignore_errors=True)


def _is_over(path: Path) -> bool:
    """Whether the process that wrote it is gone, or has not written for long where that can't be known."""
    name = _NAME.fullmatch(path.name)
    if name is None:  # somebody else's folder
        return False
    if name["host"] in (None, _host()) and os.name == "posix" and int(name["pid"]) != os.getpid():
        return not _is_alive(int(name["pid"]))
    with contextlib.suppress(OSError):
        return time.time() - max(one.stat().st_mtime for one in (path, *path.rglob("*"))) > STALE_SECONDS
    return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _host() -> str:
    return re.sub(r"\W", "", socket.gethostname()) or "host"
