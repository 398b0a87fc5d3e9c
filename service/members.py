"""What members choose for themselves, in every server, and what becomes of words that they write to the bot."""

from __future__ import annotations

from datetime import timedelta

from db import member_settings, prompt_channels
from domain.places import EVERYWHERE
from domain.prompt_channels import PromptChannel
from domain.settings import MemberSettings
from service.context import Context

# One who writes on after having been told how to paint is not told again so soon.
HINT_EVERY = timedelta(hours=1)


class Members:
    """Direct messages in which everything is painted are a prompt channel without a server."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def fetch_settings(self, user_id: int) -> MemberSettings:
        """The member's settings, as last committed."""
        return await member_settings.load(self._context.database, user_id)

    async def switch_notices(self, user_id: int, *, is_on: bool) -> MemberSettings:
        """Tell the member when pictures that took long are ready, or never."""
        async with self._context.writing() as connection:
            await member_settings.change(connection, user_id, notices=is_on)
        return await self.fetch_settings(user_id)

    async def switch_painting(self, user_id: int, channel_id: int, after_id: int, *, is_on: bool) -> MemberSettings:
        """Paint what the member writes to the bot after the message or interaction `after_id`, or no longer.

        `channel_id` is the channel of their direct messages.
        """
        channel = PromptChannel(
            channel_id=channel_id, guild_id=EVERYWHERE, opened_by=user_id, latest_message_id=after_id
        )
        async with self._context.writing() as connection:
            await member_settings.change(connection, user_id, paint_messages=is_on)
            if is_on:
                await prompt_channels.save(connection, channel, self._context.now())
            else:
                await prompt_channels.close(connection, channel_id)
        return await self.fetch_settings(user_id)

    async def claim_hint(self, channel_id: int, message_id: int, user_id: int) -> bool:
        """Whether this direct message is to be answered with how to paint: each once, and a member once an hour."""
        now = self._context.now()
        async with self._context.writing() as connection:
            return await prompt_channels.take_hint(connection, channel_id, message_id, user_id, now, now - HINT_EVERY)
