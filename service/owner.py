"""What only the person who runs the bot does and hears: announcements, the drained queue, decisions on clause b."""

from __future__ import annotations

from db import audit, decisions, meta
from domain.audit import AuditAction
from domain.decisions import UnstoredDecision
from service.context import Context, Topic
from service.deliveries import Deliveries
from service.jobs import Jobs
from service.queue import DRAINED_KEY

TOLD_KEY = "newest decision on clause b that the owner was told of"


class Owner:
    """Each piece of news is told once, also across restarts."""

    def __init__(self, context: Context, jobs: Jobs, deliveries: Deliveries) -> None:
        self._context = context
        self._jobs = jobs
        self._deliveries = deliveries

    async def note_announcement(self, actor_id: int, text: str, servers: int) -> None:
        """Write down what was said in how many servers."""
        details = {"servers": servers, "text": text}
        async with self._context.writing(Topic.AUDIT) as connection:
            await audit.record(
                connection, None, actor_id, AuditAction.ANNOUNCE, "everywhere", details, self._context.now()
            )

    async def find_who_waits_for_drain(self) -> int | None:
        """The owner who drained the queue, once everything is painted and delivered and they have not been told."""
        owner_id = await meta.recall(self._context.database, DRAINED_KEY)
        if not owner_id or await self._jobs.fetch_open_ids() or await self._deliveries.fetch_undelivered():
            return None
        return int(owner_id)

    async def note_drain_told(self) -> None:
        async with self._context.writing() as connection:
            await meta.remember(connection, DRAINED_KEY, "")

    async def fetch_untold_decisions(self) -> list[UnstoredDecision]:
        """Decisions on clause b that the owner has not heard of, oldest first."""
        told_up_to = int(await meta.recall(self._context.database, TOLD_KEY) or 0)
        return await decisions.fetch_unstored(self._context.database, told_up_to)

    async def note_decisions_told(self, newest_id: int) -> None:
        async with self._context.writing() as connection:
            await meta.remember(connection, TOLD_KEY, str(newest_id))
