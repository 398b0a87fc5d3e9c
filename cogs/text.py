"""Words of people, made harmless to show: nothing they type pings anybody or formats our messages."""

from __future__ import annotations

import discord

NOBODY = discord.AllowedMentions.none()


def inert(text: str, limit: int = 1000) -> str:
    """The text as typed, but without effect: markdown and mentions escaped, cut with an ellipsis at `limit`."""
    flat = " ".join(text.split())
    if len(flat) > limit:
        flat = flat[: limit - 1] + "…"
    return discord.utils.escape_mentions(discord.utils.escape_markdown(flat)).replace("<", "\\<")


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 picture`, `2 pictures`."""
    return f"{count} {one if count == 1 else many or one + 's'}"
