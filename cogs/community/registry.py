"""Everything that communities do with the bot, in one list: its cogs and its lasting buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from discord import ui
from discord.ext import commands

from cogs.cases import appeals
from cogs.cases import decide as verdicts
from cogs.cases import reports as report
from cogs.cases.reports import Report
from cogs.community import challenges
from cogs.community.challenges import Challenges
from cogs.community.hall_of_fame import Fame
from cogs.community.starboard import Starboard
from cogs.member import privacy
from cogs.member.privacy import Privacy
from cogs.moderation.lookup import Origin
from cogs.prompt_channels import buttons as prompt_buttons
from cogs.prompt_channels.command import PromptChannels

if TYPE_CHECKING:
    from cogs.core.bot import Bot

BUTTONS: tuple[type[ui.DynamicItem[Any]], ...] = (
    *appeals.BUTTONS,
    *report.BUTTONS,
    *verdicts.BUTTONS,
    *prompt_buttons.BUTTONS,
    *challenges.BUTTONS,
    *privacy.BUTTONS,
)


def community_cogs(bot: Bot) -> tuple[commands.Cog, ...]:
    """In the order in which their chores go round."""
    return (
        bot.review,
        Report(bot),
        Origin(bot),
        PromptChannels(bot),
        Challenges(bot),
        Fame(bot),
        Starboard(bot),
        Privacy(bot),
    )
