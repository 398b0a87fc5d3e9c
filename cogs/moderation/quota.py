"""/quota: what members have left, and what moderators decide about it.

Discord gives permissions to whole commands only, and `/quota me` is for everybody: the moderators' subcommands are
therefore visible to all and ask in the bot.
"""

from __future__ import annotations

from dataclasses import dataclass

import discord
from discord import app_commands
from discord.app_commands import Range

from cogs.core.bot import GroupCog, Interaction
from cogs.core.channels import origin_of, origin_of_member
from cogs.core.checks import require_moderator, taking
from cogs.core.text import NOBODY
from cogs.moderation.quota_cards import (
    explanation_card,
    ledger_lines,
    member_card,
    overview_card,
    rule_line,
    subject_card,
    subject_name,
)
from domain import InvalidRequest
from domain.durations import parse_optional_duration
from domain.quotas import Asker, QuotaKind, QuotaLimits, QuotaSubject, credits_in_words, to_millicredits

Credits = Range[float, 0.0, 1_000_000.0]
Place = discord.TextChannel | discord.VoiceChannel

WHY = "Why; the audit log keeps it"


# ---- whom a moderator's command is about -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chosen:
    """One member, role or channel, or everyone, in the server where a moderator chose them."""

    guild_id: int
    subject: QuotaSubject
    member: discord.Member | None = None

    @property
    def name(self) -> str:
        return subject_name(self.subject)


async def choose(
    interaction: Interaction,
    member: discord.Member | None = None,
    role: discord.Role | None = None,
    channel: Place | None = None,
    everyone: bool = False,
) -> Chosen:
    """Exactly one of them. Raises NotAllowed unless a moderator asks, or InvalidRequest."""
    guild_id = await require_moderator(interaction)
    found: list[QuotaSubject] = []
    if member is not None:
        found.append(QuotaSubject(QuotaKind.MEMBER, member.id))
    if role is not None:
        found.append(QuotaSubject(QuotaKind.ROLE, role.id))
    if channel is not None:
        found.append(QuotaSubject(QuotaKind.CHANNEL, channel.id))
    if everyone:
        found.append(QuotaSubject(QuotaKind.EVERYONE))
    if len(found) != 1:
        raise InvalidRequest("Choose exactly one of: a member, a role, a channel, or everyone.")
    return Chosen(guild_id, found[0], member)


about_one = taking(
    "chosen",
    choose,
    member="For this member",
    role="For everybody with this role",
    channel="For what is asked for in this channel",
    everyone="For everybody in this server",
)


# ---- the commands ----------------------------------------------------------------------------------------------------


