"""State as the JSON that Discord's API and gateway send. `base_url` is where the loopback server answers."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from sandbox.world.component_json import component_json, embed_media_json, without_shown
from sandbox.world.things import DM, Attachment, Channel, Guild, Interaction, Json, Message, Role, User
from sandbox.world.world import World

COMMAND, COMPONENT = 2, 3
REPLY, SLASH_ANSWER, MENU_ANSWER = 19, 20, 23
EMBED_PICTURES = ("image", "thumbnail")


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def user_json(user: User) -> Json:
    return {
        "id": str(user.id),
        "username": user.name,
        "global_name": None if user.bot else user.name.capitalize(),
        "discriminator": "0000" if user.bot else "0",
        "avatar": None,
        "bot": user.bot,
        "public_flags": 0,
    }


def role_json(role: Role) -> Json:
    return {
        "id": str(role.id),
        "name": role.name,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "position": role.position,
        "permissions": str(role.permissions),
        "managed": False,
        "mentionable": False,
        "flags": 0,
    }


def member_json(world: World, guild: Guild, user_id: int) -> Json:
    until = guild.timeouts.get(user_id)
    return {
        "user": user_json(world.users[user_id]),
        "nick": guild.nicknames.get(user_id),
        "communication_disabled_until": iso(until) if until else None,
        "roles": [str(role_id) for role_id in guild.members[user_id]],
        "joined_at": "2026-01-01T00:00:00+00:00",
        "deaf": False,
        "mute": False,
        "flags": 0,
        "avatar": None,
    }


def channel_json(world: World, channel: Channel) -> Json:
    data: Json = {"id": str(channel.id), "type": channel.type, "flags": 0, "last_message_id": None}
    if channel.type == DM:
        assert channel.recipient_id is not None
        return data | {"recipients": [user_json(world.users[channel.recipient_id])]}
    data |= {
        "guild_id": str(channel.guild_id),
        "name": channel.name,
        "position": 0,
        "nsfw": channel.nsfw,
        "parent_id": str(channel.parent_id) if channel.parent_id else None,
        "rate_limit_per_user": channel.slowmode_seconds,
        "topic": channel.topic,
    }
    if channel.is_thread:
        return data | _thread_json(world, channel)
    overwrites = [
        {"id": str(key), "type": 0 if key in _role_ids(world, channel) else 1, "allow": str(allow), "deny": str(deny)}
        for key, (allow, deny) in channel.overwrites.items()
    ]
    return data | {"permission_overwrites": overwrites}


def _thread_json(world: World, thread: Channel) -> Json:
    data: Json = {
        "owner_id": str(thread.owner_id),
        "message_count": sum(one.channel_id == thread.id for one in world.messages.values()),
        "member_count": len(thread.thread_members),
        "thread_metadata": {
            "archived": thread.is_archived,
            "auto_archive_duration": 1440,
            "archive_timestamp": iso(world.now()),
            "locked": thread.is_locked,
        },
    }
    if world.bot.id in thread.thread_members:
        data["member"] = thread_member_json(world, thread, world.bot.id)
    return data


def thread_member_json(world: World, thread: Channel, user_id: int) -> Json:
    return {"id": str(thread.id), "user_id": str(user_id), "join_timestamp": iso(world.now()), "flags": 0}


def _role_ids(world: World, channel: Channel) -> set[int]:
    return set(world.guilds[channel.guild_id].roles) if channel.guild_id else set()


def guild_json(world: World, guild: Guild, *, with_members: bool = True) -> Json:
    """`with_members` is what the members intent changes: without it a bot is told of itself only."""
    members = list(guild.members) if with_members else [world.bot.id]
    channels = [channel for channel in world.channels.values() if channel.guild_id == guild.id]
    return {
        "id": str(guild.id),
        "name": guild.name,
        "owner_id": str(guild.owner_id),
        "icon": None,
        "splash": None,
        "banner": None,
        "features": [],
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "preferred_locale": "en-US",
        "afk_timeout": 300,
        "afk_channel_id": None,
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw_level": 0,
        "system_channel_id": str(guild.system_channel_id) if guild.system_channel_id else None,
        "system_channel_flags": 0,
        "rules_channel_id": None,
        "emojis": [],
        "stickers": [],
        "roles": [role_json(role) for role in guild.roles.values()],
        "members": [member_json(world, guild, user_id) for user_id in members],
        "member_count": len(guild.members),
        "channels": [channel_json(world, channel) for channel in channels if not channel.is_thread],
        "threads": [channel_json(world, channel) for channel in channels if channel.is_thread],
        "presences": [],
        "voice_states": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "large": False,
        "unavailable": False,
        "joined_at": "2026-01-01T00:00:00+00:00",
    }


def attachment_json(attachment: Attachment, channel_id: int, base_url: str) -> Json:
    url = f"{base_url}/attachments/{channel_id}/{attachment.id}/{quote(attachment.filename)}"
    data: Json = {
        "id": str(attachment.id),
        "filename": attachment.filename,
        "size": len(attachment.data),
        "url": url,
        "proxy_url": url,
        "content_type": attachment.content_type,
    }
    if attachment.description:
        data["description"] = attachment.description
    if attachment.size:
        data["width"], data["height"] = attachment.size
    return data


def bot_message_json(world: World, message: Message, base_url: str) -> Json:
    """A message as the bot gets it: without others' words where the intent is missing, and without the files that
    an embed or a component shows, which Discord does not list as attachments."""
    channel, bot_id = world.channels[message.channel_id], world.bot.id
    is_ours = message.author_id == bot_id or bot_id in message.mentions or channel.type == DM
    data = message_json(world, message, base_url, blank=not (is_ours or world.bot_reads_content))
    return without_embedded(data)


def without_embedded(data: Json) -> Json:
    shown = {embed[key]["url"] for embed in data["embeds"] for key in EMBED_PICTURES if key in embed}
    return without_shown(data | {"attachments": [one for one in data["attachments"] if one["url"] not in shown]})


def message_json(world: World, message: Message, base_url: str, *, blank: bool = False) -> Json:
    """`blank` leaves the content out, as for a bot without the message content intent."""
    files = [attachment_json(one, message.channel_id, base_url) for one in message.attachments]
    data: Json = {
        "id": str(message.id),
        "channel_id": str(message.channel_id),
        "author": user_json(world.users[message.author_id]),
        "content": "" if blank else message.content,
        "embeds": [] if blank else [_embed_json(embed, files) for embed in message.embeds],
        "components": [] if blank else [component_json(one, files) for one in message.components],
        "attachments": [] if blank else files,
        "timestamp": iso(message.created_at),
        "edited_timestamp": iso(message.edited_at) if message.edited_at else None,
        "tts": False,
        "mention_everyone": message.mention_everyone,
        "mentions": [user_json(world.users[user_id]) for user_id in message.mentions],
        "mention_roles": [str(role_id) for role_id in message.mention_roles],
        "pinned": message.is_pinned,
        "type": REPLY if message.reference else 0,
        "flags": message.flags,
        "reactions": reactions_json(world, message),
    }
    if message.nonce is not None:
        data["nonce"] = message.nonce
    if message.author_id == world.bot.id:
        data["application_id"] = str(world.application_id)
    if message.thread_id in world.channels:
        data["thread"] = channel_json(world, world.channels[message.thread_id])
    return data | _place_json(world, message) | _origin_json(world, message, base_url)


def _place_json(world: World, message: Message) -> Json:
    channel = world.channels[message.channel_id]
    if channel.guild_id is None:
        return {}
    guild = world.guilds[channel.guild_id]
    data: Json = {"guild_id": str(guild.id)}
    if message.author_id in guild.members:
        data["member"] = member_json(world, guild, message.author_id)
        del data["member"]["user"]
    return data


def _origin_json(world: World, message: Message, base_url: str) -> Json:
    """What a message replies to, or which interaction it answers."""
    data: Json = {}
    interaction = world.interactions_by_id.get(message.interaction_id or 0)
    if interaction is not None:
        data["interaction_metadata"] = {
            "id": str(interaction.id),
            "type": interaction.type,
            "user": user_json(world.users[interaction.user_id]),
            "authorizing_integration_owners": _owners(interaction),
        }
        data["webhook_id"] = str(world.application_id)
        if interaction.type == COMMAND:
            is_slash = interaction.payload["data"]["type"] == 1
            data["type"] = SLASH_ANSWER if is_slash else MENU_ANSWER
    if message.reference:
        data["message_reference"] = message.reference
        target = world.messages.get(int(message.reference["message_id"]))
        shown = bot_message_json(world, target, base_url) if target else None
        data["referenced_message"] = shown
    return data


def _owners(interaction: Interaction) -> Json:
    return {"0": str(interaction.guild_id or 0)}


def reactions_json(world: World, message: Message) -> list[Json]:
    return [
        {"emoji": emoji_json(name), "count": len(users), "me": world.bot.id in users, "me_burst": False,
         "burst_colors": [], "count_details": {"burst": 0, "normal": len(users)}}
        for name, users in message.reactions.items()
        if users
    ]  # fmt: skip


def emoji_json(name: str) -> Json:
    """An emoji as routes write it: itself, or `name:id` for a server's own."""
    label, _, number = name.partition(":")
    return {"id": number or None, "name": label}


