"""Routes of messages with the bot's own token: history, posting, editing, deleting, pins, reactions."""

from __future__ import annotations

from aiohttp import web

from sandbox.rest.routing import Route, Routes, id_in, nothing
from sandbox.rest.uploads import read_body
from sandbox.world import changes
from sandbox.world.payloads import iso, user_json
from sandbox.world.things import DM, SILENT, SUPPRESS_EMBEDS, V2, ApiError, Json, Message

MAX_AT_ONCE = 100
BULK_SECONDS = 14 * 86400


class MessageRoutes(Routes):
    def routes(self) -> list[Route]:
        messages, pins = "/channels/{channel_id}/messages", "/channels/{channel_id}/messages/pins"
        message = messages + "/{message_id}"
        reaction = message + "/reactions/{emoji}"
        return [
            ("GET", messages, self.history),
            ("POST", messages, self.create),
            ("POST", messages + "/bulk-delete", self.delete_many),
            ("GET", pins, self.pins),
            ("PUT", pins + "/{message_id}", self.pin),
            ("DELETE", pins + "/{message_id}", self.unpin),
            ("GET", message, self.message),
            ("PATCH", message, self.edit),
            ("DELETE", message, self.delete),
            ("PUT", reaction + "/@me", self.react),
            ("DELETE", reaction + "/@me", self.unreact),
            ("DELETE", reaction + "/{user_id}", self.remove_reaction),
            ("GET", reaction, self.reactions),
            ("DELETE", reaction, self.clear_emoji),
            ("DELETE", message + "/reactions", self.clear_reactions),
        ]

    # ---- reading ---------------------------------------------------------------------------------------------------

    async def history(self, request: web.Request) -> list[Json]:
        """Newest first; `after` takes the oldest ones after it, `before` and neither the newest."""
        channel = self.channel_of(request, "read_message_history")
        limit = int(request.query.get("limit", 50))
        if not 1 <= limit <= MAX_AT_ONCE:
            raise ApiError(400, 50035, "Invalid Form Body: limit is from 1 to 100")
        after, before = int(request.query.get("after", 0)), int(request.query.get("before", 1 << 63))
        messages = [one for one in self.world.history(channel.id, 0) if after < one.id < before]
        chosen = messages[:limit] if "after" in request.query else messages[-limit:]
        return [self.bot_messages.shown(message) for message in reversed(chosen)]

    async def message(self, request: web.Request) -> Json:
        channel = self.channel_of(request, "read_message_history")
        return self.bot_messages.shown(self.message_of(request, channel))

    # ---- writing ---------------------------------------------------------------------------------------------------

    async def create(self, request: web.Request) -> Json:
        """Post; the same nonce within a few minutes gives the first message back (with `enforce_nonce`)."""
        body = await read_body(request)
        channel = self.world.channel(id_in(request, "channel_id"))
        needs = (["embed_links"] if body.data.get("embeds") else []) + (["attach_files"] if body.files else [])
        self.world.require_sending(self.world.bot.id, channel, *needs)
        if channel.is_thread and channel.is_locked:
            raise ApiError(400, 50083, "Thread is archived")
        flags = int(body.data.get("flags", 0)) & (SUPPRESS_EMBEDS | V2 | SILENT)
        message = self.bot_messages.build(channel.id, body, flags)
        message.nonce = str(body.data["nonce"]) if body.data.get("enforce_nonce") else None
        posted = self.world.post(message)
        if posted is message:
            channel.is_archived = False
            self.bot_messages.announce("MESSAGE_CREATE", message)
        return self.bot_messages.shown(posted)

    async def edit(self, request: web.Request) -> Json:
        body, channel = await read_body(request), self.channel_of(request)
        message = self.message_of(request, channel)
        if message.author_id == self.world.bot.id:
            return self.bot_messages.shown(self.bot_messages.edit(message, body))
        if set(body.data) - {"flags"} or body.files:
            raise ApiError(403, 50005, "Cannot edit a message authored by another user")
        self.world.require(self.world.bot.id, channel, "manage_messages")
        return self.bot_messages.shown(self.bot_messages.edit(message, body))

    async def delete(self, request: web.Request) -> web.Response:
        channel = self.channel_of(request)
        message = self.message_of(request, channel)
        if message.author_id != self.world.bot.id:
            if channel.type == DM:
                raise ApiError(403, 50003, "Cannot execute action on a DM channel")
            self.world.require(self.world.bot.id, channel, "manage_messages")
        self.world.delete(message)
        return nothing()

    async def delete_many(self, request: web.Request) -> web.Response:
        channel, data = self.channel_of(request, "manage_messages"), (await read_body(request)).data
        wanted = {int(one) for one in data["messages"]}
        if not 2 <= len(wanted) <= MAX_AT_ONCE:
            raise ApiError(400, 50016, "Provided too few or too many messages to delete")
        found = [one for one in self.world.history(channel.id, 0) if one.id in wanted]
        if any(self.world.now() - one.created_at > BULK_SECONDS for one in found):
            raise ApiError(400, 50034, "You can only bulk delete messages that are under 14 days old.")
        changes.delete_messages(self.world, channel, found)
        return nothing()

    # ---- pins ------------------------------------------------------------------------------------------------------

    async def pins(self, request: web.Request) -> Json:
        channel = self.channel_of(request)
        pinned = [one for one in self.world.history(channel.id, 0) if one.is_pinned]
        items = [
            {"pinned_at": iso(one.created_at), "message": self.bot_messages.shown(one)} for one in reversed(pinned)
        ]
        return {"items": items, "has_more": False}

    async def pin(self, request: web.Request) -> web.Response:
        return self._set_pin(request, is_pinned=True)

    async def unpin(self, request: web.Request) -> web.Response:
        return self._set_pin(request, is_pinned=False)

    def _set_pin(self, request: web.Request, *, is_pinned: bool) -> web.Response:
        message = self.message_of(request, self.channel_of(request, "manage_messages"))
        message.is_pinned = is_pinned
        self.bot_messages.announce("MESSAGE_UPDATE", message)
        return nothing()

    # ---- reactions -------------------------------------------------------------------------------------------------

    async def react(self, request: web.Request) -> web.Response:
        message, emoji = self._reacted(request, "read_message_history")
        if not message.reactions.get(emoji):
            self.channel_of(request, "add_reactions")
        changes.react(self.world, message, emoji, self.world.bot.id)
        return nothing()

    async def unreact(self, request: web.Request) -> web.Response:
        changes.unreact(self.world, *self._reacted(request), self.world.bot.id)
        return nothing()

    async def remove_reaction(self, request: web.Request) -> web.Response:
        changes.unreact(self.world, *self._reacted(request, "manage_messages"), id_in(request, "user_id"))
        return nothing()

    async def reactions(self, request: web.Request) -> list[Json]:
        message, emoji = self._reacted(request, "read_message_history")
        after, limit = int(request.query.get("after", 0)), int(request.query.get("limit", 25))
        chosen = sorted(user_id for user_id in message.reactions.get(emoji, []) if user_id > after)
        return [user_json(self.world.users[user_id]) for user_id in chosen[:limit]]

    async def clear_emoji(self, request: web.Request) -> web.Response:
        message, emoji = self._reacted(request, "manage_messages")
        for user_id in list(message.reactions.get(emoji, [])):
            changes.unreact(self.world, message, emoji, user_id)
        return nothing()

    async def clear_reactions(self, request: web.Request) -> web.Response:
        message = self.message_of(request, self.channel_of(request, "manage_messages"))
        message.reactions.clear()
        data = {"channel_id": str(message.channel_id), "message_id": str(message.id)}
        guild_id = self.world.channels[message.channel_id].guild_id
        place = {"guild_id": str(guild_id)} if guild_id else {}
        self.world.tell("MESSAGE_REACTION_REMOVE_ALL", data | place, message.channel_id)
        return nothing()

    def _reacted(self, request: web.Request, *permissions: str) -> tuple[Message, str]:
        message = self.message_of(request, self.channel_of(request, *permissions))
        return message, request.match_info["emoji"]
