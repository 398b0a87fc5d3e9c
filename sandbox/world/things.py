"""What a Discord is made of: plain records, and the error that its API answers with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox.world.layout import texts

Json = dict[str, Any]

TEXT, DM, THREAD, PRIVATE_THREAD = 0, 1, 11, 12
THREADS = (THREAD, PRIVATE_THREAD)
SUPPRESS_EMBEDS, EPHEMERAL, LOADING, SILENT, V2 = 4, 64, 128, 1 << 12, 1 << 15


class ApiError(Exception):
    """What Discord answers: an HTTP status and its own error code; `errors` says which fields of a form are wrong."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(f"{status} {code} {message}")
        self.status, self.code, self.message, self.errors = status, code, message, errors


@dataclass(slots=True)
class User:
    id: int
    name: str
    bot: bool = False
    locale: str = "en-US"
    accepts_dms: bool = True


@dataclass(slots=True)
class Role:
    id: int
    name: str
    permissions: int
    position: int = 0


@dataclass(slots=True)
class Channel:
    """`overwrites` maps a role's or user's id to (allow, deny)."""

    id: int
    type: int
    name: str
    guild_id: int | None = None
    nsfw: bool = False
    recipient_id: int | None = None
    parent_id: int | None = None
    owner_id: int | None = None
    topic: str | None = None
    slowmode_seconds: int = 0
    overwrites: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    is_archived: bool = False
    is_locked: bool = False
    thread_members: list[int] = field(default_factory=list[int])

    @property
    def is_thread(self) -> bool:
        return self.type in THREADS


@dataclass(slots=True)
class Guild:
    """`members` maps user ids to role ids, `timeouts` to the Unix time at which a time-out ends."""

    id: int
    name: str
    owner_id: int
    system_channel_id: int | None = None
    roles: dict[int, Role] = field(default_factory=dict[int, Role])
    members: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    nicknames: dict[int, str] = field(default_factory=dict[int, str])
    timeouts: dict[int, float] = field(default_factory=dict[int, float])


@dataclass(slots=True)
class Attachment:
    id: int
    filename: str
    data: bytes = field(repr=False)
    content_type: str = "application/octet-stream"
    description: str | None = None
    size: tuple[int, int] | None = None


@dataclass(slots=True)
class Message:
    """`only_for` is the one user who sees an ephemeral message."""

    id: int
    channel_id: int
    author_id: int
    content: str = ""
    embeds: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    components: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    attachments: list[Attachment] = field(default_factory=list[Attachment])
    flags: int = 0
    only_for: int | None = None
    reference: dict[str, Any] | None = None
    mentions: list[int] = field(default_factory=list[int])
    mention_roles: list[int] = field(default_factory=list[int])
    mention_everyone: bool = False
    created_at: float = 0.0
    edited_at: float | None = None
    nonce: str | None = None
    interaction_id: int | None = None
    reactions: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    edits: int = 0
    is_pinned: bool = False
    thread_id: int | None = None

    @property
    def is_thinking(self) -> bool:
        """Whether this is a deferred answer that still shows "thinking"."""
        return bool(self.flags & LOADING)

    @property
    def is_v2(self) -> bool:
        """Whether it is made of the new components, which take the place of content and embeds."""
        return bool(self.flags & V2)

    @property
    def text(self) -> str:
        """Its words: the content, then those of all text displays in order, one below the other."""
        return "\n".join(part for part in [self.content, *texts(self.components)] if part)


@dataclass(slots=True)
class Interaction:
    """`acknowledged` is the callback type of the first answer; `is_missed` tells that none came in time.

    `opened_at` is a moment on the clock of the deadlines (`World.elapsed`).
    """

    id: int
    token: str
    user_id: int
    channel_id: int
    guild_id: int | None
    opened_at: float
    payload: dict[str, Any]
    source_message_id: int | None = None
    acknowledged: int | None = None
    response_message_id: int | None = None
    modal: dict[str, Any] | None = None
    choices: list[dict[str, Any]] | None = None
    is_missed: bool = False
    files: list[Attachment] = field(default_factory=list[Attachment])

    @property
    def type(self) -> int:
        """2 command, 3 component, 4 autocomplete, 5 modal."""
        return int(self.payload["type"])


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; `only_for` limits it to one user (0: nobody but those who watch the whole world)."""

    name: str
    data: dict[str, Any]
    channel_id: int | None = None
    only_for: int | None = None
