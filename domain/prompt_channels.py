"""Channels in which every message is a prompt, and the messages that were read in them."""

from __future__ import annotations

from enum import StrEnum

from domain.frozen import frozen
from domain.quotas import QuotaRule
from domain.settings import ChannelLevel


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


@frozen
class PromptChannel:
    """A channel in which every message is a prompt.

    `seed` None means a new one for every picture. `problem` is the latest that its moderators were told of.
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


@frozen
class PromptChannelChanges:
    """What moderators choose for a prompt channel; a value that is None stays as it is.

    An empty `preset` means none, a negative `seed` a new one for every picture. `per_hour` (millicredits that a member
    may spend here within any hour) and `level` are written where `/quota` and `/settings` keep theirs.
    """

    prefix: str | None = None
    suffix: str | None = None
    negative_prompt: str | None = None
    preset: str | None = None
    shape: str | None = None
    seed: int | None = None
    cooldown_seconds: int | None = None
    answer: AnswerMode | None = None
    other_messages: OtherMessages | None = None
    per_hour: int | None = None
    level: ChannelLevel | None = None


@frozen
class PromptChannelDetails:
    """How a prompt channel works, with the quota of each member and the level that hold in it.

    `quota` None: there is no rule for the channel, the server's quotas hold.
    """

    channel: PromptChannel
    quota: QuotaRule | None
    level: ChannelLevel


@frozen
class PromptMessage:
    """A message that was read as a prompt. `reply_id` is our answer where that is not the job's own message."""

    message_id: int
    channel_id: int
    guild_id: int
    user_id: int
    job_id: int | None
    reply_id: int | None
    status: PromptStatus
