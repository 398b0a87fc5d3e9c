"""A small Discord in memory: users, servers, channels, messages, interactions, and the rules of who may do what.

Pure state, no network. Times are Unix seconds of a clock that tests can move; ids are snowflakes made from it.
Everything that happens is told to subscribers as `Event`s: the gateway passes them to the bot, the page to people.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import discord

EPOCH_MS = 1_420_070_400_000
TEXT, DM, THREAD = 0, 1, 11
EPHEMERAL, LOADING, V2 = 64, 128, 1 << 15
TOKEN_SECONDS, ACK_SECONDS = 900.0, 3.0
NONCE_SECONDS = 300.0

EVERYONE = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    create_public_threads=True,
    embed_links=True,
    attach_files=True,
    read_message_history=True,
    add_reactions=True,
    use_application_commands=True,
).value
BOT_NEEDS = EVERYONE | discord.Permissions(manage_messages=True, manage_threads=True).value
MODERATOR = EVERYONE | discord.Permissions(manage_messages=True, manage_guild=True, moderate_members=True).value
ALL = discord.Permissions.all().value


class ApiError(Exception):
    """What Discord answers: an HTTP status and its own error code."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(f"{status} {code} {message}")
        self.status, self.code, self.message = status, code, message


@dataclass(slots=True)
class User:
    id: int
    name: str
    bot: bool = False
    locale: str = "en-US"


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


@dataclass(slots=True)
class Guild:
    id: int
    name: str
    owner_id: int
    system_channel_id: int | None = None
    roles: dict[int, Role] = field(default_factory=dict[int, Role])
    members: dict[int, list[int]] = field(default_factory=dict[int, list[int]])  # user id → role ids


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
    created_at: float = 0.0
    edited_at: float | None = None
    nonce: str | None = None
    interaction_id: int | None = None
    reactions: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    edits: int = 0


