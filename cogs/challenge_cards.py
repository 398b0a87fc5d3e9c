"""What a challenge looks like: its announcement, its anonymous entries, its winners, the hall of fame. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import discord

from cogs.text import inert, plural
from db.challenges import Challenge, Entry, Fame

GOLD, BLUE = 0xD4A017, 0x5B8DEF


def announcement_card(challenge: Challenge) -> discord.Embed:
    """The theme, the end, and how to take part."""
    embed = discord.Embed(
        title=f"Challenge: {inert(challenge.theme, 200)}",
        description=(
            "Paint something for this theme, then press **Enter** and choose one of your pictures.\n"
            "Entries are shown without names. Everybody has one vote, nobody votes for themselves, and the votes "
            "stay secret until the end."
        ),
        colour=BLUE,
    )
    embed.add_field(name="Ends", value=discord.utils.format_dt(challenge.ends_at, "R"))
    if challenge.repeat_seconds:
        embed.add_field(name="Comes back", value=f"every {plural(challenge.repeat_seconds // 86_400, 'day')}")
    embed.set_footer(text=f"challenge {challenge.id}")
    return embed


def entry_card(challenge: Challenge, entry: Entry, filename: str) -> discord.Embed:
    """A number and a picture, and nothing that says whose it is."""
    embed = discord.Embed(title=f"Entry {entry.number}", description=inert(challenge.theme, 200), colour=BLUE)
    embed.set_image(url=f"attachment://{filename}")
    embed.set_footer(text="AI-generated")
    return embed


def results_card(challenge: Challenge, entries: Sequence[Entry]) -> discord.Embed:
    """The winners and everybody's votes, names included now."""
    winners = [entry for entry in entries if entry.is_winner]
    if not entries:
        text = "Nobody entered this time."
    elif not winners:
        text = f"{plural(len(entries), 'entry', 'entries')}, but nobody voted, so nobody wins."
    else:
        names = " and ".join(f"<@{entry.user_id}> (entry {entry.number})" for entry in winners)
        votes = plural(winners[0].votes or 0, "vote")
        text = f"🏆 {names} {'wins' if len(winners) == 1 else 'share the first place'} with {votes}."
    embed = discord.Embed(title=f"Challenge over: {inert(challenge.theme, 200)}", description=text[:4000], colour=GOLD)
    ranking = sorted(entries, key=lambda entry: (-(entry.votes or 0), entry.number))[:15]
    if ranking:
        lines = [f"{entry.votes or 0} · entry {entry.number} by <@{entry.user_id}>" for entry in ranking]
        embed.add_field(name="Votes", value="\n".join(lines)[:1024], inline=False)
    embed.set_footer(text=f"challenge {challenge.id}")
    return embed


def running_card(running: Sequence[Challenge]) -> discord.Embed:
    lines = [
        f"**{one.id}** {inert(one.theme, 80)} in <#{one.channel_id}>, "
        f"{discord.utils.format_dt(one.starts_at, 'd')} to {discord.utils.format_dt(one.ends_at, 'f')}"
        for one in running
    ]
    return discord.Embed(title="Challenges", description="\n".join(lines)[:4000] or "No challenge.", colour=BLUE)


def fame_card(fame: Sequence[Fame]) -> discord.Embed:
    lines = [
        f"🏆 <@{line.user_id}>: {inert(line.theme, 60)}, {plural(line.votes, 'vote')}, "
        f"{discord.utils.format_dt(line.ended_at, 'd')}"
        for line in fame
    ]
    return discord.Embed(
        title="Hall of fame", description="\n".join(lines)[:4000] or "Nobody has won a challenge yet.", colour=GOLD
    )
