"""Telling members of pictures that took long: once each, where they and the server want it."""

from __future__ import annotations

from db import guild_settings, member_settings, notices
from domain.notices import Notice
from service.context import Context


class Notices:
    """The job's row says how far its notice is; a stop of the process at any point posts it once all the same."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def fetch_due(self) -> list[Notice]:
        """What is to be posted, oldest first. What nobody wants, or shows nothing any more, is settled."""
        due: list[Notice] = []
        for notice in await notices.fetch_open(self._context.database):
            if await self._is_wanted(notice):
                due.append(notice)
            else:
                await self.settle(notice)
        return due

    async def begin(self, notice: Notice) -> None:
        """Note it before it is posted: whether Discord took it may stay unknown."""
        async with self._context.writing() as connection:
            await notices.begin(connection, notice.job_id)

    async def settle(self, notice: Notice) -> None:
        """It was posted, or never will be."""
        async with self._context.writing() as connection:
            await notices.settle(connection, notice.job_id)

    async def _is_wanted(self, notice: Notice) -> bool:
        database = self._context.database
        return (
            notice.is_shown
            and notice.message_id is not None
            and (await member_settings.load(database, notice.user_id)).notices
            and (await guild_settings.load(database, notice.guild_id)).notices
        )
