"""How a message of the bot comes about and changes, whether by its own token or as an answer to an interaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import discord

from sandbox.rest.forms import InvalidForm
from sandbox.rest.rules import message_problems
from sandbox.rest.uploads import Body, take_attachments
from sandbox.world import changes
from sandbox.world.layout import ATTACHMENT, completed, shown_media
from sandbox.world.payloads import bot_message_json
from sandbox.world.things import LOADING, SUPPRESS_EMBEDS, V2, ApiError, Channel, Json, Message
from sandbox.world.world import World

EDITABLE_FLAGS = SUPPRESS_EMBEDS | V2
# What an edit can change of a message.
EDITED = ("content", "embeds", "components", "attachments", "flags", "mentions", "mention_roles", "mention_everyone")


class BotMessages:
    """Builds, edits and announces messages. `base_url()` is where files are served.

    `report` hears of what only the state can tell to be wrong: a picture without its file, a file that isn't there.
    """

    def __init__(self, world: World, base_url: Callable[[], str], report: Callable[[str], None]) -> None:
        self.world, self.base_url, self._report = world, base_url, report

    def build(self, channel_id: int, body: Body, flags: int) -> Message:
        """A new message of the bot, not yet posted. Raises InvalidForm as Discord does."""
        world = self.world
        channel = world.channel(channel_id)
        message = Message(world.new_id(), channel_id, world.bot.id, flags=flags)
        message.attachments = take_attachments(world, body, [])
        message.reference = self._reference(channel, body.data.get("message_reference"))
        self._require_valid(message, body, "a new message")
        self._fill(message, body.data)
        if not flags & LOADING:
            _require_something(message, body.data)
        return message

    def edit(self, message: Message, body: Body) -> Message:
        """Change what is given; `attachments` lists what stays, new files come on top.

        Raises InvalidForm, and then nothing has changed.
        """
        known = {one.id for one in message.attachments}
        for one in body.data.get("attachments") or []:
            if int(one["id"]) not in known and int(one["id"]) not in body.files:
                self._report(f"message {message.id} is said to keep a file {one['id']} that it does not have")
        changed = replace(message, attachments=take_attachments(self.world, body, message.attachments))
        changed.flags = self._edited_flags(message, body.data.get("flags"))
        self._require_valid(changed, body, f"edit of message {message.id}")
        self._fill(changed, body.data)
        if changed.is_v2:
            _require_something(changed, body.data)
        for name in EDITED:
            setattr(message, name, getattr(changed, name))
        message.edited_at, message.edits = self.world.now(), message.edits + 1
        self.announce("MESSAGE_UPDATE", message)
        return message

    def _require_valid(self, message: Message, body: Body, what: str) -> None:
        """Report and raise InvalidForm if the message can't be what the request makes it; flags and files it has."""
        data = body.data
        after = {"content": message.content, "embeds": message.embeds} | data
        components = data.get("components") or []
        problems = list(message_problems(after, components, is_v2=message.is_v2, files=_nameable(message, data)))
        for problem in problems:
            self._report(f"{what}: {problem}")
        if problems:
            raise InvalidForm(problems)

    def _edited_flags(self, message: Message, given: Any) -> int:
        """The flags after an edit: embeds may be hidden or shown, the new components only ever come on top."""
        flags = message.flags & ~LOADING
        if given is None:
            return flags
        if message.is_v2 and not int(given) & V2:
            self._report(f"message {message.id} is asked to lose MessageFlags.IS_COMPONENTS_V2, which it never can")
        return flags & ~SUPPRESS_EMBEDS | int(given) & EDITABLE_FLAGS

    def announce(self, name: str, message: Message) -> None:
        changes.tell_message(self.world, name, message, self.base_url())

    def shown(self, message: Message) -> Json:
        """What the bot gets to see of a message."""
        return bot_message_json(self.world, message, self.base_url())

    def _reference(self, channel: Channel, given: Json | None) -> Json | None:
        if not given:
            return None
        target = self.world.messages.get(int(given["message_id"]))
        if target is None or target.channel_id != channel.id or target.only_for is not None:
            if given.get("fail_if_not_exists", True):
                raise ApiError(400, 50035, "Invalid Form Body: message_reference: Unknown message")
            return None
        self.world.require(self.world.bot.id, channel, "read_message_history")
        reference = {"type": 0, "message_id": str(target.id), "channel_id": str(channel.id)}
        return reference if channel.guild_id is None else reference | {"guild_id": str(channel.guild_id)}

    def _fill(self, message: Message, data: Json) -> None:
        if "content" in data:
            message.content = data["content"] or ""
        if "embeds" in data:
            message.embeds = data["embeds"] or []
        if "components" in data:
            ids = {one.filename: one.id for one in message.attachments}
            message.components = completed(data["components"] or [], ids)
        set_mentions(self.world, message, data.get("allowed_mentions"))
        if "embeds" in data or "components" in data:
            for url in dangling(message):
                self._report(f"message {message.id} shows {url}, which is none of its files")


