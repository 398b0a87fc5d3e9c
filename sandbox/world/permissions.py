"""Who may do what: Discord's permission rules over the world's state."""

from __future__ import annotations

import discord

from sandbox.world.things import Channel, Guild

Permissions = discord.Permissions

WRITING_NAMES = ("view_channel", "send_messages", "send_messages_in_threads", "create_public_threads", "embed_links",
                 "attach_files", "read_message_history")  # fmt: skip
WRITING = Permissions(**dict.fromkeys(WRITING_NAMES, True)).value
EVERYONE = WRITING | Permissions(add_reactions=True, use_application_commands=True).value
# What README.md's invite link asks for, and nothing else: the tests would show that something is missing.
BOT_NEEDS = WRITING | Permissions.manage_messages.flag
MODERATOR = EVERYONE | Permissions(manage_messages=True, manage_guild=True, moderate_members=True).value
ALL = Permissions.all().value
# In direct messages nobody manages anything.
DIRECT = EVERYONE & ~Permissions(create_public_threads=True, send_messages_in_threads=True).value
TIMED_OUT = Permissions(view_channel=True, read_message_history=True).value
# Those who may not send may not send these either.
NEEDS_SENDING = Permissions(attach_files=True, embed_links=True, mention_everyone=True, send_tts_messages=True).value


def in_guild(user_id: int, guild: Guild) -> int:
    """A member's permissions in the whole server: those of everyone and of the member's roles."""
    if user_id == guild.owner_id:
        return ALL
    base = guild.roles[guild.id].permissions
    for role_id in guild.members.get(user_id, []):
        base |= guild.roles[role_id].permissions
    return ALL if base & Permissions.administrator.flag else base


def in_channel(user_id: int, guild: Guild, source: Channel, now: float, *, is_thread: bool = False) -> int:
    """A member's permissions in a channel; for a thread `source` is the channel it belongs to.

    Discord's order: everyone, roles, then the channel's overwrites for everyone, for roles together, for the member.
    """
    if user_id not in guild.members:
        return 0
    base = in_guild(user_id, guild)
    if base & Permissions.administrator.flag:
        return ALL
    for group in ([guild.id], guild.members[user_id], [user_id]):
        allow = deny = 0
        for key in group:
            one_allow, one_deny = source.overwrites.get(key, (0, 0))
            allow, deny = allow | one_allow, deny | one_deny
        base = base & ~deny | allow
    return _implied(base, is_timed_out=guild.timeouts.get(user_id, 0.0) > now, is_thread=is_thread)


def _implied(base: int, *, is_timed_out: bool, is_thread: bool) -> int:
    """Without seeing a channel nothing, without sending no files; timed out only looking."""
    if not base & Permissions.view_channel.flag:
        return 0
    send = Permissions.send_messages_in_threads if is_thread else Permissions.send_messages
    if not base & send.flag:
        base &= ~NEEDS_SENDING
    return base & TIMED_OUT if is_timed_out else base
