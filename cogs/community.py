"""Everything that communities do with the bot, in one list: its cogs and its lasting buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from discord.ext import commands

from cogs import appeals, prompt_messages, report, verdicts
from cogs.errors import RowButton
from cogs.origin import Origin
from cogs.prompt_channels import PromptChannels
from cogs.report import Report

if TYPE_CHECKING:
    from cogs.client import Bot

BUTTONS: tuple[type[RowButton], ...] = (*appeals.BUTTONS, *report.BUTTONS, *verdicts.BUTTONS, *prompt_messages.BUTTONS)


def community_cogs(bot: Bot) -> tuple[commands.Cog, ...]:
    return (bot.review, Report(bot), Origin(bot), PromptChannels(bot))
