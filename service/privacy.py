"""What is stored of a member or a server: showing it, handing it out, erasing it, and forgetting it in time."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from db import erasure, picture_sweep, pictures, privacy, retention, space
from service.context import Context
from service.jobs import Jobs

log = logging.getLogger(__name__)

# Forgetting is not urgent; once an hour is often enough for periods of days.
FORGET_EVERY = timedelta(hours=1)
# So many pictures of an older bot are moved in one go: a few seconds.
MOVED_A_ROUND = 200
# Room for an archive's own structure beside each picture, in bytes.
ENTRY_OVERHEAD = 256


@dataclass(frozen=True, slots=True)
class ExportPart:
    """Files for one archive, by name."""

    number: int
    count: int
    pictures: dict[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Export:
    """Everything that is stored of a member: `rows` by table, and which pictures go into which archive.

    `too_large` names pictures that no archive of the given size can hold.
    """

    rows: dict[str, list[dict[str, Any]]]
    parts: tuple[tuple[tuple[int, int], ...], ...]
    too_large: tuple[str, ...]


class Privacy:
    """Erasing goes on in small transactions; at its end the log that still holds the erased bytes is emptied."""

    def __init__(self, context: Context, jobs: Jobs) -> None:
        self._context = context
        self._jobs = jobs
        self._forgot_at: datetime | None = None
        self._has_moved_all = False

    async def summarise(self, user_id: int) -> dict[str, int]:
        """How many rows of each kind are stored of the member, only kinds that there are."""
        return await privacy.summarise(self._context.database, user_id)

    async def export(self, user_id: int, limit_bytes: int) -> Export:
        """What an export holds, its pictures split over archives of at most `limit_bytes`."""
        rows = await privacy.export(self._context.database, user_id)
        sizes = await privacy.list_pictures(self._context.database, user_id)
        parts, too_large = split_pictures(sizes, limit_bytes)
        return Export(rows, parts, too_large)

    async def fetch_parts(self, export: Export) -> AsyncIterator[ExportPart]:
        """The export's archives, one after the other: all pictures at once might not fit into memory."""
        for number, keys in enumerate(export.parts, start=1):
            files = {
                name_of(job_id, position): await pictures.fetch_picture(self._context.database, job_id, position) or b""
                for job_id, position in keys
            }
            yield ExportPart(number, len(export.parts), files)

    async def erase_member(self, user_id: int) -> list[int]:
        """Cancel what is open and erase the rows; the ids of the jobs that were open."""
        open_ids = [job.id for job in await self._jobs.fetch_open(user_id)]
        await self._jobs.cancel_all(user_id, user_id=user_id)
        database, now = self._context.database, self._context.now()
        async with self._context.writing() as connection:
            await erasure.note_erasure(connection, user_id, now)
        await erasure.erase_member(database, user_id, now)
        await space.give_back(database)
        return open_ids

    # ---- forgetting in time ----------------------------------------------------------------------------------------

    async def forget(self) -> None:
        """Servers' retention, the bot's own periods, and servers that removed the bot long ago; once an hour.

        Between those, a slice of what an older bot left in rows is moved: others' background work waits for this.
        """
        now = self._context.now()
        if self._forgot_at is not None and now - self._forgot_at < FORGET_EVERY:
            await self._move_pictures()
            return
        database = self._context.database
        unfinished = await erasure.fetch_unfinished(database)
        for user_id in unfinished:
            await erasure.erase_member(database, user_id, now)
        changed = await retention.forget_old(database, now)
        guild_ids = await erasure.erase_departed(database, now)
        # The first time also for an erasure after which the process ended before it could do this.
        has_freed = bool(changed or guild_ids or unfinished or self._forgot_at is None)
        # Before the files: one that can't be written is tried again in an hour, not with every round.
        self._forgot_at = now
        if has_freed:
            log.info("retention: %d rows changed, %d left servers erased", changed, len(guild_ids))
            await space.give_back(database)
        else:
            await picture_sweep.collect(database)
        await picture_sweep.sweep(database)
        await self._move_pictures()

    async def _move_pictures(self) -> None:
        """The next of those that an older bot left in rows go into the files of their months."""
        database, moved = self._context.database, 0
        while not self._has_moved_all and moved < MOVED_A_ROUND:
            count = await picture_sweep.move_some(database)
            self._has_moved_all = count == 0
            moved += count
        if moved:
            await space.give_back(database)
            log.info("%d pictures were moved into the files of their months", moved)

    async def note_departure(self, guild_id: int) -> None:
        """The bot was removed from a server."""
        async with self._context.writing() as connection:
            await erasure.note_departure(connection, guild_id, self._context.now())

    async def note_return(self, guild_id: int) -> None:
        """The bot was added to a server (again)."""
        async with self._context.writing() as connection:
            await erasure.note_return(connection, [guild_id])

    async def note_present(self, guild_ids: set[int]) -> None:
        """These are all servers that have the bot: others have removed it, or added it, while it was not running."""
        stored = await erasure.fetch_guild_ids(self._context.database)
        now = self._context.now()
        async with self._context.writing() as connection:
            for guild_id in stored - guild_ids:
                await erasure.note_departure(connection, guild_id, now)
            await erasure.note_return(connection, sorted(guild_ids))


def name_of(job_id: int, position: int) -> str:
    return f"{job_id}-{position}.png"


def split_pictures(
    pictures: Sequence[tuple[int, int, int]], room_bytes: int
) -> tuple[tuple[tuple[tuple[int, int], ...], ...], tuple[str, ...]]:
    """(job, position, bytes) of pictures in as few parts as fit into `room_bytes` each, at least one part.

    Also the names of pictures that are larger than a part.
    """
    parts: list[list[tuple[int, int]]] = [[]]
    too_large: list[str] = []
    left = room_bytes
    for job_id, position, size in pictures:
        if size > room_bytes:
            too_large.append(name_of(job_id, position))
            continue
        if size > left:
            parts.append([])
            left = room_bytes
        parts[-1].append((job_id, position))
        left -= size + ENTRY_OVERHEAD
    return tuple(tuple(part) for part in parts), tuple(too_large)
