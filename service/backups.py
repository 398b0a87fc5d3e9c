"""A copy of everything that is stored, made while the bot runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from db import audit, backup
from db.database import DatabaseError
from domain.errors import UserError
from service.context import Context, Topic

FOLDER = "backups"


class BackupFailed(UserError):
    """The copy can't be written; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A written copy and its size."""

    path: Path
    bytes: int


class Backups:
    """Copies lie in a folder beside the database; nobody else writes or deletes there."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def make(self, actor_id: int) -> Backup:
        """Write one, and a line about it in the owner's audit log. Raises BackupFailed."""
        database, now = self._context.database.path, self._context.now()
        target = database.parent / FOLDER / f"{database.stem}-{now:%Y%m%d-%H%M%S}{database.suffix}"
        try:
            size = await asyncio.to_thread(backup.make_backup, database, target)
        except DatabaseError as error:
            raise BackupFailed(str(error)) from error
        async with self._context.writing(Topic.AUDIT) as connection:
            await audit.record(connection, None, actor_id, "backup.make", "everywhere", {"bytes": size}, now)
        return Backup(target, size)
