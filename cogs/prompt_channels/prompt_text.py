"""From a message in a prompt channel to what it asks for. Pure: text in, prompt or request out."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace

from db.prompt_channels import PromptChannel
from domain import SEED_LIMIT, ModelProfile, Request
from engine.request.presets import apply_preset

# People talk beside their prompts like this, in many art servers.
NO_PROMPT = ("//", "((", "(ooc", "/", "!", "http://", "https://")


def prompt_in(content: str, bot_id: int, *, needs_mention: bool) -> str | None:
    """The prompt in a message, or None if it is none; a mention of the bot is not part of the prompt.

    `needs_mention`: without the Message Content intent Discord shows us only messages that mention the bot.
    """
    mention = re.compile(rf"<@!?{bot_id}>")
    if needs_mention and not mention.search(content):
        return None
    text = " ".join(mention.sub(" ", content).split())
    return None if not text or text.casefold().startswith(NO_PROMPT) else text


def request_for(text: str, channel: PromptChannel, profile: ModelProfile) -> Request:
    """What a message asks for, by the channel's rules. Raises InvalidRequest."""
    width, height = profile.shapes[channel.shape]
    request = Request(
        prompt=dressed(text, channel),
        negative_prompt=channel.negative_prompt,
        width=width,
        height=height,
        num_inference_steps=profile.num_inference_steps,
        guidance_scale=profile.guidance_scale,
        scheduler=profile.scheduler,
        seed=secrets.randbelow(SEED_LIMIT) if channel.seed is None else channel.seed,
    )
    return apply_preset(request, channel.preset)


def dressed(text: str, channel: PromptChannel) -> str:
    """The prompt between the channel's prefix and suffix tags."""
    return ", ".join(part for part in (channel.prefix, text, channel.suffix) if part)


def changed(request: Request, text: str, channel: PromptChannel) -> Request:
    """A reply to a picture: the same seed, other words.

    `+ hat, - smile` adds and takes away tags; anything else replaces the words.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part[0] in "+-" for part in parts):
        return replace(request, prompt=dressed(text, channel))
    tags = [tag.strip() for tag in request.prompt.split(",") if tag.strip()]
    for part in parts:
        tag = part[1:].strip()
        tags = [one for one in tags if one.casefold() != tag.casefold()]
        if part[0] == "+" and tag:
            tags.append(tag)
    return replace(request, prompt=", ".join(tags))
