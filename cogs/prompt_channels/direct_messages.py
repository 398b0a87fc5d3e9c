"""Free text in direct messages: answered with how to paint, unless its member has everything painted there.

The painting is done like that of a prompt channel (messages.py). The answer never repeats what was written, each
message gets it once, and a member once an hour.
"""

from __future__ import annotations

import logging

import discord

from cogs.core.bot import Cog
from cogs.core.text import NOBODY
from cogs.prompt_channels.messages import is_from_member

log = logging.getLogger(__name__)

HOW_TO_PAINT = (
    "I paint what you ask for with {imagine}: choose it and type words such as `1girl, pink hair, smile`. If you like, "
    "I paint whatever you write to me here: {preferences} switches that on."
)


class DirectMessages(Cog):
    """Listens to people who write to the bot."""

    @Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        if not isinstance(message.channel, discord.DMChannel) or not is_from_member(message):
            return
        if not message.content.strip():
            return
        if await self.bot.service.prompt_channels.find_direct(message.channel.id) is None:
            await self._say_how(message)

    async def _say_how(self, message: discord.Message) -> None:
        channel_id, service = message.channel.id, self.bot.service
        if not await service.members.claim_hint(channel_id, message.id, message.author.id):
            return
        imagine, preferences = [await self.bot.mention(name) for name in ("imagine", "preferences")]
        text = HOW_TO_PAINT.format(imagine=imagine, preferences=preferences)
        await self.bot.rate_limit.take(channel_id)
        try:
            reply = await message.reply(text, nonce=f"h-{message.id}", mention_author=False, allowed_mentions=NOBODY)
        except discord.HTTPException as error:
            log.info("direct message %d could not be answered: %s", message.id, error)
            return
        await service.prompt_channels.mark_answered(message.id, reply.id)
