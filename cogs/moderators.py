"""Everything that moderators and the bot's owner do with the bot, in one list: its cogs and its lasting buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from discord.ext import commands

from cogs import settings_panel
from cogs.audit import Audit
from cogs.errors import RowButton
from cogs.moderation import Moderation
from cogs.owner import Owner
from cogs.owner_notice import OwnerNotice
from cogs.quota import Quota
from cogs.settings_panel import SettingsPanel
from cogs.strikes import StrikeLadder, Strikes

if TYPE_CHECKING:
    from cogs.client import Bot

BUTTONS: tuple[type[RowButton], ...] = settings_panel.BUTTONS


def moderators_cogs(bot: Bot) -> tuple[commands.Cog, ...]:
    standing = (Quota(bot), Moderation(bot), SettingsPanel(bot), Audit(bot), Strikes(bot), StrikeLadder(bot))
    return (*standing, Owner(bot), OwnerNotice(bot))
