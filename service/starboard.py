"""The starboard: where a server shows pictures with enough stars once more, and who starred what."""

from __future__ import annotations

from db import audit, jobs, starboard
from domain import Job, NotFound
from domain.audit import AuditAction
from domain.starboard import Starboard, Starred
from service.context import Context, Topic


class Starboards:
    """Each picture reaches its server's starboard once; a member's own star does not count."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def set_up(self, guild_id: int, channel_id: int, threshold: int, actor_id: int) -> None:
        """Show pictures with `threshold` stars in the channel from now on."""
        now = self._context.now()
        async with self._context.writing(Topic.AUDIT) as connection:
            await starboard.save(connection, guild_id, channel_id, threshold, actor_id, now)
            details, target = {"stars": threshold}, f"channel:{channel_id}"
            await audit.record(connection, guild_id, actor_id, AuditAction.STARBOARD_SET, target, details, now)

    async def remove(self, guild_id: int, actor_id: int) -> None:
        """No starboard any more; what it shows stays. Raises NotFound if there is none."""
        async with self._context.writing(Topic.AUDIT) as connection:
            if not await starboard.remove(connection, guild_id):
                raise NotFound("There is no starboard here.")
            await audit.record(
                connection, guild_id, actor_id, AuditAction.STARBOARD_OFF, "server", {}, self._context.now()
            )

    async def fetch(self, guild_id: int) -> Starboard | None:
        return await starboard.fetch(self._context.database, guild_id)

    async def add_star(self, message_id: int, user_id: int) -> None:
        """Count a star on a message that shows a job; on any other it means nothing."""
        job = await self._find_job(message_id)
        if job is None:
            return
        async with self._context.writing_news() as (connection, news):
            if await starboard.add_star(connection, job.id, user_id, self._context.now()):
                news.add(Topic.STARBOARD)

    async def take_star(self, message_id: int, user_id: int) -> None:
        """The member took the star back; what is on the starboard stays there."""
        job = await self._find_job(message_id)
        if job is not None:
            async with self._context.writing() as connection:
                await starboard.take_star(connection, job.id, user_id)

    async def _find_job(self, message_id: int) -> Job | None:
        return await jobs.fetch_by_message(self._context.database, message_id)

    async def count_stars(self, job_id: int) -> int:
        return await starboard.count(self._context.database, job_id)

    async def fetch_unposted(self) -> list[Starred]:
        """Pictures that have reached the number of stars and are not on the starboard yet."""
        return await starboard.fetch_unposted(self._context.database)

    async def close(self, job_id: int, message_id: int | None) -> None:
        """The picture was posted, or (None) never will be."""
        async with self._context.writing() as connection:
            await starboard.close(connection, job_id, message_id)