def dangling(message: Message) -> list[str]:
    """`attachment://` addresses in embeds and components that name no file of the message."""
    names, ids = {one.filename for one in message.attachments}, {one.id for one in message.attachments}
    urls = [url for url in _addresses(message.embeds) if url.removeprefix(ATTACHMENT) not in names]
    for _, media in shown_media(message.components):
        if media.get("attachment_id") not in ids:
            urls.append(str(media["url"]))
    return [url for url in urls if url.startswith(ATTACHMENT)]


def _addresses(part: Any) -> list[str]:
    if isinstance(part, list):
        return [url for one in part for url in _addresses(one)]
    if not isinstance(part, dict):
        return []
    own = [part["url"]] if isinstance(part.get("url"), str) else []
    return own + [url for value in part.values() for url in _addresses(value)]


def _nameable(message: Message, data: Json) -> set[str]:
    """What `attachment://` can name: new files, and old ones unless they are listed to stay without their name."""
    nameless = {int(one["id"]) for one in data.get("attachments") or [] if not one.get("filename")}
    return {one.filename for one in message.attachments if one.id not in nameless}


def _require_something(message: Message, data: Json) -> None:
    """A message of the new components shows nothing but those; files alone are not enough."""
    has_something = message.content or message.embeds or message.components
    has_something = has_something or (message.attachments and not message.is_v2)
    if not (has_something or data.get("sticker_ids") or data.get("poll")):
        raise ApiError(400, 50006, "Cannot send an empty message")


def set_mentions(world: World, message: Message, allowed: Json | None) -> None:
    """Who is pinged: those named in content or text displays, as far as `allowed_mentions` and permissions let them."""
    if allowed is not None and "users" in (allowed.get("parse") or []) and allowed.get("users"):
        raise ApiError(400, 50035, "Invalid Form Body: allowed_mentions: parse and users are mutually exclusive")
    channel = world.channels[message.channel_id]
    guild = world.guilds[channel.guild_id] if channel.guild_id else None
    words = message.text
    people = [user.id for user in world.users.values() if _names(words, "@", user.id)]
    roles = [role for role in guild.roles if _names(words, "@&", role)] if guild else []
    message.mentions = _allowed("users", people, allowed)
    message.mention_roles = _allowed("roles", roles, allowed)
    may = world.permissions(message.author_id, channel) & discord.Permissions.mention_everyone.flag
    is_open = allowed is None or "everyone" in (allowed.get("parse") or [])
    message.mention_everyone = bool(may and is_open and any(w in words for w in ("@everyone", "@here")))
    if message.reference and (allowed is None or allowed.get("replied_user")):
        target = world.messages.get(int(message.reference["message_id"]))
        if target is not None and target.author_id not in message.mentions:
            message.mentions.append(target.author_id)


def _names(content: str, mark: str, thing_id: int) -> bool:
    return f"<{mark}{thing_id}>" in content or f"<{mark}!{thing_id}>" in content


def _allowed(kind: str, named: list[int], allowed: Json | None) -> list[int]:
    if allowed is None or kind in (allowed.get("parse") or []):
        return named
    listed = {str(one) for one in allowed.get(kind) or []}
    return [one for one in named if str(one) in listed]
