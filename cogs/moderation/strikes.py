"""/strikes for everybody, /strike for moderators: what repeated refused prompts lead to."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import Range
from discord.ext import commands

from cogs.core.checks import require_manager, require_moderator
from cogs.core.text import NOBODY, plural
from db import audit, guild_settings, strikes
from db.audit import AuditRow
from db.guild_settings import GuildSettings
from db.strikes import DryRun, Penalty, Strike
from domain import InvalidRequest

if TYPE_CHECKING:
    from cogs.core.bot import Bot

log = logging.getLogger(__name__)

Interaction = discord.Interaction[Any]
Rung = Range[int, 0, 100]

BLUE = 0x5B8DEF
MAX_LISTED = 10
TOLD_KEY = "the last strike that moderators were told of"
# After an update or a long absence nobody wants to hear of last month's strikes.
NEWS_FOR = timedelta(days=1)

RUNGS = {
    "none": "Nothing has happened.",
    "warn": "A warning; nothing else changes yet.",
    "slow": "Slower: one picture at a time, with a quarter of the usual share of the worker.",
    "pause": "A pause: no pictures for now.",
}


class Strikes(commands.Cog):
    """The ladder."""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot

    @app_commands.command(name="strikes")
    @app_commands.describe(member="Moderators only: whose strikes")
    async def show(self, interaction: Interaction, member: discord.User | None = None) -> None:
        """Your strikes, what they mean and when they expire"""
        if member is not None and member.id != interaction.user.id:
            await require_moderator(interaction)
        user_id, guild_id = (member or interaction.user).id, interaction.guild_id or 0
        service, now = self.bot.service, self.bot.service.clock()
        settings = await guild_settings.load(service.database, guild_id)
        found = await strikes.fetch_all(service.database, guild_id, user_id)
        live = [strike for strike in found if strike.is_live(now)]
        penalty = await strikes.fetch_penalty(service.database, guild_id, user_id, settings, now)
        await interaction.response.send_message(
            embed=strikes_card(user_id, live, len(found) - len(live), penalty, settings), ephemeral=True
        )


@app_commands.guild_only()
@app_commands.default_permissions(moderate_members=True)
class StrikeLadder(commands.GroupCog, group_name="strike"):
    """Strikes, for moderators"""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot

    async def cog_load(self) -> None:
        self.bot.rounds.add(self.tell_moderators)

    async def tell_moderators(self) -> None:
        """The ladder's last rung, said once in the review channel (the audit channel shows every rung anyway)."""
        service = self.bot.service
        told_up_to = int(await service.recall(TOLD_KEY) or 0)
        since = service.clock() - NEWS_FOR
        for row in await audit.fetch_action(service.database, "strike.moderators_told", told_up_to, since):
            settings = await guild_settings.load(service.database, row.guild_id)
            if settings.review_channel_id is not None and row.target is not None:
                await self._tell(settings.review_channel_id, row)
            await service.remember(TOLD_KEY, str(row.id))

    async def _tell(self, channel_id: int, row: AuditRow) -> None:
        user_id, live = row.target.partition(":")[2] if row.target else "", int(row.details.get("live", 0))
        text = (
            f"⚠️ <@{user_id}> has {plural(live, 'live strike')} for refused prompts. `/strikes` with this member shows "
            "them, `/strike lift` lifts them, `/block` keeps the member from painting."
        )
        await self.bot.pace.take(channel_id)
        try:
            await self.bot.get_partial_messageable(channel_id).send(
                text, nonce=f"strike-{row.id}", allowed_mentions=NOBODY
            )
        except (discord.Forbidden, discord.NotFound):
            log.warning("the review channel %d is closed to the bot", channel_id)

    @app_commands.command()
    @app_commands.describe(member="Whose strikes", reason="Why; the audit log keeps it")
    async def lift(self, interaction: Interaction, member: discord.User, reason: Range[str, 1, 200]) -> None:
        """Lift all live strikes of a member"""
        guild_id = await require_moderator(interaction)
        async with self.bot.service.database.transaction() as connection:
            lifted = await strikes.lift(
                connection, guild_id, member.id, interaction.user.id, self.bot.service.clock(), reason=reason
            )
        if not lifted:
            raise InvalidRequest("This member has no live strikes.")
        await interaction.response.send_message(
            f"{plural(lifted, 'strike')} of <@{member.id}> lifted.", ephemeral=True, allowed_mentions=NOBODY
        )
        self.bot.rounds.wake()

    @app_commands.command()
    @app_commands.describe(
        free_refusals="Refused prompts a day that are never a strike",
        days="How long a strike lasts",
        warn_at="Strikes until the warning; 0: never",
        slow_at="Strikes until it gets slower; 0: never",
        pause_at="Strikes until the pause; 0: never",
        pause_hours="How long the pause is",
        tell_at="Strikes until the moderators are told; 0: never",
    )
    async def ladder(
        self,
        interaction: Interaction,
        free_refusals: Rung | None = None,
        days: Range[int, 1, 365] | None = None,
        warn_at: Rung | None = None,
        slow_at: Rung | None = None,
        pause_at: Rung | None = None,
        pause_hours: Range[int, 1, 720] | None = None,
        tell_at: Rung | None = None,
    ) -> None:
        """Show this server's ladder, or change it"""
        guild_id, service = await require_moderator(interaction), self.bot.service
        changes = _changes(free_refusals, days, warn_at, slow_at, pause_at, pause_hours, tell_at)
        if changes:
            await require_manager(interaction)
            async with service.database.transaction() as connection:
                await guild_settings.change(connection, guild_id, interaction.user.id, service.clock(), **changes)
        settings = await guild_settings.load(service.database, guild_id)
        await interaction.response.send_message(embed=_ladder_card(settings), ephemeral=True)
        self.bot.rounds.wake()

    @app_commands.command(name="dry-run")
    @app_commands.describe(
        days_back="How many days to replay",
        free_refusals="Try another number of free refusals",
        days="Try another length of a strike",
        warn_at="Try another rung",
        slow_at="Try another rung",
        pause_at="Try another rung",
        pause_hours="Try another length of the pause",
        tell_at="Try another rung",
    )
    async def dry_run(
        self,
        interaction: Interaction,
        days_back: Range[int, 1, 365] = 30,
        free_refusals: Rung | None = None,
        days: Range[int, 1, 365] | None = None,
        warn_at: Rung | None = None,
        slow_at: Rung | None = None,
        pause_at: Rung | None = None,
        pause_hours: Range[int, 1, 720] | None = None,
        tell_at: Rung | None = None,
    ) -> None:
        """What a ladder would have done in the last days; changes nothing"""
        guild_id, service = await require_moderator(interaction), self.bot.service
        changes = _changes(free_refusals, days, warn_at, slow_at, pause_at, pause_hours, tell_at)
        settings = replace(await guild_settings.load(service.database, guild_id), **changes)
        since = service.clock() - timedelta(days=days_back)
        outcomes = await strikes.dry_run(service.database, guild_id, settings, since)
        await interaction.response.send_message(
            embed=_dry_run_card(outcomes, settings, days_back), ephemeral=True, allowed_mentions=NOBODY
        )


