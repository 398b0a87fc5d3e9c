"""Telling a member that a picture which took long is ready: one short reply to its message, which pings nobody else.

The message itself was edited, of which Discord tells nobody. The row says how far the notice is; one that an earlier
attempt may have posted is looked for before it is posted again.
"""

from __future__ import annotations

import logging

import discord

from cogs.core.answers import LOST, Meaning, meaning_of
from cogs.core.bot import Cog
from cogs.core.i18n import translation_for
from cogs.imagine.showing import find_own_message, id_before
from domain.notices import Notice
from service import Topic

log = logging.getLogger(__name__)


class Notices(Cog):
    """A background task over what is due."""

    async def cog_load(self) -> None:
        self.bot.background.add(self.announce, Topic.JOBS)

    async def announce(self) -> None:
        """Post what is due where the channel has room for a message; the rest waits for the next turn."""
        for notice in await self.bot.service.notices.fetch_due():
            if self.bot.rate_limit.try_take(notice.channel_id) and await self._is_over(notice):
                await self.bot.service.notices.settle(notice)

    async def _is_over(self, notice: Notice) -> bool:
        """Whether the notice is there, or never will be taken; False: it is to be tried again."""
        try:
            if notice.was_begun and await self._is_there(notice):
                return True
            await self.bot.service.notices.begin(notice)
            await self._post(notice)
        except discord.HTTPException as error:
            # Its message is gone, or the channel is closed to us: the picture went another way.
            log.info("the notice of job %d is not taken: %s", notice.job_id, error)
            return meaning_of(error) is not Meaning.PASSING
        except LOST as error:
            log.info("the notice of job %d may be lost: %s", notice.job_id, error)
            return False
        return True

    async def _post(self, notice: Notice) -> None:
        words = await translation_for(self.bot, notice.guild_id)
        assert notice.message_id is not None
        await self.bot.get_partial_messageable(notice.channel_id).send(
            words("{who}, your picture is ready.", who=f"<@{notice.user_id}>"),
            reference=discord.MessageReference(message_id=notice.message_id, channel_id=notice.channel_id),
            nonce=f"notice-{notice.job_id}",
            allowed_mentions=discord.AllowedMentions(
                everyone=False, roles=False, users=[discord.Object(notice.user_id)], replied_user=False
            ),
        )

    async def _is_there(self, notice: Notice) -> bool:
        """Whether a reply of ours to the picture's message mentions the member."""
        after_id = id_before(notice.finished_at)
        found = await find_own_message(self.bot, notice.channel_id, after_id, lambda one: _is_notice(one, notice))
        return found is not None


def _is_notice(message: discord.Message, notice: Notice) -> bool:
    answered = message.reference.message_id if message.reference is not None else None
    return answered == notice.message_id and message.content.startswith(f"<@{notice.user_id}>")
