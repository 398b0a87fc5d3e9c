"""Who made a picture: by the message that shows it, by what its file says about itself, or by what it looks like.

What a file says can be forged, so it is checked against the rows. Only pictures of the asking server are found.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from db import jobs as job_rows
from db import picture_hashes, pictures
from domain.lookup import Found, FoundBy
from engine.images.fingerprint import CANDIDATE_DISTANCE, SAME_SIMILARITY, distances, fingerprint, similarity
from engine.images.metadata import read_png
from service.context import Context
from service.jobs import Jobs

MAX_CANDIDATES = 12


class Lookup:
    """Finds jobs; writes nothing."""

    def __init__(self, context: Context, jobs: Jobs) -> None:
        self._context = context
        self._jobs = jobs

    async def find_by_message(self, message_id: int, guild_id: int) -> Found | None:
        """The server's job that a message shows: its own, or as a challenge's entry, or on the starboard."""
        job = await self._jobs.find_shown(message_id)
        if job is None or job.guild_id != guild_id:
            return None
        return Found(job=job, by=FoundBy.MESSAGE)

    async def find_by_picture(self, data: bytes, guild_id: int) -> Found | None:
        """The server's job whose picture this file is, or is a copy of; `data` may be any file."""
        return await self._by_metadata(data, guild_id) or await self._by_looks(data, guild_id)

    async def _by_metadata(self, data: bytes, guild_id: int) -> Found | None:
        info = await asyncio.to_thread(read_png, data)
        if info is None or info.job_id is None:
            return None
        job = await job_rows.fetch(self._context.database, info.job_id)
        if job is None or job.guild_id != guild_id:
            return None
        is_ours = await pictures.has_seed(self._context.database, job.id, info.seed)
        return Found(job=job, by=FoundBy.METADATA) if is_ours else None

    async def _by_looks(self, data: bytes, guild_id: int) -> Found | None:
        try:
            wanted = await asyncio.to_thread(fingerprint, data)
        except OSError:
            return None
        best, best_job_id = SAME_SIMILARITY, None
        async for job_id, png in self._candidates(wanted, guild_id):
            likeness = await asyncio.to_thread(similarity, data, png)
            if likeness >= best:
                best, best_job_id = likeness, job_id
        if best_job_id is None:
            return None
        return Found(job=await self._jobs.fetch(best_job_id), by=FoundBy.LOOKS, likeness=best)

    async def _candidates(self, wanted: bytes, guild_id: int) -> AsyncGenerator[tuple[int, bytes]]:
        """(job id, picture file) of the server's pictures with the nearest fingerprints, nearest first."""
        stored = await picture_hashes.fetch_for_guild(self._context.database, guild_id)
        apart = await asyncio.to_thread(distances, wanted, [known.hashes for known in stored])
        for index in sorted(range(len(stored)), key=apart.__getitem__)[:MAX_CANDIDATES]:
            if apart[index] > CANDIDATE_DISTANCE:
                break
            near = stored[index]
            png = await pictures.fetch_picture(self._context.database, near.job_id, near.position)
            if png is not None:
                yield near.job_id, png
