"""Routes of the bot itself: who it is, its gateway, its application commands, its direct messages."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from sandbox.rest.bot_messages import BotMessages
from sandbox.rest.routing import Route, Routes, id_in, nothing, optional_id
from sandbox.rest.uploads import read_body
from sandbox.world import changes
from sandbox.world.payloads import channel_json, user_json
from sandbox.world.things import ApiError, Json

COMMANDS = "/applications/{application_id}/commands"
GUILD_COMMANDS = "/applications/{application_id}/guilds/{guild_id}/commands"
DEFAULTS: Json = {"type": 1, "description": "", "default_member_permissions": None, "nsfw": False}
MESSAGE_CONTENT_FLAG = 1 << 19


class ApplicationRoutes(Routes):
    def __init__(self, bot_messages: BotMessages, base_url: Callable[[], str]) -> None:
        super().__init__(bot_messages)
        self._base_url = base_url

    def routes(self) -> list[Route]:
        return [
            ("GET", "/users/@me", self.me),
            ("GET", "/users/@me/guilds", self.guilds),
            ("DELETE", "/users/@me/guilds/{guild_id}", self.leave_guild),
            ("GET", "/users/{user_id}", self.user),
            ("POST", "/users/@me/channels", self.open_dm),
            ("GET", "/oauth2/applications/@me", self.application),
            ("GET", "/applications/@me", self.application),
            ("GET", "/gateway", self.gateway),
            ("GET", "/gateway/bot", self.gateway),
            *self._command_routes(COMMANDS),
            *self._command_routes(GUILD_COMMANDS),
        ]

    def _command_routes(self, path: str) -> list[Route]:
        one = path + "/{command_id}"
        return [
            ("GET", path, self.commands),
            ("PUT", path, self.put_commands),
            ("POST", path, self.create_command),
            ("GET", one, self.command),
            ("PATCH", one, self.edit_command),
            ("DELETE", one, self.delete_command),
        ]

    # ---- who we are ------------------------------------------------------------------------------------------------

    async def me(self, request: web.Request) -> Json:
        return user_json(self.world.bot) | {"verified": True, "mfa_enabled": True, "email": None, "flags": 0}

    async def user(self, request: web.Request) -> Json:
        user = self.world.users.get(id_in(request, "user_id"))
        if user is None:
            raise ApiError(404, 10013, "Unknown User")
        return user_json(user)

    async def guilds(self, request: web.Request) -> list[Json]:
        bot_id = self.world.bot.id
        return [
            {"id": str(guild.id), "name": guild.name, "icon": None, "owner": False, "features": [],
             "permissions": str(self.world.guild_permissions(bot_id, guild))}
            for guild in self.world.guilds.values()
            if bot_id in guild.members
        ]  # fmt: skip

    async def leave_guild(self, request: web.Request) -> web.Response:
        changes.remove_bot(self.world, self.guild_of(request))
        return nothing()

    async def open_dm(self, request: web.Request) -> Json:
        user_id = int((await read_body(request)).data["recipient_id"])
        if user_id not in self.world.users:
            raise ApiError(404, 10013, "Unknown User")
        if self.world.users[user_id].bot:
            raise ApiError(400, 50007, "Cannot send messages to this user")
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
            "flags": MESSAGE_CONTENT_FLAG,
            "owner": user_json(next(user for user in self.world.users.values() if not user.bot)),
            "team": None,
        }

    async def gateway(self, request: web.Request) -> Json:
        limit = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1}
        url = self._base_url().replace("http", "ws") + "/gateway/"
        return {"url": url, "shards": 1, "session_start_limit": limit}

    # ---- commands --------------------------------------------------------------------------------------------------

    async def commands(self, request: web.Request) -> list[Json]:
        return self.world.commands.get(optional_id(request, "guild_id"), [])

    async def put_commands(self, request: web.Request) -> list[Json]:
        """Replace all; a command of the same name and type keeps its id."""
        guild_id, body = optional_id(request, "guild_id"), await read_body(request)
        self._require_guild(guild_id)
        self._register(guild_id, [self._registered(guild_id, command) for command in body.data])
        return self.world.commands[guild_id]

    async def create_command(self, request: web.Request) -> Json:
        """One more, or a new version of the one with this name and type."""
        guild_id, body = optional_id(request, "guild_id"), await read_body(request)
        self._require_guild(guild_id)
        new = self._registered(guild_id, body.data)
        others = [one for one in self.world.commands.get(guild_id, []) if one["id"] != new["id"]]
        self._register(guild_id, [*others, new])
        return new

    async def command(self, request: web.Request) -> Json:
        return self._command(request)

    async def edit_command(self, request: web.Request) -> Json:
        command = self._command(request)
        command |= (await read_body(request)).data
        self._register(optional_id(request, "guild_id"), self.world.commands[optional_id(request, "guild_id")])
        return command

    async def delete_command(self, request: web.Request) -> web.Response:
        command, guild_id = self._command(request), optional_id(request, "guild_id")
        self._register(guild_id, [one for one in self.world.commands[guild_id] if one is not command])
        return nothing()

    def _command(self, request: web.Request) -> Json:
        wanted = request.match_info["command_id"]
        for command in self.world.commands.get(optional_id(request, "guild_id"), []):
            if command["id"] == wanted:
                return command
        raise ApiError(404, 10063, "Unknown application command")

    def _registered(self, guild_id: int | None, command: Json) -> Json:
        key = (command["name"], command.get("type", 1))
        known = {(one["name"], one["type"]): one["id"] for one in self.world.commands.get(guild_id, [])}
        place: Json = {} if guild_id is None else {"guild_id": str(guild_id)}
        place |= {"application_id": str(self.world.application_id), "version": str(self.world.new_id())}
        return DEFAULTS | {"options": []} | command | place | {"id": known.get(key) or str(self.world.new_id())}

    def _register(self, guild_id: int | None, commands: list[Json]) -> None:
        self.world.commands[guild_id] = commands
        self.world.tell("COMMANDS", {"commands": commands}, only_for=0)

    def _require_guild(self, guild_id: int | None) -> None:
        if guild_id is not None and self.world.bot.id not in self.world.guilds[guild_id].members:
            raise ApiError(403, 50001, "Missing Access")