def _embed_json(embed: Json, files: list[Json]) -> Json:
    """An embed with `attachment://name` resolved to the file's address."""
    embed = {"type": "rich", **embed}
    for key in EMBED_PICTURES:
        if key in embed:
            embed[key] = embed_media_json(embed[key], files)
    return embed


def interaction_json(world: World, interaction: Interaction, base_url: str) -> Json:
    channel = world.channels[interaction.channel_id]
    user = world.users[interaction.user_id]
    data: Json = {
        "id": str(interaction.id),
        "application_id": str(world.application_id),
        "token": interaction.token,
        "version": 1,
        "channel_id": str(channel.id),
        "channel": channel_json(world, channel) | {"permissions": str(world.permissions(user.id, channel))},
        "locale": user.locale,
        "entitlements": [],
        "app_permissions": str(world.permissions(world.bot.id, channel)),
        "attachment_size_limit": world.upload_limit,
        "authorizing_integration_owners": _owners(interaction),
        **interaction.payload,
    }
    if channel.guild_id is None:
        data |= {"user": user_json(user), "context": 1}
    else:
        guild = world.guilds[channel.guild_id]
        member = member_json(world, guild, user.id) | {"permissions": str(world.permissions(user.id, channel))}
        data |= {
            "guild_id": str(guild.id),
            "guild_locale": "en-US",
            "guild": {"id": str(guild.id), "locale": "en-US", "features": []},
            "member": member,
            "context": 0,
        }
    if interaction.source_message_id is not None:
        source = world.messages[interaction.source_message_id]
        data["message"] = without_embedded(message_json(world, source, base_url))
    return data