@dataclass(slots=True)
class Interaction:
    id: int
    token: str
    user_id: int
    channel_id: int
    guild_id: int | None
    created_at: float
    payload: dict[str, Any]
    source_message_id: int | None = None
    acknowledged: int | None = None  # the callback type
    response_message_id: int | None = None
    modal: dict[str, Any] | None = None
    choices: list[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; `only_for` limits it to one user (never the bot)."""

    name: str
    data: dict[str, Any]
    channel_id: int | None = None
    only_for: int | None = None


class World:
    """All of it. `advance` moves the clock."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._offset = 0.0
        self._last_id = 0
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.messages: dict[int, Message] = {}
        self.interactions: dict[str, Interaction] = {}
        self.commands: dict[int | None, list[dict[str, Any]]] = {None: []}
        self.upload_limit = 10 * 2**20
        self._subscribers: list[Callable[[Event], None]] = []
        self.bot = self.add_user("painter", bot=True)
        self.application_id = self.bot.id

    # ---- time and ids ----------------------------------------------------------------------------------------------

    def now(self) -> float:
        return self._clock() + self._offset

    def advance(self, seconds: float) -> None:
        self._offset += seconds

    def new_id(self) -> int:
        self._last_id = max(self._last_id + 1, (int(self.now() * 1000) - EPOCH_MS) << 22)
        return self._last_id

    # ---- events ----------------------------------------------------------------------------------------------------

    def subscribe(self, subscriber: Callable[[Event], None]) -> Callable[[], None]:
        """Call `subscriber` for every event; returns the way to stop it."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def tell(self, name: str, data: dict[str, Any], channel_id: int | None = None, only_for: int | None = None) -> None:
        for subscriber in list(self._subscribers):
            subscriber(Event(name, data, channel_id, only_for))

    # ---- building --------------------------------------------------------------------------------------------------

    def add_user(self, name: str, *, bot: bool = False) -> User:
        user = User(self.new_id(), name, bot)
        self.users[user.id] = user
        return user

    def add_guild(self, name: str, owner: User) -> Guild:
        """A server with its owner and the bot in it, the bot with the permissions its invite link asks for."""
        guild = Guild(self.new_id(), name, owner.id)
        guild.roles[guild.id] = Role(guild.id, "@everyone", EVERYONE)
        self.guilds[guild.id] = guild
        bot_role = self.add_role(guild, self.bot.name, BOT_NEEDS)
        guild.members[owner.id] = []
        guild.members[self.bot.id] = [bot_role.id]
        return guild

    def add_role(self, guild: Guild, name: str, permissions: int = 0) -> Role:
        role = Role(self.new_id(), name, permissions, len(guild.roles))
        guild.roles[role.id] = role
        return role

    def add_member(self, guild: Guild, name: str, *roles: Role) -> User:
        user = self.add_user(name)
        guild.members[user.id] = [role.id for role in roles]
        return user

    def add_channel(self, guild: Guild, name: str, *, nsfw: bool = False, topic: str | None = None) -> Channel:
        channel = Channel(self.new_id(), TEXT, name, guild.id, nsfw, topic=topic)
        self.channels[channel.id] = channel
        return channel

    def open_dm(self, user_id: int) -> Channel:
        """The direct messages between the bot and a user."""
        for channel in self.channels.values():
            if channel.type == DM and channel.recipient_id == user_id:
                return channel
        channel = Channel(self.new_id(), DM, self.users[user_id].name, recipient_id=user_id)
        self.channels[channel.id] = channel
        return channel

    # ---- permissions -----------------------------------------------------------------------------------------------

    def permissions(self, user_id: int, channel: Channel) -> int:
        """Discord's order: everyone, roles, then the channel's overwrites for everyone, roles and the user."""
        if channel.guild_id is None:
            return ALL if user_id in (channel.recipient_id, self.bot.id) else 0
        guild = self.guilds[channel.guild_id]
        if user_id not in guild.members:
            return 0
        base = self.guild_permissions(user_id, guild)
        if base & discord.Permissions.administrator.flag:
            return ALL
        source = self.channels[channel.parent_id] if channel.type == THREAD and channel.parent_id else channel
        roles = guild.members[user_id]
        for group in ([guild.id], roles, [user_id]):
            allow = deny = 0
            for key in group:
                one_allow, one_deny = source.overwrites.get(key, (0, 0))
                allow, deny = allow | one_allow, deny | one_deny
            base = base & ~deny | allow
        return base if base & discord.Permissions.view_channel.flag else 0

    def guild_permissions(self, user_id: int, guild: Guild) -> int:
        if user_id == guild.owner_id:
            return ALL
        base = guild.roles[guild.id].permissions
        for role_id in guild.members.get(user_id, []):
            base |= guild.roles[role_id].permissions
        return ALL if base & discord.Permissions.administrator.flag else base

    def require(self, user_id: int, channel: Channel, *names: str) -> None:
        """Raise 50001 or 50013 if the user lacks one of the permissions there."""
        held = discord.Permissions(self.permissions(user_id, channel))
        if not held.view_channel:
            raise ApiError(403, 50001, "Missing Access")
        if any(not getattr(held, name) for name in names):
            raise ApiError(403, 50013, "Missing Permissions")

    def can_see(self, user_id: int, channel: Channel) -> bool:
        return bool(self.permissions(user_id, channel) & discord.Permissions.view_channel.flag)

    def is_nsfw(self, channel: Channel) -> bool:
        return self.channels[channel.parent_id].nsfw if channel.type == THREAD and channel.parent_id else channel.nsfw

    # ---- looking up ------------------------------------------------------------------------------------------------

    def channel(self, channel_id: int) -> Channel:
        if channel_id not in self.channels:
            raise ApiError(404, 10003, "Unknown Channel")
        return self.channels[channel_id]

    def message(self, channel_id: int, message_id: int) -> Message:
        message = self.messages.get(message_id)
        if message is None or message.channel_id != channel_id:
            raise ApiError(404, 10008, "Unknown Message")
        return message

    def history(self, channel_id: int, user_id: int) -> list[Message]:
        """What a user sees in a channel, oldest first."""
        return [
            message
            for message in sorted(self.messages.values(), key=lambda message: message.id)
            if message.channel_id == channel_id and message.only_for in (None, user_id)
        ]

    # ---- messages --------------------------------------------------------------------------------------------------

    def post(self, message: Message) -> Message:
        """Put a message into its channel, or give back the one that carried the same nonce a moment ago."""
        if message.nonce is not None:
            for earlier in self.messages.values():
                is_same = (earlier.nonce, earlier.author_id, earlier.channel_id) == (
                    message.nonce,
                    message.author_id,
                    message.channel_id,
                )
                if is_same and self.now() - earlier.created_at < NONCE_SECONDS:
                    return earlier
        message.created_at = self.now()
        self.messages[message.id] = message
        return message

    def delete(self, message: Message) -> None:
        del self.messages[message.id]
        data: dict[str, Any] = {"id": str(message.id), "channel_id": str(message.channel_id)}
        guild_id = self.channels[message.channel_id].guild_id
        if guild_id is not None:
            data["guild_id"] = str(guild_id)
        self.tell("MESSAGE_DELETE", data, message.channel_id, message.only_for)

    # ---- interactions ----------------------------------------------------------------------------------------------

    def open_interaction(
        self, user_id: int, channel: Channel, payload: dict[str, Any], source_message_id: int | None = None
    ) -> Interaction:
        interaction = Interaction(
            self.new_id(),
            secrets.token_urlsafe(24),
            user_id,
            channel.id,
            channel.guild_id,
            self.now(),
            payload,
            source_message_id,
        )
        self.interactions[interaction.token] = interaction
        return interaction

    def by_token(self, token: str, *, answered: bool) -> Interaction:
        """The interaction of a token, for its first answer or for what follows. Raises as Discord does."""
        interaction = self.interactions.get(token)
        if interaction is None:
            raise ApiError(404, 10015 if answered else 10062, "Unknown Webhook" if answered else "Unknown interaction")
        age = self.now() - interaction.created_at
        if answered:
            if age > TOKEN_SECONDS:
                raise ApiError(401, 50027, "Invalid Webhook Token")
            if interaction.acknowledged is None:
                raise ApiError(404, 10015, "Unknown Webhook")
        elif interaction.acknowledged is not None:
            raise ApiError(400, 40060, "Interaction has already been acknowledged.")
        elif age > ACK_SECONDS:
            raise ApiError(404, 10062, "Unknown interaction")
        return interaction


def default_world(clock: Callable[[], float] = time.time) -> World:
    """One server: an ordinary, an age-restricted, a prompt and a moderators' channel; two members, one moderator."""
    world = World(clock)
    guild = world.add_guild("Paint Club", world.add_user("rosa"))
    moderators = world.add_role(guild, "moderators", MODERATOR)
    world.add_member(guild, "ana")
    world.add_member(guild, "ben")
    world.add_member(guild, "mira", moderators)
    paintings = world.add_channel(guild, "paintings", topic="Type /imagine")
    guild.system_channel_id = paintings.id
    world.add_channel(guild, "after-dark", nsfw=True)
    world.add_channel(guild, "prompts")
    review = world.add_channel(guild, "mod-review")
    view = discord.Permissions.view_channel.flag
    review.overwrites = {guild.id: (0, view), moderators.id: (view, 0), world.bot.id: (view, 0)}
    return world
