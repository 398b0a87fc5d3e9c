"""/quota: what members have left, and what moderators decide about it.

Discord gives permissions to whole commands only, and `/quota me` is for everybody: the moderators' subcommands are
therefore visible to all and ask in the bot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import discord
from discord import app_commands
from discord.app_commands import Range
from discord.ext import commands

from cogs.core.checks import require_moderator
from cogs.core.durations import parse_end
from cogs.core.text import plural
from cogs.imagine.submit import asker_of, parent_of
from cogs.moderation.quota_cards import (
    explanation_card,
    grant_lines,
    ledger_lines,
    member_card,
    rule_line,
    subject_card,
    subject_name,
)
from db import guild_settings, ledger, quotas
from db.quota_sql import DAY, HOUR, Asker
from domain import InvalidRequest
from domain.credits import credits_in_words

if TYPE_CHECKING:
    from cogs.core.bot import Bot

Interaction = discord.Interaction[Any]
Credits = Range[float, 0.0, 1_000_000.0]
Place = discord.TextChannel | discord.VoiceChannel

MAX_LISTED = 25


class Subject(NamedTuple):
    """Whom a rule, grant or reset is meant for."""

    kind: str
    id: int

    @property
    def name(self) -> str:
        return subject_name(f"{self.kind}:{self.id}")


def choose_subject(
    member: discord.Member | None, role: discord.Role | None, channel: Place | None, everyone: bool
) -> Subject:
    """Exactly one of them. Raises InvalidRequest."""
    chosen = [
        Subject(kind, thing.id)
        for kind, thing in (("member", member), ("role", role), ("channel", channel))
        if thing is not None
    ]
    if everyone:
        chosen.append(Subject("everyone", 0))
    if len(chosen) != 1:
        raise InvalidRequest("Choose exactly one of: a member, a role, a channel, or everyone.")
    return chosen[0]


SUBJECT_HELP = {
    "member": "For this member",
    "role": "For everybody with this role",
    "channel": "For what is asked for in this channel",
    "everyone": "For everybody in this server",
    "reason": "Why; the audit log keeps it",
}


class Quota(commands.GroupCog, group_name="quota"):
    """Picture credits"""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot

    # ---- everybody -------------------------------------------------------------------------------------------------

    @app_commands.command()
    async def me(self, interaction: Interaction) -> None:
        """What you have left, when it refills, and what the usual picture costs"""
        card = await self._member_card(interaction, asker_of(interaction))
        await interaction.response.send_message(embed=card, ephemeral=True)

    async def _member_card(self, interaction: Interaction, asker: Asker) -> discord.Embed:
        service = self.bot.service
        now = service.clock()
        standing = await service.admission.standing(asker, now)
        settings = await guild_settings.load(service.database, asker.guild_id)
        return member_card(asker.user_id, standing, service.admission.usual_prices(settings), now)

    # ---- moderators look -------------------------------------------------------------------------------------------

    @app_commands.command()
    @app_commands.describe(**{name: words for name, words in SUBJECT_HELP.items() if name != "reason"})
    async def show(
        self,
        interaction: Interaction,
        member: discord.Member | None = None,
        role: discord.Role | None = None,
        channel: discord.TextChannel | discord.VoiceChannel | None = None,
        everyone: bool = False,
    ) -> None:
        """What a member has left, or what holds for a role, a channel or everyone; and the ledger"""
        guild_id = await require_moderator(interaction)
        subject = choose_subject(member, role, channel, everyone)
        if member is not None:
            card = await self._member_card(interaction, _asker_for(interaction, member))
        else:
            card = await self._subject_card(guild_id, subject)
        history = await ledger.fetch_history(self.bot.service.database, guild_id, *subject, limit=12)
        card.add_field(name="Ledger", value=ledger_lines(history), inline=False)
        await interaction.response.send_message(embed=card, ephemeral=True)

    async def _subject_card(self, guild_id: int, subject: Subject) -> discord.Embed:
        database, now = self.bot.service.database, self.bot.service.clock()
        rules = await quotas.fetch_rules(database, guild_id, now)
        rule = next((rule for rule in rules if (rule.subject, rule.subject_id) == subject), None)
        spent: tuple[int, int] | None = None
        if subject.kind in ("channel", "everyone"):
            channel_id = subject.id or None
            spent = (
                await ledger.fetch_spent(database, guild_id, channel_id, now - HOUR),
                await ledger.fetch_spent(database, guild_id, channel_id, now - DAY),
            )
        return subject_card(subject.name, rule, spent)

    @app_commands.command()
    @app_commands.describe(member="Whose quota")
    async def explain(self, interaction: Interaction, member: discord.Member) -> None:
        """Which rule applies to a member here, and why"""
        guild_id = await require_moderator(interaction)
        service, now = self.bot.service, self.bot.service.clock()
        standing = await service.admission.standing(_asker_for(interaction, member), now)
        rules = await quotas.fetch_rules(service.database, guild_id, now)
        subjects = {f"member:{member.id}", "everyone:0", *(f"role:{role.id}" for role in member.roles)}
        subjects.add(f"channel:{parent_of(interaction.channel) or interaction.channel_id}")
        mine = [rule for rule in rules if f"{rule.subject}:{rule.subject_id}" in subjects]
        await interaction.response.send_message(embed=explanation_card(member.id, standing, mine), ephemeral=True)

    @app_commands.command(name="list")
    async def list_rules(self, interaction: Interaction) -> None:
        """All quota rules of this server, and what is granted"""
        guild_id = await require_moderator(interaction)
        rules = await quotas.fetch_rules(self.bot.service.database, guild_id, self.bot.service.clock())
        lines = [rule_line(rule) for rule in rules[:MAX_LISTED]]
        if len(rules) > MAX_LISTED:
            lines.append(f"… and {len(rules) - MAX_LISTED} more.")
        text = "\n".join(lines) or "None yet: the bot's own limits hold for everybody. `/quota set` makes one."
        embed = discord.Embed(title=plural(len(rules), "quota rule"), description=text[:4000])
        grants = await ledger.fetch_grants(self.bot.service.database, guild_id, self.bot.service.clock())
        if grants:
            embed.add_field(name="Granted credits", value=grant_lines(grants), inline=False)
        await interaction.response.send_message(embed=embed, ephemeral=True)

    # ---- moderators decide -----------------------------------------------------------------------------------------

    @app_commands.command(name="set")
    @app_commands.describe(
        **SUBJECT_HELP,
        per_hour="Credits within any hour",
        per_day="Credits within any 24 hours",
        jobs="Pictures waiting or being painted at once",
        weight="Share of the worker compared with others: 2 is served twice as fast as 1",
        expires="When the rule ends: 12h, 7d, 2w; empty: never",
    )
    async def set_rule(
        self,
        interaction: Interaction,
        member: discord.Member | None = None,
        role: discord.Role | None = None,
        channel: discord.TextChannel | discord.VoiceChannel | None = None,
        everyone: bool = False,
        per_hour: Credits | None = None,
        per_day: Credits | None = None,
        jobs: Range[int, 0, 1000] | None = None,
        weight: Range[float, 0.1, 10.0] | None = None,
        reason: Range[str, 1, 200] = "no reason given",
        expires: Range[str, 1, 20] | None = None,
    ) -> None:
        """Decide what a member, a role, a channel or everybody may spend"""
        guild_id = await require_moderator(interaction)
        subject, now = choose_subject(member, role, channel, everyone), self.bot.service.clock()
        if per_hour is None and per_day is None and jobs is None and weight is None:
            raise InvalidRequest("Give at least one of: per_hour, per_day, jobs, weight.")
        rule = quotas.QuotaRule(
            guild_id=guild_id,
            subject=subject.kind,
            subject_id=subject.id,
            per_hour=_millicredits(per_hour),
            per_day=_millicredits(per_day),
            max_jobs=jobs,
            weight=weight,
            reason=reason,
            actor_id=interaction.user.id,
            set_at=now,
            expires_at=parse_end(expires, now),
        )
        async with self.bot.service.database.transaction() as connection:
            await quotas.set_rule(connection, rule)
        await self._answer(interaction, f"Set. It holds from the next request on.\n{rule_line(rule)}")

    @app_commands.command()
    @app_commands.describe(**{name: words for name, words in SUBJECT_HELP.items() if name != "reason"})
    async def remove(
        self,
        interaction: Interaction,
        member: discord.Member | None = None,
        role: discord.Role | None = None,
        channel: discord.TextChannel | discord.VoiceChannel | None = None,
        everyone: bool = False,
    ) -> None:
        """Take a quota rule away, so that the next one down holds"""
        guild_id = await require_moderator(interaction)
        subject, now = choose_subject(member, role, channel, everyone), self.bot.service.clock()
        async with self.bot.service.database.transaction() as connection:
            had_one = await quotas.remove_rule(connection, guild_id, *subject, interaction.user.id, now)
        if not had_one:
            raise InvalidRequest(f"There is no quota rule for {subject.name}. `/quota list` shows those there are.")
        await self._answer(interaction, f"The rule for {subject.name} is gone.")

    @app_commands.command()
    @app_commands.describe(
        **SUBJECT_HELP,
        amount="Extra credits; to a role, a channel or everyone: that much for each member",
        expires="When what is left of them ends: 12h, 7d, 2w; empty: never",
    )
    async def grant(
        self,
        interaction: Interaction,
        amount: Range[float, 0.01, 100_000.0],
        member: discord.Member | None = None,
        role: discord.Role | None = None,
        channel: discord.TextChannel | discord.VoiceChannel | None = None,
        everyone: bool = False,
        reason: Range[str, 1, 200] = "no reason given",
        expires: Range[str, 1, 20] | None = None,
    ) -> None:
        """Give extra credits that stay until they are spent"""
        guild_id = await require_moderator(interaction)
        subject, now = choose_subject(member, role, channel, everyone), self.bot.service.clock()
        millicredits = round(amount * 1000)
        async with self.bot.service.database.transaction() as connection:
            await ledger.grant(
                connection,
                guild_id,
                subject.kind,
                subject.id,
                millicredits,
                interaction.user.id,
                now,
                reason=reason,
                expires_at=parse_end(expires, now),
            )
        each = "" if subject.kind == "member" else " each"
        await self._answer(interaction, f"Granted {credits_in_words(millicredits)}{each} to {subject.name}.")

    @app_commands.command()
    @app_commands.describe(**SUBJECT_HELP)
    async def reset(
        self,
        interaction: Interaction,
        member: discord.Member | None = None,
        role: discord.Role | None = None,
        channel: discord.TextChannel | discord.VoiceChannel | None = None,
        everyone: bool = False,
        reason: Range[str, 1, 200] = "no reason given",
    ) -> None:
        """Forget what was spent so far, so that the whole allowance is there again"""
        guild_id = await require_moderator(interaction)
        subject, now = choose_subject(member, role, channel, everyone), self.bot.service.clock()
        async with self.bot.service.database.transaction() as connection:
            await ledger.reset(connection, guild_id, subject.kind, subject.id, interaction.user.id, now, reason=reason)
        await self._answer(interaction, f"What {subject.name} has spent in this server so far no longer counts.")

    async def _answer(self, interaction: Interaction, text: str) -> None:
        await interaction.response.send_message(text, ephemeral=True, allowed_mentions=discord.AllowedMentions.none())
        self.bot.rounds.wake()


def _asker_for(interaction: Interaction, member: discord.Member) -> Asker:
    """The member as they would ask in this channel."""
    return Asker(
        user_id=member.id,
        guild_id=interaction.guild_id or 0,
        channel_id=parent_of(interaction.channel) or interaction.channel_id or 0,
        role_ids=tuple(role.id for role in member.roles),
    )


def _millicredits(credits: float | None) -> int | None:
    return None if credits is None else round(credits * 1000)
