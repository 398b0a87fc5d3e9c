"""Which cogs, lasting buttons and menu entries there are. `Bot` loads this file as an extension."""

from __future__ import annotations

from typing import Any

from discord import app_commands, ui
from discord.app_commands import ContextMenu
from discord.ext import commands

from cogs.cases import appeals, decide, reports
from cogs.cases.reports import Report
from cogs.cases.review import Review
from cogs.community import challenge_buttons, challenges
from cogs.community.challenges import Challenges
from cogs.community.hall_of_fame import HallOfFame
from cogs.community.starboard import Starboard
from cogs.core.bot import Bot
from cogs.core.errors import reply_error
from cogs.imagine import all_buttons, buttons, finished, form, picture_buttons, progress, regions, unpainted
from cogs.imagine.command import Imagine
from cogs.imagine.delivery import Delivery
from cogs.imagine.form import Remix
from cogs.imagine.notices import Notices
from cogs.imagine.progress import Progress
from cogs.imagine.submit import Unpainted
from cogs.member import preferences, privacy, refusals, terms
from cogs.member.info import Info
from cogs.member.preferences import Preferences
from cogs.member.privacy import Privacy
from cogs.member.refusals import Refusals
from cogs.member.terms import Terms
from cogs.moderation import lookup, settings
from cogs.moderation.audit import Audit
from cogs.moderation.blocks import Moderation
from cogs.moderation.lookup import WhoMadeThis
from cogs.moderation.quota import Quota
from cogs.moderation.settings import SettingsPanel
from cogs.moderation.strikes import StrikeLadder, Strikes
from cogs.owner.commands import Owner
from cogs.owner.notices import OwnerNotice
from cogs.prompt_channels import buttons as prompt_buttons
from cogs.prompt_channels.command import PromptChannels
from cogs.prompt_channels.direct_messages import DirectMessages
from cogs.prompt_channels.messages import PromptMessages
from domain import ConsentRequired, PromptRefused

SERVERS_ONLY = app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False)

# Everything that can be pressed under an old message.
BUTTONS: tuple[type[ui.DynamicItem[Any]], ...] = (
    *progress.BUTTONS,
    *buttons.BUTTONS,
    *picture_buttons.BUTTONS,
    *all_buttons.BUTTONS,
    *finished.BUTTONS,
    *form.BUTTONS,
    *regions.BUTTONS,
    *terms.BUTTONS,
    *appeals.BUTTONS,
    *refusals.BUTTONS,
    *reports.BUTTONS,
    *decide.BUTTONS,
    *prompt_buttons.BUTTONS,
    *challenge_buttons.BUTTONS,
    *preferences.BUTTONS,
    *privacy.BUTTONS,
    *settings.BUTTONS,
)


async def setup(bot: Bot) -> None:
    """Add everything; what only works with a service is left out where there is none (`--commands`)."""
    bot.tree.error(reply_error)
    bot.remedies |= {
        PromptRefused: refusals.refusal_answer,
        ConsentRequired: terms.consent_answer,
        Unpainted: unpainted.unpainted_answer,
    }
    bot.add_dynamic_items(*BUTTONS)
    for cog in _commands(bot):
        await bot.add_cog(cog)
    for menu in _menus(bot):
        bot.tree.add_command(menu)
    for command in bot.tree.get_commands():
        if getattr(command, "guild_only", False):  # discord.py leaves it in direct messages, which all others allow
            command.allowed_contexts = SERVERS_ONLY
    if bot.has_service:
        for cog in _listeners(bot):
            await bot.add_cog(cog)


def _commands(bot: Bot) -> tuple[commands.Cog, ...]:
    """Cogs with commands; their background tasks run in this order."""
    return (
        Imagine(bot),
        Remix(bot),
        Info(bot),
        Terms(bot),
        Refusals(bot),
        Review(bot),
        Report(bot),
        WhoMadeThis(bot),
        PromptChannels(bot),
        Challenges(bot),
        HallOfFame(bot),
        Starboard(bot),
        Preferences(bot),
        Privacy(bot),
        Quota(bot),
        Moderation(bot),
        SettingsPanel(bot),
        Audit(bot),
        Strikes(bot),
        StrikeLadder(bot),
        Owner(bot),
    )


def _menus(bot: Bot) -> tuple[ContextMenu, ...]:
    """Entries of a message's Apps menu."""
    return (
        ContextMenu(name=form.MENU, callback=bot.cog(Remix).remix),
        ContextMenu(name=reports.MENU, callback=bot.cog(Report).report),
        ContextMenu(name=lookup.MENU, callback=bot.cog(WhoMadeThis).who_made_this),
        ContextMenu(name=challenges.MENU, callback=bot.cog(Challenges).enter_message),
    )


def _listeners(bot: Bot) -> tuple[commands.Cog, ...]:
    """Cogs without commands, which read rows as soon as they are added."""
    progress = Progress(bot)
    return (progress, Delivery(bot, progress), Notices(bot), PromptMessages(bot), DirectMessages(bot), OwnerNotice(bot))
