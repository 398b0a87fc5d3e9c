"""Words of people, made harmless to show: nothing they type pings anybody or formats our messages."""

from __future__ import annotations

import re
from collections.abc import Sequence

import discord

NOBODY = discord.AllowedMentions.none()
SERVERS_ONLY = "This works in servers only, not in direct messages."
# Discord's limits for a field and the description of an embed, and for all its text together.
MAX_FIELD, MAX_DESCRIPTION, MAX_EMBED = 1024, 4096, 6000
MAX_REST = len("… and 10000 more.")


def inert(text: str, limit: int = 1000) -> str:
    """The text as typed, but without effect: markdown and mentions escaped. `limit` is the length with the escapes;
    what is longer is cut with an ellipsis."""
    flat = " ".join(text.split())
    shown, kept = _escape(flat), len(flat)
    while len(shown) > limit:
        kept -= max((len(shown) - limit) // 4, 1)
        shown = _escape(flat[:kept] + "…")
    return shown


def marked(text: str, spans: Sequence[tuple[int, int]], limit: int) -> str:
    """The text as `inert` shows it, bold and underlined where `spans` (start, end) are; cut at `limit` as there."""
    kept = len(text)
    while len(shown := _with_marks(text[:kept], spans) + ("…" if kept < len(text) else "")) > limit:
        kept -= max((len(shown) - limit) // 4, 1)
    return shown.strip()


def _with_marks(text: str, spans: Sequence[tuple[int, int]]) -> str:
    parts, done = list[str](), 0
    for start, end in _joined(spans):
        first, last = max(start, 0), min(end, len(text))
        if text[first:last].strip():
            parts += [_flat(text[done:first]), f"**__{_flat(text[first:last]).strip()}__**"]
            done = last
    return "".join([*parts, _flat(text[done:])])


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans in order, those that overlap or touch as one: marks within marks would end each other."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _flat(text: str) -> str:
    return _escape(re.sub(r"\s+", " ", text))


def _escape(text: str) -> str:
    return discord.utils.escape_mentions(discord.utils.escape_markdown(text)).replace("<", "\\<")


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 picture`, `2 pictures`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def spoiler(text: str) -> str:
    """A member's words, hidden until somebody clicks."""
    return f"||{inert(text, 900)}||"


def lines_within(lines: Sequence[str], limit: int) -> str:
    """The first lines, whole, that fit into so many characters, and how many more there are."""
    if len(text := "\n".join(lines)) <= limit:
        return text
    kept, left = list[str](), limit - MAX_REST
    for line in lines:
        left -= len(line) + 1
        if left < 0:
            break
        kept.append(line)
    return "\n".join([*kept, f"… and {len(lines) - len(kept)} more."])


def copyable(words: str) -> str:
    """A block from which the words are copied as they were typed."""
    inside = words.replace("```", "`\u200b``")
    return f"```\n{inside}\n```"
