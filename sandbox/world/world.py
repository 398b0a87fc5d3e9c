"""A small Discord in memory: users, servers, channels, messages, interactions, and the rules of who may do what.

Pure state, no network. Times are Unix seconds of a clock that tests can move; ids are snowflakes made from it.
Discord's deadlines (three seconds for an answer, fifteen minutes for a token) have a clock of their own. Only `advance`
moves that, so a busy machine makes nobody late; after `use_real_time`, as in the demo, it runs with the machine's.
Everything that happens is told to subscribers as `Event`s: the gateway passes them to the bot, the page to people.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import discord

from sandbox.world import permissions as rules
from sandbox.world.permissions import BOT_NEEDS, DIRECT, EVERYONE, MODERATOR
from sandbox.world.things import (
    DM,
    TEXT,
    ApiError,
    Channel,
    Event,
    Guild,
    Interaction,
    Message,
    Role,
    User,
)

EPOCH_MS = 1_420_070_400_000
TOKEN_SECONDS, ACK_SECONDS = 900.0, 3.0
NONCE_SECONDS = 300.0


class World:
    """All of it. `advance` moves both clocks: `now`, which dates things, and `elapsed`, which the deadlines go by."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._offset = 0.0
        self._real_since: float | None = None
        self._last_id = 0
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.messages: dict[int, Message] = {}
        self.interactions: dict[str, Interaction] = {}  # by token
        self.interactions_by_id: dict[int, Interaction] = {}
        self._nonces: dict[tuple[str, int, int], tuple[int, float]] = {}  # to the message's id and when it came
        self.commands: dict[int | None, list[dict[str, Any]]] = {None: []}
        self.upload_limit = 10 * 2**20
        self.ack_seconds, self.token_seconds = ACK_SECONDS, TOKEN_SECONDS
        # Whether the bot asked for (and got) the message content intent; set by the gateway.
        self.bot_reads_content = True
        self._subscribers: list[Callable[[Event], None]] = []
        self.bot = self.add_user("painter", bot=True)
        self.application_id = self.bot.id

    # ---- time and ids ----------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Unix seconds, for dates and ids and the windows of rate limits."""
        return self._clock() + self._offset

    def elapsed(self) -> float:
        """Seconds that count against a deadline: those of `advance`, and the machine's own since `use_real_time`."""
        real = 0.0 if self._real_since is None else self._clock() - self._real_since
        return self._offset + real

    @property
    def is_real_time(self) -> bool:
        return self._real_since is not None

    def use_real_time(self) -> None:
        """Let the machine's seconds count against deadlines from now on, as Discord does."""
        self._real_since = self._clock()

    def advance(self, seconds: float) -> None:
        """Let time pass. Interactions that are unanswered for too long then fail, as they do at Discord."""
        self._offset += seconds
        for interaction in list(self.interactions.values()):
            if self._age(interaction) > self.ack_seconds:
                self.fail(interaction)

    def new_id(self) -> int:
        self._last_id = max(self._last_id + 1, (int(self.now() * 1000) - EPOCH_MS) << 22)
        return self._last_id

    # ---- events ----------------------------------------------------------------------------------------------------

    def subscribe(self, subscriber: Callable[[Event], None]) -> Callable[[], None]:
        """Call `subscriber` for every event; returns the way to stop it."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    async def events(self) -> AsyncIterator[Event]:
        """Everything that happens from the first step of the iteration on, in order, until the iteration ends."""
        queue: asyncio.Queue[Event] = asyncio.Queue()
        stop = self.subscribe(queue.put_nowait)
        try:
            while True:
                yield await queue.get()
        finally:
            stop()

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
        """The bits that a user holds in a channel, thread or direct message."""
        if channel.guild_id is None:
            return DIRECT if user_id in (channel.recipient_id, self.bot.id) else 0
        guild = self.guilds[channel.guild_id]
        source = self._source_of(channel)
        return rules.in_channel(user_id, guild, source, self.now(), is_thread=channel.is_thread)

    def guild_permissions(self, user_id: int, guild: Guild) -> int:
        return rules.in_guild(user_id, guild)

    def require(self, user_id: int, channel: Channel, *names: str) -> None:
        """Raise 50001 or 50013 if the user lacks one of the permissions there."""
        held = discord.Permissions(self.permissions(user_id, channel))
        if not held.view_channel:
            raise ApiError(403, 50001, "Missing Access")
        if any(not getattr(held, name) for name in names):
            raise ApiError(403, 50013, "Missing Permissions")

    def require_sending(self, user_id: int, channel: Channel, *names: str) -> None:
        """Raise 50001, 50013 or 50007 if the user can't send a message there, or lacks one of `names`."""
        self.require(user_id, channel, "send_messages_in_threads" if channel.is_thread else "send_messages", *names)
        if channel.recipient_id is not None and not self.users[channel.recipient_id].accepts_dms:
            raise ApiError(403, 50007, "Cannot send messages to this user")

    def can_see(self, user_id: int, channel: Channel) -> bool:
        return bool(self.permissions(user_id, channel) & discord.Permissions.view_channel.flag)

    def is_nsfw(self, channel: Channel) -> bool:
        return self._source_of(channel).nsfw

    def _source_of(self, channel: Channel) -> Channel:
        """The channel whose permissions and age restriction hold: for a thread the one that it belongs to."""
        return self.channels[channel.parent_id] if channel.is_thread and channel.parent_id else channel

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
            key = (message.nonce, message.author_id, message.channel_id)
            message_id, posted_at = self._nonces.get(key, (0, 0.0))
            if message_id in self.messages and self.elapsed() - posted_at < NONCE_SECONDS:
                return self.messages[message_id]
            self._nonces[key] = message.id, self.elapsed()
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
            self.elapsed(),
            payload,
            source_message_id,
        )
        self.interactions[interaction.token] = self.interactions_by_id[interaction.id] = interaction
        return interaction

    def by_token(self, token: str, *, answered: bool) -> Interaction:
        """The interaction of a token, for its first answer or for what follows. Raises as Discord does."""
        interaction = self.interactions.get(token)
        if interaction is None:
            raise ApiError(404, 10015 if answered else 10062, "Unknown Webhook" if answered else "Unknown interaction")
        if answered:
            if self._age(interaction) > self.token_seconds:
                raise ApiError(401, 50027, "Invalid Webhook Token")
            if interaction.acknowledged is None:
                raise ApiError(404, 10015, "Unknown Webhook")
        elif interaction.acknowledged is not None:
            raise ApiError(400, 40060, "Interaction has already been acknowledged.")
        elif interaction.is_missed or self._age(interaction) > self.ack_seconds:
            self.fail(interaction)
            raise ApiError(404, 10062, "Unknown interaction")
        return interaction

    def fail(self, interaction: Interaction) -> None:
        """Give up an interaction that nobody answered in time: from now on Discord takes no answer."""
        if interaction.acknowledged is None and not interaction.is_missed:
            interaction.is_missed = True
            self.tell("INTERACTION_FAILED", {"id": str(interaction.id)}, interaction.channel_id, interaction.user_id)

    def _age(self, interaction: Interaction) -> float:
        return self.elapsed() - interaction.opened_at


def default_world(clock: Callable[[], float] = time.time) -> World:
    """One server: an ordinary, an age-restricted, a prompt and a moderators' channel; two members, one moderator."""
    world = World(clock)
    guild = world.add_guild("Paint Club", world.add_user("rosa"))
    moderators = world.add_role(guild, "moderators", MODERATOR)
    world.add_member(guild, "ana")
    world.add_member(guild, "ben")
    world.add_member(guild, "mira", moderators)
    paintings = world.add_channel(guild, "paintings", topic="Type /imagine and what you would like to see")
    guild.system_channel_id = paintings.id
    world.add_channel(guild, "after-dark", nsfw=True, topic="An age-restricted channel")
    world.add_channel(guild, "prompts", topic="Every message here becomes a picture")
    review = world.add_channel(guild, "mod-review", topic="Moderators only: reports and appeals")
    view = discord.Permissions.view_channel.flag
    review.overwrites = {guild.id: (0, view), moderators.id: (view, 0), world.bot.id: (view, 0)}
    return world