def _changes(
    free_refusals: int | None,
    days: int | None,
    warn_at: int | None,
    slow_at: int | None,
    pause_at: int | None,
    pause_hours: int | None,
    tell_at: int | None,
) -> dict[str, Any]:
    values = {
        "strike_free_refusals": free_refusals,
        "strike_days": days,
        "strike_warn_at": warn_at,
        "strike_slow_at": slow_at,
        "strike_pause_at": pause_at,
        "strike_pause_hours": pause_hours,
        "strike_tell_at": tell_at,
    }
    return {name: value for name, value in values.items() if value is not None}


def strikes_card(
    user_id: int, live: Sequence[Strike], past: int, penalty: Penalty, settings: GuildSettings
) -> discord.Embed:
    """Where a member stands on the ladder, and the ladder."""
    embed = discord.Embed(title=plural(len(live), "live strike"), colour=BLUE)
    until = f" It ends {discord.utils.format_dt(penalty.until, 'R')}." if penalty.until else ""
    embed.description = f"<@{user_id}>: {RUNGS[penalty.rung]}{until}"
    lines = [
        f"{discord.utils.format_dt(strike.created_at, 'f')}, rule {strike.clause or 'of this server'}, "
        f"expires {discord.utils.format_dt(strike.expires_at, 'R')}"
        for strike in live[-MAX_LISTED:]
    ]
    if lines:
        embed.add_field(name="Strikes", value="\n".join(lines), inline=False)
    embed.add_field(name="The ladder here", value=ladder_in_words(settings), inline=False)
    if past:
        embed.set_footer(text=f"{past} earlier ones have expired or were lifted.")
    return embed


def ladder_in_words(settings: GuildSettings) -> str:
    rungs = (
        (settings.strike_warn_at, "a warning"),
        (settings.strike_slow_at, "slower"),
        (settings.strike_pause_at, f"a pause of {plural(settings.strike_pause_hours, 'hour')}"),
        (settings.strike_tell_at, "the moderators are told"),
    )
    steps = [f"{at}: {words}" for at, words in rungs if at]
    return (
        f"{plural(settings.strike_free_refusals, 'refused prompt')} a day are nobody's business; each further one is a "
        f"strike for {plural(settings.strike_days, 'day')}. Live strikes and what follows: "
        f"{'; '.join(steps) or 'nothing'}."
    )


def _ladder_card(settings: GuildSettings) -> discord.Embed:
    embed = discord.Embed(title="The ladder of strikes", description=ladder_in_words(settings), colour=BLUE)
    embed.set_footer(text="Moderators who try the filter get no strikes. /strike dry-run shows what a change would do.")
    return embed


def _dry_run_card(outcomes: Sequence[DryRun], settings: GuildSettings, days_back: int) -> discord.Embed:
    struck = [outcome for outcome in outcomes if outcome.strikes]
    embed = discord.Embed(title=f"The last {plural(days_back, 'day')} with this ladder", colour=BLUE)
    lines = [
        f"<@{one.user_id}>: {plural(one.refusals, 'refusal')}, {plural(one.strikes, 'strike')}, up to: {one.rung}"
        + (", moderators told" if one.moderators_told else "")
        for one in struck[:MAX_LISTED]
    ]
    refusals = sum(one.refusals for one in outcomes)
    embed.description = (
        f"{plural(refusals, 'refused prompt')} by {plural(len(outcomes), 'member')}; "
        f"{plural(len(struck), 'member')} would have had strikes.\n" + "\n".join(lines)
    )
    embed.add_field(name="The ladder", value=ladder_in_words(settings), inline=False)
    embed.set_footer(text="Nothing was changed.")
    return embed
