"""Strikes: what members and moderators see of the ladder, lifting them, and who is told of its last rung."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from db import audit, guild_settings, meta, strikes
from domain import InvalidRequest
from domain.audit import AuditAction, AuditRow
from domain.strikes import LadderTrial, StrikeNews, StrikeRecord
from service.context import Context, Topic

TOLD_KEY = "the last strike that moderators were told of"
# After an update or a long absence nobody wants to hear of last month's strikes.
NEWS_FOR = timedelta(days=1)


class Strikes:
    """Strikes themselves are written with their refusals; see service/allowances.py."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def fetch_record(self, guild_id: int, user_id: int) -> StrikeRecord:
        """Where a member stands on a server's ladder (0: in direct messages)."""
        database, now = self._context.database, self._context.now()
        settings = await guild_settings.load(database, guild_id)
        found = await strikes.fetch_all(database, guild_id, user_id)
        live = tuple(strike for strike in found if strike.is_live(now))
        return StrikeRecord(
            user_id=user_id,
            live=live,
            past=len(found) - len(live),
            penalty=strikes.penalty_of([strike.created_at for strike in live], settings, now),
            settings=settings,
        )

    async def lift(self, guild_id: int, user_id: int, actor_id: int, *, reason: str) -> int:
        """Lift all live strikes of a member; returns how many. Raises InvalidRequest if there are none."""
        async with self._context.writing(Topic.STRIKES, Topic.AUDIT) as connection:
            lifted = await strikes.lift(connection, guild_id, user_id, actor_id, self._context.now(), reason=reason)
            if not lifted:
                raise InvalidRequest("This member has no live strikes.")
        return lifted

    async def try_ladder(self, guild_id: int, days: int, **changes: int) -> LadderTrial:
        """What the server's ladder, with these settings (`strike_*`) changed, would have done. Changes nothing."""
        database = self._context.database
        settings = replace(await guild_settings.load(database, guild_id), **changes)
        outcomes = await strikes.dry_run(database, guild_id, settings, self._context.now() - timedelta(days=days))
        return LadderTrial(days=days, settings=settings, outcomes=tuple(outcomes))

    # ---- telling moderators ----------------------------------------------------------------------------------------

    async def fetch_news(self) -> list[StrikeNews]:
        """Members who reached the last rung within a day and whose moderators were not told yet, oldest first."""
        told_up_to = int(await meta.recall(self._context.database, TOLD_KEY) or 0)
        since = self._context.now() - NEWS_FOR
        rows = await audit.fetch_action(self._context.database, AuditAction.STRIKE_MODERATORS_TOLD, told_up_to, since)
        return [await self._news(row) for row in rows]

    async def mark_told(self, news_id: int) -> None:
        """Everything up to this piece of news was told, or never will be."""
        async with self._context.writing() as connection:
            await meta.remember(connection, TOLD_KEY, str(news_id))

    async def _news(self, row: AuditRow) -> StrikeNews:
        settings = await guild_settings.load(self._context.database, row.guild_id)
        user_id = int(row.target.partition(":")[2]) if row.target else 0
        return StrikeNews(
            id=row.id,
            user_id=user_id,
            live=int(row.details.get("live", 0)),
            # A member who had everything erased is nobody's news any more.
            review_channel_id=settings.review_channel_id if user_id else None,
        )
