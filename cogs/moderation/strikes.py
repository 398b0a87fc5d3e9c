"""/strikes for everybody, /strike for moderators: what repeated refused prompts lead to."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Range

from cogs.core.bot import Cog, GroupCog, Interaction
from cogs.core.checks import require_manager, require_moderator, taking
from cogs.core.colours import BLUE
from cogs.core.errors import View
from cogs.core.text import NOBODY, plural
from cogs.member.refusals import buttons_of
from domain.settings import GuildSettings
from domain.strikes import LadderTrial, Rung, StrikeNews, StrikeRecord
from service import Topic

Count = Range[int, 0, 100]

MAX_LISTED = 10
# Discord's limit for the rows of buttons below a message.
MAX_ROWS = 5

RUNG_WORDS = {
    Rung.NONE: "Nothing has happened.",
    Rung.WARN: "A warning; nothing else changes yet.",
    Rung.SLOW: "Slower: one picture at a time, with a quarter of the usual share of the worker.",
    Rung.PAUSE: "A pause: no pictures for now.",
}


async def _read_rungs(
    _: Interaction,
    free_refusals: Count | None = None,
    days: Range[int, 1, 365] | None = None,
    warn_at: Count | None = None,
    slow_at: Count | None = None,
    pause_at: Count | None = None,
    pause_hours: Range[int, 1, 720] | None = None,
    tell_at: Count | None = None,
) -> dict[str, int]:
    """What a moderator gave, by the names of the server's settings."""
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


LADDER = {
    "free_refusals": "Refused prompts a day that are never a strike",
    "days": "How long a strike lasts",
    "warn_at": "Strikes until the warning; 0: never",
    "slow_at": "Strikes until it gets slower; 0: never",
    "pause_at": "Strikes until the pause; 0: never",
    "pause_hours": "How long the pause is",
    "tell_at": "Strikes until the moderators are told; 0: never",
}
TRIAL = dict.fromkeys(LADDER, "Try another rung") | {
    "free_refusals": "Try another number of free refusals",
    "days": "Try another length of a strike",
    "pause_hours": "Try another length of the pause",
}


class Strikes(Cog):
    """The ladder."""

    @app_commands.command(name="strikes")
    @app_commands.describe(member="Moderators only: whose strikes")
    async def show(self, interaction: Interaction, member: discord.User | None = None) -> None:
        """Your strikes, what they mean and when they expire"""
        if member is not None and member.id != interaction.user.id:
            await require_moderator(interaction)
        user_id = (member or interaction.user).id
        record = await self.bot.service.strikes.fetch_record(interaction.guild_id or 0, user_id)
        view = await _ways_out(interaction, record) if user_id == interaction.user.id else None
        given: dict[str, Any] = {} if view is None else {"view": view}
        await interaction.response.send_message(embed=strikes_card(record), **given, ephemeral=True)


async def _ways_out(interaction: Interaction, record: StrikeRecord) -> View | None:
    """Edit and Appeal, a row for each of the newest strikes of which something is left to do; numbered as listed."""
    shown = record.live[-MAX_LISTED:]
    view, rows = View(), 0
    for number, strike in reversed(list(enumerate(shown, start=1))):
        if strike.decision_id is None or rows == MAX_ROWS:
            continue
        refused = await interaction.client.service.refusals.find(strike.decision_id, interaction.user.id)
        buttons = buttons_of(refused) if refused is not None and refused.is_appealable else []
        for button in buttons:
            if len(shown) > 1:
                button.item.label = f"{button.label} {number}"
            button.item.row = rows
            view.add_item(button)
        rows += bool(buttons)
    return view if rows else None


