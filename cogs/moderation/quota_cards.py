"""How credits and quota rules look. Pure: values in, text and embeds out."""

from __future__ import annotations

from collections.abc import Sequence

import discord

from cogs.core.colours import BLUE
from cogs.core.text import MAX_DESCRIPTION, MAX_FIELD, inert, lines_within, plural
from domain.quotas import (
    LedgerEntry,
    MemberCredits,
    QuotaExplanation,
    QuotaKind,
    QuotaOverview,
    QuotaRule,
    QuotaSubject,
    SubjectCredits,
    credits_in_words,
)

MAX_GRANTS = 6


def subject_name(subject: QuotaSubject | None) -> str:
    """The subject as people read it; None is the bot's default."""
    if subject is None:
        return "the bot's default"
    names = {
        QuotaKind.MEMBER: f"<@{subject.id}>",
        QuotaKind.ROLE: f"the role <@&{subject.id}>",
        QuotaKind.CHANNEL: f"the channel <#{subject.id}>",
        QuotaKind.EVERYONE: "everyone in this server",
        QuotaKind.SERVER: "this server as a whole",
    }
    return names[subject.kind]


def member_card(credits: MemberCredits) -> discord.Embed:
    """What is left, when it refills, what the usual pictures cost."""
    standing = credits.standing
    embed = discord.Embed(title="Picture credits", colour=BLUE)
    embed.description = f"<@{credits.user_id}> has **{credits_in_words(standing.left)}** left now."
    embed.add_field(
        name="Within an hour",
        value=f"{credits_in_words(standing.used_hour)} of {credits_in_words(standing.per_hour)} used",
    )
    embed.add_field(
        name="Within a day", value=f"{credits_in_words(standing.used_day)} of {credits_in_words(standing.per_day)} used"
    )
    embed.add_field(name="At once", value=f"{standing.open_jobs} of {plural(standing.max_jobs, 'picture')} in work")
    if standing.extra:
        embed.add_field(name="Extra", value=f"{credits_in_words(standing.extra)}, spent after the others")
    refills_at = credits.refills_at
    refill = f"The next credits come back {discord.utils.format_dt(refills_at, 'R')}." if refills_at else "All there."
    embed.add_field(name="Refill", value=refill, inline=False)
    lines = [f"{name}: {credits_in_words(price)}" for name, price in credits.prices.items()]
    embed.add_field(name="What the usual picture costs", value="\n".join(lines), inline=False)
    if standing.budget.left is not None:
        embed.add_field(
            name="This server's own budget", value=f"{credits_in_words(standing.budget.left)} left for all together"
        )
    embed.set_footer(
        text="More steps, a larger size or more pictures cost more. What fails or is withheld costs nothing."
    )
    return embed


def explanation_card(explanation: QuotaExplanation) -> discord.Embed:
    """Which rule decides each value, and all rules that could have."""
    standing = explanation.standing
    lines = [
        f"**Per hour**: {credits_in_words(standing.per_hour)}, by {subject_name(standing.hour_source)}",
        f"**Per day**: {credits_in_words(standing.per_day)}, by {subject_name(standing.day_source)}",
        f"**At once**: {plural(standing.max_jobs, 'picture')}, by {subject_name(standing.jobs_source)}",
        f"**Weight**: {standing.weight:g}, by {subject_name(standing.weight_source)}",
    ]
    embed = discord.Embed(title="Which quota applies", colour=BLUE)
    embed.description = f"For <@{explanation.user_id}> in this channel:\n" + "\n".join(lines)
    embed.add_field(
        name="Rules that concern this member",
        value=lines_within([rule_line(rule) for rule in explanation.rules], MAX_FIELD)
        or "None; the bot's default holds.",
        inline=False,
    )
    embed.add_field(
        name="Why",
        value="For each value the first of these that decides it: the member's own rule, the best of their roles' "
        "rules, the channel's, everyone's, the bot's default. A rule of this server counts what was spent in this "
        "server; the bot's default counts what was spent anywhere.",
        inline=False,
    )
    left = f"{credits_in_words(standing.left)} left now ({credits_in_words(standing.extra)} of it granted)"
    embed.set_footer(text=left)
    return embed


def subject_card(credits: SubjectCredits) -> discord.Embed:
    """What moderators decided for a role, a channel or everyone, and what was spent there, where that is known."""
    embed = discord.Embed(title="Picture credits", colour=BLUE, description=f"For {subject_name(credits.subject)}.")
    rule = rule_line(credits.rule) if credits.rule else "None; the next one down holds."
    embed.add_field(name="Rule", value=rule, inline=False)
    if credits.spent_hour is not None and credits.spent_day is not None:
        hour, day = credits_in_words(credits.spent_hour), credits_in_words(credits.spent_day)
        embed.add_field(name="Spent by all together", value=f"{hour} within an hour, {day} within a day", inline=False)
    return embed


def overview_card(overview: QuotaOverview) -> discord.Embed:
    """All rules of a server, and what is granted."""
    rules = overview.rules
    text = lines_within([rule_line(rule) for rule in rules], MAX_DESCRIPTION)
    text = text or "None yet: the bot's own limits hold for everybody. `/quota set` makes one."
    embed = discord.Embed(title=plural(len(rules), "quota rule"), description=text)
    if overview.grants:
        embed.add_field(name="Granted credits", value=grant_lines(overview.grants), inline=False)
    return embed


def ledger_lines(history: Sequence[LedgerEntry]) -> str:
    """The latest rows of the ledger, one a line."""
    lines = [
        f"<t:{int(entry.created_at.timestamp())}:t> {entry.kind}"
        + (f" {'−' if entry.amount < 0 else '+'}{credits_in_words(abs(entry.amount))}" if entry.amount else "")
        + (f" · picture {entry.job_id}" if entry.job_id else "")
        + f" · {inert(entry.reason, 40)}"
        for entry in history
    ]
    return lines_within(lines, MAX_FIELD) or "Nothing yet."


def grant_lines(grants: Sequence[LedgerEntry]) -> str:
    """Grants that still hold, one a line."""
    lines = [
        f"{subject_name(QuotaSubject(entry.subject, entry.subject_id or 0))}: {credits_in_words(entry.amount)}"
        + ("" if entry.subject is QuotaKind.MEMBER else " each")
        + (f", until {discord.utils.format_dt(entry.expires_at, 'f')}" if entry.expires_at else "")
        + f" (by <@{entry.actor_id}>: {inert(entry.reason, 40)})"
        for entry in grants[:MAX_GRANTS]
    ]
    if len(grants) > MAX_GRANTS:
        lines.append(f"… and {len(grants) - MAX_GRANTS} more; `/quota show` has each subject's own.")
    return "\n".join(lines)[:MAX_FIELD]


def rule_line(rule: QuotaRule) -> str:
    """One rule in one line."""
    end = f", until {discord.utils.format_dt(rule.expires_at, 'f')}" if rule.expires_at else ""
    return f"{subject_name(rule.subject)}: {rule_values(rule)}{end} (by <@{rule.actor_id}>: {inert(rule.reason, 80)})"


def rule_values(rule: QuotaRule) -> str:
    """What a rule decides."""
    values: list[str] = []
    if rule.per_hour is not None:
        values.append(f"{credits_in_words(rule.per_hour)} an hour")
    if rule.per_day is not None:
        values.append(f"{credits_in_words(rule.per_day)} a day")
    if rule.max_jobs is not None:
        values.append(f"{plural(rule.max_jobs, 'picture')} at once")
    if rule.weight is not None:
        values.append(f"weight {rule.weight:g}")
    return ", ".join(values)
