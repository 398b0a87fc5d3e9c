"""Everything that communities do with the bot, in one list: its cogs and its lasting buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from discord.ext import commands

from cogs import appeals, report, verdicts
from cogs.errors import RowButton
from cogs.report import Report

if TYPE_CHECKING:
    from cogs.client import Bot

BUTTONS: tuple[type[RowButton], ...] = (*appeals.BUTTONS, *report.BUTTONS, *verdicts.BUTTONS)


def community_cogs(bot: Bot) -> tuple[commands.Cog, ...]:
    return (bot.review, Report(bot))
