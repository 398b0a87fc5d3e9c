"""Changes of servers, channels, roles and members, each told to the bot and to everybody who watches.

People's hands and the bot's routes use the same functions, so a change looks the same from wherever it comes.
"""

from __future__ import annotations

from typing import Any

from sandbox.world.payloads import channel_json, emoji_json, guild_json, member_json, message_json, role_json, user_json
from sandbox.world.permissions import BOT_NEEDS
from sandbox.world.things import Channel, Guild, Json, Message, Role, User
from sandbox.world.world import World

# ---- servers ----


def invite_bot(world: World, guild: Guild, permissions: int | None = None) -> None:
    """Put the bot into a server (with the permissions its invite link asks for, or others) and tell it."""
    role = world.add_role(guild, world.bot.name, BOT_NEEDS if permissions is None else permissions)
    guild.members[world.bot.id] = [role.id]
    world.tell("GUILD_CREATE", guild_json(world, guild))


def remove_bot(world: World, guild: Guild) -> None:
    guild.members.pop(world.bot.id, None)
    world.tell("GUILD_DELETE", {"id": str(guild.id)})


# ---- members and roles ----


def join(world: World, guild: Guild, name: str, *roles: Role) -> User:
    """A new member."""
    user = world.add_member(guild, name, *roles)
    world.tell("GUILD_MEMBER_ADD", member_json(world, guild, user.id) | {"guild_id": str(guild.id)})
    return user


def leave(world: World, guild: Guild, user_id: int) -> None:
    del guild.members[user_id]
    data = {"guild_id": str(guild.id), "user": user_json(world.users[user_id])}
    world.tell("GUILD_MEMBER_REMOVE", data)


def set_roles(world: World, guild: Guild, user_id: int, role_ids: list[int]) -> None:
    guild.members[user_id] = role_ids
    tell_member(world, guild, user_id)


def time_out(world: World, guild: Guild, user_id: int, until: float | None) -> None:
    """Let a member only look until this Unix time; None ends it."""
    guild.timeouts.pop(user_id, None)
    if until is not None:
        guild.timeouts[user_id] = until
    tell_member(world, guild, user_id)


def tell_member(world: World, guild: Guild, user_id: int) -> None:
    world.tell("GUILD_MEMBER_UPDATE", member_json(world, guild, user_id) | {"guild_id": str(guild.id)})


def add_role(world: World, guild: Guild, name: str, permissions: int = 0) -> Role:
    role = world.add_role(guild, name, permissions)
    world.tell("GUILD_ROLE_CREATE", {"guild_id": str(guild.id), "role": role_json(role)})
    return role


def edit_role(
    world: World, guild: Guild, role: Role, *, permissions: int | None = None, name: str | None = None
) -> None:
    role.permissions = role.permissions if permissions is None else permissions
    role.name = name or role.name
    world.tell("GUILD_ROLE_UPDATE", {"guild_id": str(guild.id), "role": role_json(role)})


def delete_role(world: World, guild: Guild, role_id: int) -> None:
    del guild.roles[role_id]
    for held in guild.members.values():
        if role_id in held:
            held.remove(role_id)
    world.tell("GUILD_ROLE_DELETE", {"guild_id": str(guild.id), "role_id": str(role_id)})


# ---- channels and threads ----


def add_channel(world: World, guild: Guild, name: str, **fields: Any) -> Channel:
    """A new text channel; `fields` are those of `Channel`."""
    channel = world.add_channel(guild, name)
    _set(channel, fields)
    world.tell("CHANNEL_CREATE", channel_json(world, channel), channel.id)
    return channel


def edit_channel(world: World, channel: Channel, **fields: Any) -> None:
    """Change a channel's or thread's fields: `nsfw`, `name`, `topic`, `overwrites`, `is_archived` ..."""
    _set(channel, fields)
    world.tell("THREAD_UPDATE" if channel.is_thread else "CHANNEL_UPDATE", channel_json(world, channel), channel.id)


def _set(channel: Channel, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        if not hasattr(channel, name):
            raise AttributeError(f"a channel has no {name}")
        setattr(channel, name, value)


def delete_channel(world: World, channel: Channel) -> Json:
    """Delete a channel with its threads and messages; what it was."""
    for thread in [one for one in world.channels.values() if one.parent_id == channel.id and one.is_thread]:
        delete_channel(world, thread)
    data = channel_json(world, channel)
    name = "THREAD_DELETE" if channel.is_thread else "CHANNEL_DELETE"
    world.tell(name, data, channel.id)
    del world.channels[channel.id]
    for message in [one for one in world.messages.values() if one.channel_id == channel.id]:
        del world.messages[message.id]
    return data


def open_thread(world: World, parent: Channel, name: str, owner_id: int, kind: int, start: Message | None) -> Channel:
    """A thread of `parent`, from a message or on its own. Like Discord's, a message's thread has the message's id."""
    thread = Channel(start.id if start else world.new_id(), kind, name, parent.guild_id)
    thread.parent_id, thread.owner_id, thread.thread_members = parent.id, owner_id, [owner_id]
    if start is not None:
        start.thread_id = thread.id
    world.channels[thread.id] = thread
    world.tell("THREAD_CREATE", channel_json(world, thread) | {"newly_created": True}, thread.id)
    return thread


# ---- messages ----


def tell_message(world: World, name: str, message: Message, base_url: str) -> None:
    """A message came or changed."""
    world.tell(name, message_json(world, message, base_url), message.channel_id, message.only_for)


def delete_messages(world: World, channel: Channel, messages: list[Message]) -> None:
    """Many at once, told as one event."""
    for message in messages:
        del world.messages[message.id]
    data: Json = {"ids": [str(message.id) for message in messages], "channel_id": str(channel.id)}
    if channel.guild_id is not None:
        data["guild_id"] = str(channel.guild_id)
    world.tell("MESSAGE_DELETE_BULK", data, channel.id)


def react(world: World, message: Message, emoji: str, user_id: int) -> None:
    users = message.reactions.setdefault(emoji, [])
    if user_id not in users:
        users.append(user_id)
        _tell_reaction(world, "MESSAGE_REACTION_ADD", message, emoji, user_id)


def unreact(world: World, message: Message, emoji: str, user_id: int) -> None:
    if user_id in message.reactions.get(emoji, []):
        message.reactions[emoji].remove(user_id)
        _tell_reaction(world, "MESSAGE_REACTION_REMOVE", message, emoji, user_id)


def _tell_reaction(world: World, name: str, message: Message, emoji: str, user_id: int) -> None:
    channel = world.channels[message.channel_id]
    data: Json = {
        "user_id": str(user_id),
        "channel_id": str(channel.id),
        "message_id": str(message.id),
        "message_author_id": str(message.author_id),
        "emoji": emoji_json(emoji),
        "type": 0,
        "burst": False,
    }
    if channel.guild_id is not None:
        guild = world.guilds[channel.guild_id]
        data["guild_id"] = str(guild.id)
        if name.endswith("ADD") and user_id in guild.members:
            data["member"] = member_json(world, guild, user_id)
    world.tell(name, data, channel.id)