class Quota(GroupCog, group_name="quota"):
    """Picture credits"""

    @app_commands.command()
    async def me(self, interaction: Interaction) -> None:
        """What you have left, when it refills, and what the usual picture costs"""
        credits = await self.bot.service.quotas.fetch_member(Asker.of(origin_of(interaction)))
        await interaction.response.send_message(embed=member_card(credits), ephemeral=True)

    @app_commands.command()
    @about_one
    async def show(self, interaction: Interaction, chosen: Chosen) -> None:
        """What a member has left, or what holds for a role, a channel or everyone; and the ledger"""
        quotas = self.bot.service.quotas
        if chosen.member is not None:
            asker = Asker.of(origin_of_member(interaction, chosen.member))
            card = member_card(await quotas.fetch_member(asker))
        else:
            card = subject_card(await quotas.fetch_subject(chosen.guild_id, chosen.subject))
        history = await quotas.fetch_history(chosen.guild_id, chosen.subject)
        card.add_field(name="Ledger", value=ledger_lines(history), inline=False)
        await interaction.response.send_message(embed=card, ephemeral=True)

    @app_commands.command()
    @app_commands.describe(member="Whose quota")
    async def explain(self, interaction: Interaction, member: discord.Member) -> None:
        """Which rule applies to a member here, and why"""
        await require_moderator(interaction)
        explanation = await self.bot.service.quotas.explain(Asker.of(origin_of_member(interaction, member)))
        await interaction.response.send_message(embed=explanation_card(explanation), ephemeral=True)

    @app_commands.command(name="list")
    async def list_rules(self, interaction: Interaction) -> None:
        """All quota rules of this server, and what is granted"""
        guild_id = await require_moderator(interaction)
        overview = await self.bot.service.quotas.fetch_overview(guild_id)
        await interaction.response.send_message(embed=overview_card(overview), ephemeral=True)

    @app_commands.command(name="set")
    @app_commands.describe(
        reason=WHY,
        per_hour="Credits within any hour",
        per_day="Credits within any 24 hours",
        jobs="Pictures waiting or being painted at once",
        weight="Share of the worker compared with others: 2 is served twice as fast as 1",
        expires="When the rule ends: 12h, 7d, 2w; empty: never",
    )
    @about_one
    async def set_rule(
        self,
        interaction: Interaction,
        chosen: Chosen,
        per_hour: Credits | None = None,
        per_day: Credits | None = None,
        jobs: Range[int, 0, 1000] | None = None,
        weight: Range[float, 0.1, 10.0] | None = None,
        reason: Range[str, 1, 200] = "no reason given",
        expires: Range[str, 1, 20] | None = None,
    ) -> None:
        """Decide what a member, a role, a channel or everybody may spend"""
        rule = await self.bot.service.quotas.set_rule(
            chosen.guild_id,
            chosen.subject,
            QuotaLimits(
                per_hour=to_millicredits(per_hour), per_day=to_millicredits(per_day), max_jobs=jobs, weight=weight
            ),
            interaction.user.id,
            reason=reason,
            expires_in=parse_optional_duration(expires),
        )
        await _answer(interaction, f"Set. It holds from the next request on.\n{rule_line(rule)}")

    @app_commands.command()
    @about_one
    async def remove(self, interaction: Interaction, chosen: Chosen) -> None:
        """Take a quota rule away, so that the next one down holds"""
        if not await self.bot.service.quotas.remove_rule(chosen.guild_id, chosen.subject, interaction.user.id):
            raise InvalidRequest(f"There is no quota rule for {chosen.name}. `/quota list` shows those there are.")
        await _answer(interaction, f"The rule for {chosen.name} is gone.")

    @app_commands.command()
    @app_commands.describe(
        reason=WHY,
        amount="Extra credits; to a role, a channel or everyone: that much for each member",
        expires="When what is left of them ends: 12h, 7d, 2w; empty: never",
    )
    @about_one
    async def grant(
        self,
        interaction: Interaction,
        amount: Range[float, 0.01, 100_000.0],
        chosen: Chosen,
        reason: Range[str, 1, 200] = "no reason given",
        expires: Range[str, 1, 20] | None = None,
    ) -> None:
        """Give extra credits that stay until they are spent"""
        millicredits = to_millicredits(amount)
        await self.bot.service.quotas.grant(
            chosen.guild_id,
            chosen.subject,
            millicredits,
            interaction.user.id,
            reason=reason,
            expires_in=parse_optional_duration(expires),
        )
        each = "" if chosen.member is not None else " each"
        await _answer(interaction, f"Granted {credits_in_words(millicredits)}{each} to {chosen.name}.")

    @app_commands.command()
    @app_commands.describe(reason=WHY)
    @about_one
    async def reset(
        self, interaction: Interaction, chosen: Chosen, reason: Range[str, 1, 200] = "no reason given"
    ) -> None:
        """Forget what was spent so far, so that the whole allowance is there again"""
        await self.bot.service.quotas.reset(chosen.guild_id, chosen.subject, interaction.user.id, reason=reason)
        await _answer(interaction, f"What {chosen.name} has spent in this server so far no longer counts.")


async def _answer(interaction: Interaction, text: str) -> None:
    await interaction.response.send_message(text, ephemeral=True, allowed_mentions=NOBODY)
