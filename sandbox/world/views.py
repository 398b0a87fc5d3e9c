"""What one user sees of the world, as plain JSON: a snapshot, and what happens from then on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from sandbox.world.payloads import channel_json, message_json, user_json
from sandbox.world.things import DM, Channel, Event, Json, Message
from sandbox.world.world import World


def view(world: World, user_id: int, base_url: str, commands: Callable[[Channel], list[Json]]) -> Json:
    """Channels in which the user may look, with their messages (ephemeral ones of this user too) and commands."""
    channels = [one for one in world.channels.values() if world.can_see(user_id, one)]
    return {
        "user": user_json(world.users[user_id]),
        "guilds": [
            {"id": str(guild.id), "name": guild.name} for guild in world.guilds.values() if user_id in guild.members
        ],
        "channels": [_channel_view(world, one, user_id, base_url, commands(one)) for one in channels],
    }


def _channel_view(world: World, channel: Channel, user_id: int, base_url: str, commands: list[Json]) -> Json:
    messages = [message_view(world, one, base_url) for one in world.history(channel.id, user_id)]
    kind = kind_of(channel)
    shown = {"kind": kind, "is_nsfw": world.is_nsfw(channel), "commands": commands, "messages": messages}
    return channel_json(world, channel) | shown | {"name": world.bot.name if kind == "dm" else channel.name}


def kind_of(channel: Channel) -> str:
    """What a client draws: direct messages, a thread, or an ordinary channel."""
    if channel.type == DM:
        return "dm"
    return "thread" if channel.is_thread else "text"


def message_view(world: World, message: Message, base_url: str) -> Json:
    """A message with what a client draws beside it: only you can see this, the bot is thinking."""
    shown = {"is_ephemeral": message.only_for is not None, "is_thinking": message.is_thinking}
    return message_json(world, message, base_url) | shown


def is_before(world: World, user_id: int, event: Event) -> bool:
    """Whether an event happens before this user's eyes. Interactions are between a user and the bot."""
    if event.name == "INTERACTION_CREATE":
        person = event.data.get("user") or event.data["member"]["user"]
        return person["id"] == str(user_id)
    if event.only_for not in (None, user_id) and event.name != "COMMANDS":
        return False
    channel = world.channels.get(event.channel_id or 0)
    return channel is None or world.can_see(user_id, channel)


async def events(world: World, user_id: int) -> AsyncIterator[Json]:
    """`{"name", "channel_id", "only_for", "data"}` of everything that this user sees happen."""
    async for event in world.events():
        if is_before(world, user_id, event):
            channel_id = str(event.channel_id) if event.channel_id else None
            yield {"name": event.name, "channel_id": channel_id, "only_for": event.only_for, "data": event.data}
