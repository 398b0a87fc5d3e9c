"""Who may not paint: a member in one server or, for the bot's owner, a member or a whole server everywhere."""

from __future__ import annotations

from datetime import timedelta

from db import blocks
from domain import InvalidRequest
from domain.blocks import WHOLE_SERVER, Block, BlockResult
from domain.places import EVERYWHERE
from service.context import Context, Topic
from service.jobs import Jobs


class Blocks:
    """A block keeps new requests out and takes open ones back; their cost returns."""

    def __init__(self, context: Context, jobs: Jobs) -> None:
        self._context = context
        self._jobs = jobs

    async def fetch(self, guild_id: int) -> list[Block]:
        """A server's blocks in force (`EVERYWHERE`: those that hold in all of them), newest first."""
        return await blocks.fetch_all(self._context.database, guild_id, self._context.now())

    async def block_member(
        self, guild_id: int, member_id: int, actor_id: int, *, reason: str, expires_in: timedelta | None = None
    ) -> BlockResult:
        """Keep a member from painting in the server, or everywhere. Raises InvalidRequest for a moderator's own id."""
        if guild_id != EVERYWHERE and member_id == actor_id:
            raise InvalidRequest("You can't block yourself.")
        return await self._block(guild_id, member_id, actor_id, reason, expires_in)

    async def block_server(
        self, guild_id: int, actor_id: int, *, reason: str, expires_in: timedelta | None = None
    ) -> BlockResult:
        """Keep everybody in the server from painting there."""
        return await self._block(guild_id, WHOLE_SERVER, actor_id, reason, expires_in)

    async def unblock_member(self, guild_id: int, member_id: int, actor_id: int, *, reason: str = "") -> None:
        """Let a member paint again in the server, or everywhere. Raises InvalidRequest if no block holds there."""
        if not await self._lift(guild_id, member_id, actor_id, reason):
            everywhere = guild_id == EVERYWHERE
            raise InvalidRequest(
                "There is no such block." if everywhere else "This member is not blocked in this server."
            )

    async def unblock_server(self, guild_id: int, actor_id: int) -> None:
        """Let a server's members paint there again. Raises InvalidRequest if it is not blocked."""
        if not await self._lift(guild_id, WHOLE_SERVER, actor_id, ""):
            raise InvalidRequest("There is no such block.")

    async def _block(
        self, guild_id: int, user_id: int, actor_id: int, reason: str, expires_in: timedelta | None
    ) -> BlockResult:
        now = self._context.now()
        expires_at = now + expires_in if expires_in else None
        async with self._context.writing(Topic.AUDIT) as connection:
            await blocks.add(connection, guild_id, user_id, actor_id, now, reason=reason, expires_at=expires_at)
        # After the commit: from here on the enqueue statement accepts nothing new that would be missed.
        cancelled = await self._jobs.cancel_all(
            actor_id,
            user_id=None if user_id == WHOLE_SERVER else user_id,
            guild_id=None if guild_id == EVERYWHERE else guild_id,
        )
        return BlockResult(cancelled=cancelled, expires_at=expires_at)

    async def _lift(self, guild_id: int, user_id: int, actor_id: int, reason: str) -> bool:
        async with self._context.writing(Topic.AUDIT) as connection:
            return await blocks.lift(connection, guild_id, user_id, actor_id, self._context.now(), reason=reason)
