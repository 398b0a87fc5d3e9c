"""State as the JSON that Discord's API and gateway send. `base_url` is where the loopback server answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sandbox.world import DM, THREAD, Attachment, Channel, Guild, Interaction, Message, Role, User, World

Json = dict[str, Any]


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
    return {
        "user": user_json(world.users[user_id]),
        "nick": None,
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
    if channel.type == THREAD:
        stamp = iso(world.now())
        return data | {
            "owner_id": str(channel.owner_id),
            "message_count": 0,
            "member_count": 1,
            "thread_metadata": {
                "archived": False,
                "auto_archive_duration": 1440,
                "archive_timestamp": stamp,
                "locked": False,
            },
        }
    overwrites = [
        {"id": str(key), "type": 0 if key in _role_ids(world, channel) else 1, "allow": str(allow), "deny": str(deny)}
        for key, (allow, deny) in channel.overwrites.items()
    ]
    return data | {"permission_overwrites": overwrites}


def _role_ids(world: World, channel: Channel) -> set[int]:
    return set(world.guilds[channel.guild_id].roles) if channel.guild_id else set()


def guild_json(world: World, guild: Guild) -> Json:
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
        "members": [member_json(world, guild, user_id) for user_id in guild.members],
        "member_count": len(guild.members),
        "channels": [channel_json(world, channel) for channel in channels if channel.type != THREAD],
        "threads": [channel_json(world, channel) for channel in channels if channel.type == THREAD],
        "presences": [],
        "voice_states": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "large": False,
        "unavailable": False,
        "joined_at": "2026-01-01T00:00:00+00:00",
    }


def attachment_json(attachment: Attachment, channel_id: int, base_url: str) -> Json:
    url = f"{base_url}/attachments/{channel_id}/{attachment.id}/{attachment.filename}"
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


def message_json(world: World, message: Message, base_url: str, *, blank: bool = False) -> Json:
    """`blank` leaves the content out, as for a bot without the message content intent."""
    channel = world.channels[message.channel_id]
    data: Json = {
        "id": str(message.id),
        "channel_id": str(message.channel_id),
        "author": user_json(world.users[message.author_id]),
        "content": "" if blank else message.content,
        "embeds": [] if blank else _embeds(message, base_url),
        "components": [] if blank else message.components,
        "attachments": []
        if blank
        else [attachment_json(one, message.channel_id, base_url) for one in message.attachments],
        "timestamp": iso(message.created_at),
        "edited_timestamp": iso(message.edited_at) if message.edited_at else None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [user_json(world.users[user_id]) for user_id in message.mentions],
        "mention_roles": [],
        "pinned": False,
        "type": 19 if message.reference else 20 if message.interaction_id else 0,
        "flags": message.flags,
        "reactions": [
            {"emoji": {"id": None, "name": name}, "count": len(users), "me": world.bot.id in users}
            for name, users in message.reactions.items()
            if users
        ],
    }
    if message.nonce is not None:
        data["nonce"] = message.nonce
    if channel.guild_id is not None:
        data["guild_id"] = str(channel.guild_id)
        guild = world.guilds[channel.guild_id]
        if message.author_id in guild.members:
            member = member_json(world, guild, message.author_id)
            del member["user"]
            data["member"] = member
    if message.reference:
        data["message_reference"] = message.reference
        target = world.messages.get(int(message.reference["message_id"]))
        data["referenced_message"] = message_json(world, target, base_url) if target else None
    if message.author_id == world.bot.id:
        data["application_id"] = str(world.application_id)
    return data


def _embeds(message: Message, base_url: str) -> list[Json]:
    """Embeds with `attachment://name` resolved to the file's address."""
    urls = {
        f"attachment://{one.filename}": attachment_json(one, message.channel_id, base_url)["url"]
        for one in message.attachments
    }

    def resolve(embed: Json) -> Json:
        embed = {"type": "rich", **embed}
        for key in ("image", "thumbnail"):
            if key in embed and embed[key].get("url") in urls:
                embed[key] = {**embed[key], "url": urls[embed[key]["url"]], "width": 256, "height": 256}
        return embed

    return [resolve(embed) for embed in message.embeds]


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
        **interaction.payload,
    }
    if channel.guild_id is None:
        data |= {"user": user_json(user), "context": 1, "authorizing_integration_owners": {"0": "0"}}
    else:
        guild = world.guilds[channel.guild_id]
        member = member_json(world, guild, user.id) | {"permissions": str(world.permissions(user.id, channel))}
        data |= {
            "guild_id": str(guild.id),
            "guild_locale": "en-US",
            "guild": {"id": str(guild.id), "locale": "en-US", "features": []},
            "member": member,
            "context": 0,
            "authorizing_integration_owners": {"0": str(guild.id)},
        }
    if interaction.source_message_id is not None:
        data["message"] = message_json(world, world.messages[interaction.source_message_id], base_url)
    return data
