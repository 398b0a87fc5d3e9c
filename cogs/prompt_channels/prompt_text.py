"""From a message in a prompt channel to the words it asks for. Pure: text in, prompt or changed request out."""

from __future__ import annotations

import re
from dataclasses import replace

from domain import Request
from domain.prompt_channels import PromptChannel

# People talk beside their prompts like this, in many art servers.
NO_PROMPT = ("//", "(ooc", "((ooc", "/", "!", "http://", "https://")


def prompt_in(content: str, bot_id: int, *, needs_mention: bool) -> str | None:
    """The prompt in a message, or None if it is none; a mention of the bot is not part of the prompt.

    `needs_mention`: without the Message Content intent Discord shows us only messages that mention the bot.
    """
    mention = re.compile(rf"<@!?{bot_id}>")
    if needs_mention and not mention.search(content):
        return None
    text = " ".join(mention.sub(" ", content).split())
    return None if not text or text.casefold().startswith(NO_PROMPT) else text


def dressed(text: str, channel: PromptChannel) -> str:
    """The prompt between the channel's prefix and suffix tags."""
    return ", ".join(part for part in (channel.prefix, text, channel.suffix) if part)


def changed(request: Request, text: str, channel: PromptChannel) -> Request:
    """What a reply to a picture asks for: its seed and sizes, with other words.

    `+ hat, - smile` adds and takes away tags; anything else replaces the words.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part[0] in "+-" for part in parts):
        return replace(request, prompt=dressed(text, channel))
    tags = [tag.strip() for tag in request.prompt.split(",") if tag.strip()]
    for part in parts:
        tag = part[1:].strip()
        tags = [kept for kept in tags if kept.casefold() != tag.casefold()]
        if part[0] == "+" and tag:
            tags.append(tag)
    return replace(request, prompt=", ".join(tags))
