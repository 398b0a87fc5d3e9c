"""Everything that communities do with the bot, in one list: its cogs and its lasting buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from discord import ui
from discord.ext import commands

from cogs import appeals, challenges, privacy, prompt_buttons, report, verdicts
from cogs.challenges import Challenges
from cogs.fame import Fame
from cogs.origin import Origin
from cogs.privacy import Privacy
from cogs.prompt_channels import PromptChannels
from cogs.report import Report
from cogs.starboard import Starboard

if TYPE_CHECKING:
    from cogs.client import Bot

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
