"""What a challenge looks like: its announcement, its anonymous entries, its winners, the hall of fame. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import discord

from cogs.core.colours import BLUE, GOLD
from cogs.core.i18n import ENGLISH, Translation
from cogs.core.text import inert, plural
from domain.challenges import Challenge, ChallengeEntry, Victory

HOW_TO_ENTER = (
    "Paint something for this theme, then press **Enter** and choose one of your pictures.\n"
    "Entries are shown without names. Everybody has one vote, nobody votes for themselves, and the votes "
    "stay secret until the end."
)


def announcement_card(challenge: Challenge, words: Translation = ENGLISH) -> discord.Embed:
    """The theme, the end, and how to take part."""
    embed = discord.Embed(
        title=words("Challenge: {theme}", theme=inert(challenge.theme, 200)),
        description=words(HOW_TO_ENTER),
        colour=BLUE,
    )
    embed.add_field(name=words("Ends"), value=discord.utils.format_dt(challenge.ends_at, "R"))
    if challenge.repeat_seconds:
        days = challenge.repeat_seconds // 86_400
        embed.add_field(name=words("Comes back"), value=words.count(days, "every day", "every {count} days"))
    embed.set_footer(text=f"challenge {challenge.id}")
    return embed


def entry_card(
    challenge: Challenge, entry: ChallengeEntry, filename: str, words: Translation = ENGLISH
) -> discord.Embed:
    """A number and a picture, and nothing that says whose it is."""
    title = words("Entry {number}", number=entry.number)
    embed = discord.Embed(title=title, description=inert(challenge.theme, 200), colour=BLUE)
    embed.set_image(url=f"attachment://{filename}")
    embed.set_footer(text=words("AI-generated"))
    return embed


def results_card(
    challenge: Challenge, entries: Sequence[ChallengeEntry], words: Translation = ENGLISH
) -> discord.Embed:
    """The winners and everybody's votes, names included now."""
    title = words("Challenge over: {theme}", theme=inert(challenge.theme, 200))
    embed = discord.Embed(title=title, description=_outcome(entries, words)[:4000], colour=GOLD)
    ranking = sorted(entries, key=lambda entry: (-(entry.votes or 0), entry.number))[:15]
    if ranking:
        line = "{votes} · entry {number} by {who}"
        lines = [
            words(line, votes=entry.votes or 0, number=entry.number, who=f"<@{entry.user_id}>") for entry in ranking
        ]
        embed.add_field(name=words("Votes"), value="\n".join(lines)[:1024], inline=False)
    embed.set_footer(text=f"challenge {challenge.id}")
    return embed


def _outcome(entries: Sequence[ChallengeEntry], words: Translation) -> str:
    winners = [entry for entry in entries if entry.is_winner]
    if not entries:
        return words("Nobody entered this time.")
    if not winners:
        return words.count(
            len(entries),
            "1 entry, but nobody voted, so nobody wins.",
            "{count} entries, but nobody voted, so nobody wins.",
        )
    names = words(" and ").join(
        words("{who} (entry {number})", who=f"<@{entry.user_id}>", number=entry.number) for entry in winners
    )
    votes = words.count(winners[0].votes or 0, "1 vote", "{count} votes")
    return words.count(
        len(winners),
        "🏆 {names} wins with {votes}.",
        "🏆 {names} share the first place with {votes}.",
        names=names,
        votes=votes,
    )


def running_card(running: Sequence[Challenge]) -> discord.Embed:
    lines = [
        f"**{challenge.id}** {inert(challenge.theme, 80)} in <#{challenge.channel_id}>, "
        f"{discord.utils.format_dt(challenge.starts_at, 'd')} to {discord.utils.format_dt(challenge.ends_at, 'f')}"
        for challenge in running
    ]
    return discord.Embed(title="Challenges", description="\n".join(lines)[:4000] or "No challenge.", colour=BLUE)


def fame_card(victories: Sequence[Victory]) -> discord.Embed:
    lines = [
        f"🏆 <@{victory.user_id}>: {inert(victory.theme, 60)}, {plural(victory.votes, 'vote')}, "
        f"{discord.utils.format_dt(victory.ended_at, 'd')}"
        for victory in victories
    ]
    return discord.Embed(
        title="Hall of fame", description="\n".join(lines)[:4000] or "Nobody has won a challenge yet.", colour=GOLD
    )
