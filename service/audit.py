"""The audit log: who decided what, and what of it a server's audit channel does not show yet."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

from db import audit
from domain.audit import AuditBacklog, AuditRow
from service.context import Context

# How much of each server's backlog is read at a time.
ROWS_PER_ROUND = 50
# What a file of the log may hold.
MAX_ROWS = 10_000


class AuditLog:
    """Rows are written by the use cases that they tell of."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def search(
        self,
        guild_id: int,
        *,
        actor_id: int | None = None,
        member_id: int | None = None,
        action: str | None = None,
        days: int | None = None,
        limit: int = MAX_ROWS,
    ) -> list[AuditRow]:
        """A server's newest rows (`EVERYWHERE`: the owner's) by who acted, to whom, how, and since when.

        `action` is a whole name or the part before its dot; `member_id` also finds what was done to their pictures.
        """
        return await audit.search(
            self._context.database,
            guild_id,
            actor_id=actor_id,
            target=None if member_id is None else f"member:{member_id}",
            action=action,
            since=None if days is None else self._context.now() - timedelta(days=days),
            limit=limit,
        )

    async def fetch_backlogs(self) -> list[AuditBacklog]:
        """What the audit channels do not show yet, one backlog for each server that has such a channel."""
        rows = await audit.unposted(self._context.database, ROWS_PER_ROUND)
        backlogs: defaultdict[tuple[int, int], list[AuditRow]] = defaultdict(list)
        for channel_id, row in rows:
            backlogs[row.guild_id, channel_id].append(row)
        return [
            AuditBacklog(guild_id=guild_id, channel_id=channel_id, rows=tuple(mine))
            for (guild_id, channel_id), mine in sorted(backlogs.items())
        ]

    async def mark_posted(self, guild_id: int, last_id: int) -> None:
        """The server's audit channel shows everything up to this row."""
        async with self._context.writing() as connection:
            await audit.mark_posted(connection, guild_id, last_id)
