"""A copy of everything that is stored, made while the bot runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from db import audit, backup
from db.database import DatabaseError
from domain.audit import AuditAction
from domain.errors import UserError
from service.context import Context, Topic
from service.jobs import Jobs

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

    def __init__(self, context: Context, jobs: Jobs) -> None:
        self._context = context
        self._jobs = jobs

    async def make(self, actor_id: int) -> Backup:
        """Write one, and a line about it in the owner's audit log. Raises BackupFailed."""
        database, now = self._context.database.path, self._context.now()
        target = database.parent / FOLDER / f"{database.stem}-{now:%Y%m%d-%H%M%S}{database.suffix}"
        try:
            async with self._context.database.pictures.undisturbed():
                copying = asyncio.create_task(asyncio.to_thread(backup.make_backup, database, target))
                try:
                    size = await asyncio.shield(copying)
                finally:
                    # A thread can't be stopped: nothing may be deleted before it has copied what its rows name.
                    await asyncio.wait({copying})
        except DatabaseError as error:
            raise BackupFailed(str(error)) from error
        finally:
            await self._jobs.delete_erased()
        async with self._context.writing(Topic.AUDIT) as connection:
            await audit.record(connection, None, actor_id, AuditAction.BACKUP_MAKE, "everywhere", {"bytes": size}, now)
        return Backup(target, size)
