"""Everything that moderators and the bot's owner do with the bot, in one list: its cogs and its lasting buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from discord.ext import commands

from cogs.core.errors import RowButton
from cogs.moderation import settings as settings_panel
from cogs.moderation.audit import Audit
from cogs.moderation.blocks import Moderation
from cogs.moderation.quota import Quota
from cogs.moderation.settings import SettingsPanel
from cogs.moderation.strikes import StrikeLadder, Strikes
from cogs.owner.commands import Owner
from cogs.owner.notices import OwnerNotice

if TYPE_CHECKING:
    from cogs.core.bot import Bot

BUTTONS: tuple[type[RowButton], ...] = settings_panel.BUTTONS


def moderators_cogs(bot: Bot) -> tuple[commands.Cog, ...]:
    standing = (Quota(bot), Moderation(bot), SettingsPanel(bot), Audit(bot), Strikes(bot), StrikeLadder(bot))
    return (*standing, Owner(bot), OwnerNotice(bot))
