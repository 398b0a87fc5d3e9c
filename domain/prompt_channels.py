"""Channels in which every message is a prompt, and the messages that were read in them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AnswerMode(StrEnum):
    """How a prompt channel answers a prompt."""

    REPLY = "reply"
    THREAD = "thread"


class OtherMessages(StrEnum):
    """What happens to messages that are no prompt."""

    KEEP = "keep"
    DELETE = "delete"


class PromptStatus(StrEnum):
    """What became of a message that was read as a prompt."""

    TAKEN = "taken"
    COOLING = "cooling"
    ACCEPTED = "accepted"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptChannel:
    """A channel in which every message is a prompt.

    `seed` None means a new one for every picture.
    """

    channel_id: int
    guild_id: int
    opened_by: int
    prefix: str = ""
    suffix: str = ""
    negative_prompt: str = ""
    preset: str | None = None
    shape: str = "square"
    seed: int | None = None
    cooldown_seconds: int = 0
    answer: AnswerMode = AnswerMode.REPLY
    other_messages: OtherMessages = OtherMessages.KEEP
    latest_message_id: int | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptMessage:
    """A message that was read as a prompt. `reply_id` is our answer where that is not the job's own message."""

    message_id: int
    channel_id: int
    guild_id: int
    user_id: int
    job_id: int | None
    reply_id: int | None
    status: PromptStatus
