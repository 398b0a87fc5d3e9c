"""The person who runs the bot hears of every decision on clause b, the protection of minors: they answer for it.

Nothing of the prompt or the picture is kept or told, only who asked where. A restart neither forgets nor repeats one.
"""

from __future__ import annotations

import logging

import discord

from cogs.core.bot import Cog
from domain.cases import Subject
from domain.decisions import UnstoredDecision
from service import Topic

log = logging.getLogger(__name__)


class OwnerNotice(Cog):
    """Writes to the owner (of a team, to all of it) in direct messages."""

    async def cog_load(self) -> None:
        self.bot.background.add(self.tell, Topic.DECISIONS)

    async def tell(self) -> None:
        """Tell of what is new; whom Discord lets nobody write to is left out, with a line in the log."""
        found = await self.bot.service.owner.fetch_untold_decisions()
        if not found:
            return
        text = "**Clause (b), the protection of minors**\n" + "\n".join(map(_line, found))
        for owner in await self._owners():
            try:
                await owner.send(text)
            except discord.Forbidden:
                log.error("user %d runs this bot, but takes no messages from it: %s", owner.id, text)
        await self.bot.service.owner.note_decisions_told(found[-1].id)

    async def _owners(self) -> list[discord.User]:
        information = await self.bot.application_info()
        ids = [member.id for member in information.team.members] if information.team else [information.owner.id]
        return [await self.bot.fetch_user(one) for one in ids]


def _line(decision: UnstoredDecision) -> str:
    where = f"server {decision.guild_id}, channel {decision.channel_id}" if decision.guild_id else "direct messages"
    what = "prompt refused" if decision.subject is Subject.PROMPT else "picture withheld"
    when = discord.utils.format_dt(decision.decided_at, "f")
    return f"{when}: {what}, member <@{decision.user_id}> ({decision.user_id}), {where}. Nothing of it was kept."