@app_commands.guild_only()
@app_commands.default_permissions(moderate_members=True)
class StrikeLadder(GroupCog, group_name="strike"):
    """Strikes, for moderators"""

    async def cog_load(self) -> None:
        self.bot.background.add(self.tell_moderators, Topic.STRIKES)

    async def tell_moderators(self) -> None:
        """The ladder's last rung, said once in the review channel (the audit channel shows every rung anyway)."""
        for news in await self.bot.service.strikes.fetch_news():
            if news.review_channel_id is not None:
                await self._tell(news, news.review_channel_id)
            await self.bot.service.strikes.mark_told(news.id)

    async def _tell(self, news: StrikeNews, channel_id: int) -> None:
        text = (
            f"⚠️ <@{news.user_id}> has {plural(news.live, 'live strike')} for refused prompts. `/strikes` with this "
            "member shows them, `/strike lift` lifts them, `/block` keeps the member from painting."
        )
        await self.bot.post(channel_id, text, nonce=f"strike-{news.id}")

    @app_commands.command()
    @app_commands.describe(member="Whose strikes", reason="Why; the audit log keeps it")
    async def lift(self, interaction: Interaction, member: discord.User, reason: Range[str, 1, 200]) -> None:
        """Lift all live strikes of a member"""
        guild_id = await require_moderator(interaction)
        lifted = await self.bot.service.strikes.lift(guild_id, member.id, interaction.user.id, reason=reason)
        await interaction.response.send_message(
            f"{plural(lifted, 'strike')} of <@{member.id}> lifted.", ephemeral=True, allowed_mentions=NOBODY
        )

    @app_commands.command()
    @taking("changes", _read_rungs, **LADDER)
    async def ladder(self, interaction: Interaction, changes: dict[str, int]) -> None:
        """Show this server's ladder, or change it"""
        guild_id, service = await require_moderator(interaction), self.bot.service
        if changes:
            await require_manager(interaction)
            await service.settings.change(guild_id, interaction.user.id, **changes)
        settings = await service.settings.fetch(guild_id)
        await interaction.response.send_message(embed=_ladder_card(settings), ephemeral=True)

    @app_commands.command(name="dry-run")
    @app_commands.describe(days_back="How many days to replay")
    @taking("changes", _read_rungs, **TRIAL)
    async def dry_run(
        self, interaction: Interaction, days_back: Range[int, 1, 365] = 30, *, changes: dict[str, int]
    ) -> None:
        """What a ladder would have done in the last days; changes nothing"""
        guild_id = await require_moderator(interaction)
        trial = await self.bot.service.strikes.try_ladder(guild_id, days_back, **changes)
        await interaction.response.send_message(embed=_trial_card(trial), ephemeral=True, allowed_mentions=NOBODY)


def strikes_card(record: StrikeRecord) -> discord.Embed:
    """Where a member stands on the ladder, and the ladder."""
    penalty = record.penalty
    embed = discord.Embed(title=plural(len(record.live), "live strike"), colour=BLUE)
    until = f" It ends {discord.utils.format_dt(penalty.until, 'R')}." if penalty.until else ""
    embed.description = f"<@{record.user_id}>: {RUNG_WORDS[penalty.rung]}{until}"
    lines = [
        f"{number}. {discord.utils.format_dt(strike.created_at, 'f')}, rule {strike.clause or 'of this server'}, "
        f"expires {discord.utils.format_dt(strike.expires_at, 'R')}"
        for number, strike in enumerate(record.live[-MAX_LISTED:], start=1)
    ]
    if lines:
        embed.add_field(name="Strikes", value="\n".join(lines), inline=False)
    embed.add_field(name="The ladder here", value=ladder_in_words(record.settings), inline=False)
    if record.past:
        embed.set_footer(text=f"{record.past} earlier ones have expired or were lifted.")
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


def _trial_card(trial: LadderTrial) -> discord.Embed:
    struck = [outcome for outcome in trial.outcomes if outcome.strikes]
    embed = discord.Embed(title=f"The last {plural(trial.days, 'day')} with this ladder", colour=BLUE)
    lines = [
        f"<@{one.user_id}>: {plural(one.refusals, 'refusal')}, {plural(one.strikes, 'strike')}, up to: {one.rung}"
        + (", moderators told" if one.moderators_told else "")
        for one in struck[:MAX_LISTED]
    ]
    refusals = sum(one.refusals for one in trial.outcomes)
    embed.description = (
        f"{plural(refusals, 'refused prompt')} by {plural(len(trial.outcomes), 'member')}; "
        f"{plural(len(struck), 'member')} would have had strikes.\n" + "\n".join(lines)
    )
    embed.add_field(name="The ladder", value=ladder_in_words(trial.settings), inline=False)
    embed.set_footer(text="Nothing was changed.")
    return embed
