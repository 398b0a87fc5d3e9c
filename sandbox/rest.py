"""The REST side: what the bot may ask of Discord, with Discord's state rules and permission checks."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from sandbox.payloads import channel_json, guild_json, member_json, message_json, role_json, user_json
from sandbox.uploads import Body, read_body, take_attachments
from sandbox.world import (
    EPHEMERAL,
    LOADING,
    THREAD,
    ApiError,
    Channel,
    Interaction,
    Message,
    World,
)

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[Any]]


class Rest:
    """Handlers over one world. `base_url()` is where attachments are served."""

    def __init__(self, world: World, base_url: Any) -> None:
        self.world = world
        self._base_url = base_url

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Method, path and handler of everything that the bot may ask for."""
        get, post, patch, put, delete = map(_method, ("GET", "POST", "PATCH", "PUT", "DELETE"))
        message = "/channels/{channel_id}/messages/{message_id}"
        reaction = message + "/reactions/{emoji}"
        original = "/webhooks/{application_id}/{token}/messages/{message_id}"
        return [
            get("/users/@me", self.me),
            get("/users/{user_id}", self.user),
            post("/users/@me/channels", self.open_dm),
            get("/oauth2/applications/@me", self.application),
            get("/applications/@me", self.application),
            get("/gateway", self.gateway),
            get("/gateway/bot", self.gateway),
            get("/applications/{application_id}/commands", self.commands),
            put("/applications/{application_id}/commands", self.put_commands),
            get("/applications/{application_id}/guilds/{guild_id}/commands", self.commands),
            put("/applications/{application_id}/guilds/{guild_id}/commands", self.put_commands),
            post("/interactions/{interaction_id}/{token}/callback", self.callback),
            post("/webhooks/{application_id}/{token}", self.followup),
            get(original, self.get_response),
            patch(original, self.edit_response),
            delete(original, self.delete_response),
            get("/guilds/{guild_id}", self.guild),
            get("/guilds/{guild_id}/roles", self.roles),
            get("/guilds/{guild_id}/members/{user_id}", self.member),
            post("/guilds/{guild_id}/channels", self.create_channel),
            get("/channels/{channel_id}", self.channel),
            patch("/channels/{channel_id}", self.edit_channel),
            delete("/channels/{channel_id}", self.delete_channel),
            get("/channels/{channel_id}/messages", self.history),
            post("/channels/{channel_id}/messages", self.create_message),
            get(message, self.message),
            patch(message, self.edit_message),
            delete(message, self.delete_message),
            put(reaction + "/@me", self.react),
            delete(reaction + "/@me", self.unreact),
            get(reaction, self.reactions),
            post("/channels/{channel_id}/typing", self.typing),
            post(message + "/threads", self.start_thread),
            post("/channels/{channel_id}/threads", self.start_thread),
        ]

    # ---- people, servers, application ------------------------------------------------------------------------------

    async def me(self, request: web.Request) -> Json:
        return user_json(self.world.bot)

    async def user(self, request: web.Request) -> Json:
        user = self.world.users.get(_id(request, "user_id"))
        if user is None:
            raise ApiError(404, 10013, "Unknown User")
        return user_json(user)

    async def open_dm(self, request: web.Request) -> Json:
        body = await read_body(request)
        user_id = int(body.data["recipient_id"])
        if user_id not in self.world.users:
            raise ApiError(404, 10013, "Unknown User")
        return channel_json(self.world, self.world.open_dm(user_id))

    async def application(self, request: web.Request) -> Json:
        return {
            "id": str(self.world.application_id),
            "name": self.world.bot.name,
            "icon": None,
            "description": "",
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "00",
            "flags": 1 << 19,
            "owner": user_json(next(user for user in self.world.users.values() if not user.bot)),
            "team": None,
        }

    async def gateway(self, request: web.Request) -> Json:
        limit = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1}
        url = self._base_url().replace("http", "ws") + "/gateway/"
        return {"url": url, "shards": 1, "session_start_limit": limit}

    async def guild(self, request: web.Request) -> Json:
        return guild_json(self.world, self._guild(request))

    async def roles(self, request: web.Request) -> list[Json]:
        return [role_json(role) for role in self._guild(request).roles.values()]

    async def member(self, request: web.Request) -> Json:
        guild, user_id = self._guild(request), _id(request, "user_id")
        if user_id not in guild.members:
            raise ApiError(404, 10007, "Unknown Member")
        return member_json(self.world, guild, user_id)

    def _guild(self, request: web.Request) -> Any:
        guild = self.world.guilds.get(_id(request, "guild_id"))
        if guild is None or self.world.bot.id not in guild.members:
            raise ApiError(404, 10004, "Unknown Guild")
        return guild

    # ---- commands --------------------------------------------------------------------------------------------------

    async def commands(self, request: web.Request) -> list[Json]:
        return self.world.commands.get(_optional_id(request, "guild_id"), [])

    async def put_commands(self, request: web.Request) -> list[Json]:
        guild_id, body = _optional_id(request, "guild_id"), await read_body(request)
        extra = {"application_id": str(self.world.application_id), "version": "1"}
        registered = [
            {"type": 1, "description": "", "default_member_permissions": None, "nsfw": False, "options": []}
            | command
            | extra
            | {"id": str(self.world.new_id())}
            for command in body.data
        ]
        self.world.commands[guild_id] = registered
        self.world.tell("COMMANDS", {"commands": registered}, only_for=0)
        return registered

    # ---- interactions ----------------------------------------------------------------------------------------------

    async def callback(self, request: web.Request) -> web.Response:
        interaction = self.world.by_token(request.match_info["token"], answered=False)
        body = await read_body(request)
        kind, data = int(body.data["type"]), body.data.get("data") or {}
        files = Body(data, body.files)
        interaction.acknowledged = kind
        match kind:
            case 4:
                message = self._respond(interaction, files)
                interaction.response_message_id = message.id
            case 5:
                flags = int(data.get("flags", 0)) & EPHEMERAL | LOADING
                message = self._new_message(interaction, Body({"flags": flags}, {}))
                interaction.response_message_id = message.id
            case 6:
                interaction.response_message_id = interaction.source_message_id
            case 7:
                interaction.response_message_id = interaction.source_message_id
                self._edit(self._source(interaction), files)
            case 8:
                interaction.choices = data["choices"]
            case 9:
                interaction.modal = data
            case _:
                raise ApiError(400, 50035, f"Invalid callback type {kind}")
        self._tell_acknowledged(interaction)
        if request.query.get("with_response") != "true" and request.query.get("with_response") != "1":
            return web.Response(status=204)
        return _json_response(self._callback_answer(interaction))

    def _callback_answer(self, interaction: Interaction) -> Json:
        message = self.world.messages.get(interaction.response_message_id or 0)
        answer: Json = {
            "interaction": {
                "id": str(interaction.id),
                "type": interaction.payload["type"],
                "response_message_id": str(message.id) if message else None,
                "response_message_loading": bool(message and message.flags & LOADING),
                "response_message_ephemeral": bool(message and message.flags & EPHEMERAL),
            },
            "resource": {"type": interaction.acknowledged},
        }
        if message and interaction.acknowledged in (4, 7):
            answer["resource"]["message"] = message_json(self.world, message, self._base_url())
        return answer

    def _tell_acknowledged(self, interaction: Interaction) -> None:
        data: Json = {"id": str(interaction.id), "type": interaction.acknowledged, "token": interaction.token}
        data |= {"modal": interaction.modal, "choices": interaction.choices}
        self.world.tell("INTERACTION_ACKNOWLEDGED", data, interaction.channel_id, interaction.user_id)

    async def followup(self, request: web.Request) -> Json:
        interaction = self.world.by_token(request.match_info["token"], answered=True)
        body = await read_body(request)
        first = self.world.messages.get(interaction.response_message_id or 0)
        if first is not None and first.flags & LOADING:
            return self._shown(self._edit(first, body))
        return self._shown(self._respond(interaction, body))

    async def get_response(self, request: web.Request) -> Json:
        return self._shown(self._response(request))

    async def edit_response(self, request: web.Request) -> Json:
        return self._shown(self._edit(self._response(request), await read_body(request)))

    async def delete_response(self, request: web.Request) -> web.Response:
        self.world.delete(self._response(request))
        return web.Response(status=204)

    def _response(self, request: web.Request) -> Message:
        interaction = self.world.by_token(request.match_info["token"], answered=True)
        wanted = request.match_info["message_id"]
        message_id = interaction.response_message_id if wanted == "@original" else int(wanted)
        message = self.world.messages.get(message_id or 0)
        if message is None:
            raise ApiError(404, 10008, "Unknown Message")
        return message

    def _source(self, interaction: Interaction) -> Message:
        return self.world.message(interaction.channel_id, interaction.source_message_id or 0)

    def _respond(self, interaction: Interaction, body: Body) -> Message:
        return self._new_message(interaction, body)

    def _new_message(self, interaction: Interaction, body: Body) -> Message:
        """A message of the bot that belongs to an interaction; ephemeral ones are for its user only."""
        flags = int(body.data.get("flags", 0))
        message = self._build(interaction.channel_id, body, flags)
        message.interaction_id = interaction.id
        message.only_for = interaction.user_id if flags & EPHEMERAL else None
        self.world.post(message)
        self._announce("MESSAGE_CREATE", message)
        return message

    # ---- channels --------------------------------------------------------------------------------------------------

    async def channel(self, request: web.Request) -> Json:
        return channel_json(self.world, self._channel(request))

    async def create_channel(self, request: web.Request) -> Json:
        guild, body = self._guild(request), await read_body(request)
        channel = self.world.add_channel(guild, body.data["name"], nsfw=bool(body.data.get("nsfw")))
        data = channel_json(self.world, channel)
        self.world.tell("CHANNEL_CREATE", data, channel.id)
        return data

    async def edit_channel(self, request: web.Request) -> Json:
        channel, body = self._channel(request, "manage_channels"), await read_body(request)
        channel.name = body.data.get("name", channel.name)
        channel.nsfw = body.data.get("nsfw", channel.nsfw)
        channel.topic = body.data.get("topic", channel.topic)
        data = channel_json(self.world, channel)
        self.world.tell("CHANNEL_UPDATE", data, channel.id)
        return data

    async def delete_channel(self, request: web.Request) -> Json:
        channel = self._channel(request, "manage_channels")
        data = channel_json(self.world, channel)
        self.world.tell("CHANNEL_DELETE", data, channel.id)
        del self.world.channels[channel.id]
        return data

    async def typing(self, request: web.Request) -> web.Response:
        self._channel(request, "send_messages")
        return web.Response(status=204)

    async def start_thread(self, request: web.Request) -> Json:
        parent, body = self._channel(request, "create_public_threads"), await read_body(request)
        thread_id = int(request.match_info.get("message_id") or self.world.new_id())
        bot_id = self.world.bot.id
        thread = Channel(thread_id, THREAD, body.data["name"], parent.guild_id, parent_id=parent.id, owner_id=bot_id)
        self.world.channels[thread.id] = thread
        data = channel_json(self.world, thread)
        self.world.tell("THREAD_CREATE", data | {"newly_created": True}, thread.id)
        return data

    def _channel(self, request: web.Request, *permissions: str) -> Channel:
        channel = self.world.channel(_id(request, "channel_id"))
        self.world.require(self.world.bot.id, channel, *permissions)
        return channel

    # ---- messages --------------------------------------------------------------------------------------------------

    async def history(self, request: web.Request) -> list[Json]:
        channel = self._channel(request, "read_message_history")
        after, before = int(request.query.get("after", 0)), int(request.query.get("before", 1 << 63))
        messages = [one for one in self.world.history(channel.id, 0) if after < one.id < before]
        limit = int(request.query.get("limit", 50))
        chosen = messages[:limit] if "after" in request.query else messages[-limit:]
        return [self._shown(message) for message in reversed(chosen)]

    async def message(self, request: web.Request) -> Json:
        channel = self._channel(request, "read_message_history")
        return self._shown(self.world.message(channel.id, _id(request, "message_id")))

    async def create_message(self, request: web.Request) -> Json:
        body = await read_body(request)
        channel = self.world.channel(_id(request, "channel_id"))
        send = "send_messages_in_threads" if channel.type == THREAD else "send_messages"
        needs = [send, *(["embed_links"] if body.data.get("embeds") else []), *(["attach_files"] if body.files else [])]
        self.world.require(self.world.bot.id, channel, *needs)
        message = self._build(channel.id, body, int(body.data.get("flags", 0)))
        message.nonce = body.data.get("nonce") if body.data.get("enforce_nonce") else None
        posted = self.world.post(message)
        if posted is message:
            self._announce("MESSAGE_CREATE", message)
        return self._shown(posted)

    async def edit_message(self, request: web.Request) -> Json:
        body = await read_body(request)
        channel = self._channel(request)
        message = self.world.message(channel.id, _id(request, "message_id"))
        if message.author_id != self.world.bot.id:
            raise ApiError(403, 50005, "Cannot edit a message authored by another user")
        return self._shown(self._edit(message, body))

    async def delete_message(self, request: web.Request) -> web.Response:
        channel = self._channel(request)
        message = self.world.message(channel.id, _id(request, "message_id"))
        if message.author_id != self.world.bot.id:
            self.world.require(self.world.bot.id, channel, "manage_messages")
        self.world.delete(message)
        return web.Response(status=204)

    def _build(self, channel_id: int, body: Body, flags: int) -> Message:
        data, world = body.data, self.world
        message = Message(world.new_id(), channel_id, world.bot.id, flags=flags)
        message.attachments = take_attachments(world, body, [])
        reference = data.get("message_reference")
        if reference:
            world.message(channel_id, int(reference["message_id"]))
            message.reference = {"message_id": str(reference["message_id"]), "channel_id": str(channel_id)}
        self._fill(message, data)
        return message

    def _edit(self, message: Message, body: Body) -> Message:
        """Change what is given; `attachments` lists what stays, new files come on top."""
        message.attachments = take_attachments(self.world, body, message.attachments)
        message.flags &= ~LOADING
        self._fill(message, body.data)
        message.edited_at, message.edits = self.world.now(), message.edits + 1
        self._announce("MESSAGE_UPDATE", message)
        return message

    def _fill(self, message: Message, data: Json) -> None:
        if "content" in data:
            message.content = data["content"] or ""
        if "embeds" in data:
            message.embeds = data["embeds"] or []
        if "components" in data:
            message.components = data["components"] or []
        message.mentions = _mentioned(self.world, message.content, data.get("allowed_mentions"))

    def _announce(self, name: str, message: Message) -> None:
        self.world.tell(name, self._shown(message), message.channel_id, message.only_for)

    def _shown(self, message: Message) -> Json:
        return message_json(self.world, message, self._base_url())

    # ---- reactions -------------------------------------------------------------------------------------------------

    async def react(self, request: web.Request) -> web.Response:
        channel = self._channel(request, "add_reactions")
        message = self.world.message(channel.id, _id(request, "message_id"))
        self.add_reaction(message, request.match_info["emoji"], self.world.bot.id)
        return web.Response(status=204)

    async def unreact(self, request: web.Request) -> web.Response:
        message = self.world.message(self._channel(request).id, _id(request, "message_id"))
        self.remove_reaction(message, request.match_info["emoji"], self.world.bot.id)
        return web.Response(status=204)

    async def reactions(self, request: web.Request) -> list[Json]:
        message = self.world.message(self._channel(request).id, _id(request, "message_id"))
        users = message.reactions.get(request.match_info["emoji"], [])
        return [user_json(self.world.users[user_id]) for user_id in users]

    def add_reaction(self, message: Message, emoji: str, user_id: int) -> None:
        users = message.reactions.setdefault(emoji, [])
        if user_id not in users:
            users.append(user_id)
            self._tell_reaction("MESSAGE_REACTION_ADD", message, emoji, user_id)

    def remove_reaction(self, message: Message, emoji: str, user_id: int) -> None:
        if user_id in message.reactions.get(emoji, []):
            message.reactions[emoji].remove(user_id)
            self._tell_reaction("MESSAGE_REACTION_REMOVE", message, emoji, user_id)

    def _tell_reaction(self, name: str, message: Message, emoji: str, user_id: int) -> None:
        channel = self.world.channels[message.channel_id]
        data: Json = {
            "user_id": str(user_id),
            "channel_id": str(channel.id),
            "message_id": str(message.id),
            "emoji": {"id": None, "name": emoji},
            "type": 0,
            "burst": False,
        }
        if channel.guild_id is not None:
            guild = self.world.guilds[channel.guild_id]
            data |= {"guild_id": str(guild.id)}
            if name.endswith("ADD"):
                data |= {"member": member_json(self.world, guild, user_id)}
        self.world.tell(name, data, channel.id)


def _mentioned(world: World, content: str, allowed: Json | None) -> list[int]:
    """Who is pinged: users named in the content, as far as allowed_mentions lets them."""
    named = [user.id for user in world.users.values() if f"<@{user.id}>" in content or f"<@!{user.id}>" in content]
    if allowed is None or "users" in (allowed.get("parse") or []):
        return named
    return [user_id for user_id in named if str(user_id) in {str(one) for one in allowed.get("users") or []}]


def _method(name: str) -> Callable[[str, Handler], tuple[str, str, Handler]]:
    return lambda path, handler: (name, path, handler)


def _id(request: web.Request, name: str) -> int:
    return int(request.match_info[name])


def _optional_id(request: web.Request, name: str) -> int | None:
    return int(request.match_info[name]) if name in request.match_info else None


def _json_response(data: Any, status: int = 200) -> web.Response:
    # aiohttp's own json_response adds a charset, which discord.py takes for text.
    return web.Response(body=json.dumps(data).encode(), status=status, headers={"Content-Type": "application/json"})
