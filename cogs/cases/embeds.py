"""What a case looks like in the review channel. Pure: the case and what is known about it in, an embed out."""

from __future__ import annotations

from collections.abc import Mapping

import discord

from cogs.core.colours import AMBER, GREY
from cogs.core.text import inert, plural, spoiler
from domain.cases import CaseFile, CaseKind, Grounds, History, Subject

LOWEST_SHOWN = 0.05

TITLES = {
    CaseKind.APPEAL: "Appeal",
    CaseKind.REPORT: "Report",
    CaseKind.APPROVAL: "Picture waiting for approval",
}
PICTURE_NOTE = (
    "A withheld picture is never kept, and nobody can switch the picture check off. "
    "“Allow once” lets the member try the same words with a new seed."
)


def case_card(file: CaseFile) -> discord.Embed:
    """The card: who, where, why, the words behind a spoiler, and how the case ended."""
    case = file.case
    end = "" if case.is_open else f": {case.end_in_words}"
    embed = discord.Embed(title=f"{TITLES[case.kind]}{end}", colour=AMBER if case.is_open else GREY)
    embed.add_field(name="Member", value=f"<@{case.user_id}>")
    embed.add_field(name="Where", value=f"<#{case.channel_id}>")
    embed.add_field(name="When", value=discord.utils.format_dt(case.opened_at, "R"))
    if case.kind is CaseKind.REPORT:
        embed.add_field(name="Reported by", value=f"<@{case.opened_by}>")
    if case.statement:
        embed.add_field(name="In their words", value=inert(case.statement, 1000), inline=False)
    _add_words(embed, file)
    if file.grounds is not None:
        _add_grounds(embed, file.grounds)
    elif file.picture_scores:
        embed.add_field(name="The picture check's scores", value=_scores(file.picture_scores), inline=False)
    embed.add_field(name="History here", value=_history(file.history), inline=False)
    if case.resolved_by:
        embed.add_field(name="Decided by", value=f"<@{case.resolved_by}>")
    embed.set_footer(text=f"case {case.id}" + (f" · picture {case.job_id}" if case.job_id else ""))
    return embed


def _add_words(embed: discord.Embed, file: CaseFile) -> None:
    request = file.job.request if file.job else None
    prompt = file.grounds.prompt if file.grounds else (request.prompt if request else None)
    negative = file.grounds.negative_prompt if file.grounds else (request.negative_prompt if request else None)
    if prompt:
        embed.add_field(name="Prompt", value=spoiler(prompt), inline=False)
    if negative:
        embed.add_field(name="Without", value=spoiler(negative), inline=False)


def _add_grounds(embed: discord.Embed, grounds: Grounds) -> None:
    embed.add_field(name="Grounds", value=grounds.clause_words, inline=False)
    if grounds.rules:
        embed.add_field(name="Rules", value=", ".join(f"`{rule}`" for rule in grounds.rules[:10]))
    if grounds.scores:
        embed.add_field(name="Scores", value=_scores(grounds.scores))
    if grounds.subject is Subject.PICTURE:
        embed.add_field(name="Please note", value=PICTURE_NOTE, inline=False)


def _scores(scores: Mapping[str, float]) -> str:
    """The highest ones; what is hardly there says nothing. A letter is a clause of the licence."""
    worst = sorted(scores.items(), key=lambda item: -item[1])[:6]
    names = {name: f"clause ({name})" if len(name) == 1 else inert(name.replace("_", " ")) for name in scores}
    notable = [f"{names[name]} {score:.2f}" for name, score in worst if score >= LOWEST_SHOWN]
    return ", ".join(notable) or f"all below {LOWEST_SHOWN}"


def _history(history: History) -> str:
    return (
        f"{plural(history.pictures, 'picture')}, {plural(history.refusals, 'refusal')}, "
        f"{plural(history.appeals_allowed, 'appeal')} allowed, {history.appeals_upheld} upheld, "
        f"{plural(history.reports_removed, 'picture')} removed"
    )
