"""The person who runs the bot hears of every decision on clause b, the protection of minors: they answer for it.

Nothing of the prompt or the picture is kept or told, only who asked where. A restart neither forgets nor repeats one.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import discord

from cogs.core.bot import Cog
from domain.cases import Subject
from domain.decisions import UnstoredDecision
from service import Topic

log = logging.getLogger(__name__)

# A line has some 170 characters, a message may have 2000.
LINES_PER_MESSAGE = 10


class OwnerNotice(Cog):
    """Writes to the owner (of a team, to all of it) in direct messages."""

    async def cog_load(self) -> None:
        self.bot.background.add(self.tell, Topic.DECISIONS)

    async def tell(self) -> None:
        """Tell of what is new; whom Discord lets nobody write to is left out, with a line in the log."""
        service = self.bot.service.owner
        while found := await service.fetch_untold_decisions():
            owner_ids = await self._owner_ids()
            for start in range(0, len(found), LINES_PER_MESSAGE):
                part = found[start : start + LINES_PER_MESSAGE]
                await self._tell_owners(owner_ids, part)
                await service.note_decisions_told(part[-1].id)

    async def _tell_owners(self, owner_ids: Sequence[int], decisions: Sequence[UnstoredDecision]) -> None:
        text = "**Clause (b), the protection of minors**\n" + "\n".join(map(_line, decisions))
        for owner_id in owner_ids:
            if not await self.bot.send_privately(owner_id, text):
                log.error("user %d runs this bot, but takes no messages from it: %s", owner_id, text)

    async def _owner_ids(self) -> list[int]:
        information = await self.bot.application_info()
        return [member.id for member in information.team.members] if information.team else [information.owner.id]


def _line(decision: UnstoredDecision) -> str:
    where = f"server {decision.guild_id}, channel {decision.channel_id}" if decision.guild_id else "direct messages"
    what = "prompt refused" if decision.subject is Subject.PROMPT else "picture withheld"
    when = discord.utils.format_dt(decision.decided_at, "f")
    return f"{when}: {what}, member <@{decision.user_id}> ({decision.user_id}), {where}. Nothing of it was kept."
