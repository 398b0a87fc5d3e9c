"""Routes of servers: members, roles, channels as a list."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aiohttp import web

from sandbox.rest.channels import overwrites_in
from sandbox.rest.routing import Route, Routes, id_in, nothing
from sandbox.rest.uploads import read_body
from sandbox.world import changes
from sandbox.world.payloads import channel_json, guild_json, member_json, role_json
from sandbox.world.things import ApiError, Guild, Json


class GuildRoutes(Routes):
    def routes(self) -> list[Route]:
        guild, member = "/guilds/{guild_id}", "/guilds/{guild_id}/members/{user_id}"
        return [
            ("GET", guild, self.guild),
            ("GET", guild + "/channels", self.channels),
            ("POST", guild + "/channels", self.create_channel),
            ("GET", guild + "/threads/active", self.active_threads),
            ("GET", guild + "/roles", self.roles),
            ("POST", guild + "/roles", self.create_role),
            ("PATCH", guild + "/roles/{role_id}", self.edit_role),
            ("DELETE", guild + "/roles/{role_id}", self.delete_role),
            ("GET", guild + "/members", self.members),
            ("GET", member, self.member),
            ("PATCH", member, self.edit_member),
            ("PUT", member + "/roles/{role_id}", self.give_role),
            ("DELETE", member + "/roles/{role_id}", self.take_role),
        ]

    async def guild(self, request: web.Request) -> Json:
        return guild_json(self.world, self.guild_of(request))

    # ---- channels --------------------------------------------------------------------------------------------------

    async def channels(self, request: web.Request) -> list[Json]:
        guild = self.guild_of(request)
        mine = [one for one in self.world.channels.values() if one.guild_id == guild.id and not one.is_thread]
        return [channel_json(self.world, channel) for channel in mine]

    async def active_threads(self, request: web.Request) -> Json:
        guild = self.guild_of(request)
        threads = [one for one in self.world.channels.values() if one.guild_id == guild.id and one.is_thread]
        return {"threads": [channel_json(self.world, one) for one in threads if not one.is_archived], "members": []}

    async def create_channel(self, request: web.Request) -> Json:
        guild, data = self.guild_of(request, "manage_channels"), (await read_body(request)).data
        if int(data.get("type") or 0) != 0:
            raise ApiError(400, 50035, "Invalid Form Body: this Discord has text channels only")
        channel = changes.add_channel(
            self.world,
            guild,
            data["name"],
            nsfw=bool(data.get("nsfw")),
            topic=data.get("topic"),
            slowmode_seconds=int(data.get("rate_limit_per_user") or 0),
            parent_id=int(data["parent_id"]) if data.get("parent_id") else None,
            overwrites=overwrites_in(data.get("permission_overwrites") or []),
        )
        return channel_json(self.world, channel)

    # ---- roles -----------------------------------------------------------------------------------------------------

    async def roles(self, request: web.Request) -> list[Json]:
        return [role_json(role) for role in self.guild_of(request).roles.values()]

    async def create_role(self, request: web.Request) -> Json:
        guild, data = self.guild_of(request, "manage_roles"), (await read_body(request)).data
        role = changes.add_role(self.world, guild, data.get("name") or "new role", int(data.get("permissions") or 0))
        return role_json(role)

    async def edit_role(self, request: web.Request) -> Json:
        guild, data = self.guild_of(request, "manage_roles"), (await read_body(request)).data
        role = guild.roles[self._role(request, guild)]
        permissions = int(data["permissions"]) if data.get("permissions") is not None else None
        changes.edit_role(self.world, guild, role, permissions=permissions, name=data.get("name"))
        return role_json(role)

    async def delete_role(self, request: web.Request) -> web.Response:
        guild = self.guild_of(request, "manage_roles")
        changes.delete_role(self.world, guild, self._role(request, guild))
        return nothing()

    def _role(self, request: web.Request, guild: Guild) -> int:
        """The role in the path, if the bot's own highest role stands above it."""
        role_id, bot_id = id_in(request, "role_id"), self.world.bot.id
        if role_id not in guild.roles:
            raise ApiError(404, 10011, "Unknown Role")
        highest = max((guild.roles[one].position for one in guild.members[bot_id]), default=0)
        if guild.owner_id != bot_id and guild.roles[role_id].position >= highest:
            raise ApiError(403, 50013, "Missing Permissions")
        return role_id

    # ---- members ---------------------------------------------------------------------------------------------------

    async def members(self, request: web.Request) -> list[Json]:
        guild = self.guild_of(request)
        after, limit = int(request.query.get("after", 0)), int(request.query.get("limit", 1))
        chosen = sorted(user_id for user_id in guild.members if user_id > after)[:limit]
        return [member_json(self.world, guild, user_id) for user_id in chosen]

    async def member(self, request: web.Request) -> Json:
        guild = self.guild_of(request)
        return member_json(self.world, guild, self._member(request, guild))

    async def edit_member(self, request: web.Request) -> Json:
        """Nickname, roles, time-out; each needs its own permission."""
        data = (await read_body(request)).data
        guild = self.guild_of(request, *_needed(data))
        user_id = self._member(request, guild)
        if "nick" in data:
            guild.nicknames[user_id] = data["nick"] or ""
        if "roles" in data:
            guild.members[user_id] = [int(role_id) for role_id in data["roles"]]
        until = data.get("communication_disabled_until")
        if until is not None:
            guild.timeouts[user_id] = datetime.fromisoformat(until).timestamp()
        elif "communication_disabled_until" in data:
            guild.timeouts.pop(user_id, None)
        changes.tell_member(self.world, guild, user_id)
        return member_json(self.world, guild, user_id)

    async def give_role(self, request: web.Request) -> web.Response:
        guild = self.guild_of(request, "manage_roles")
        user_id, role_id = self._member(request, guild), self._role(request, guild)
        held = guild.members[user_id]
        if role_id not in held:
            changes.set_roles(self.world, guild, user_id, [*held, role_id])
        return nothing()

    async def take_role(self, request: web.Request) -> web.Response:
        guild = self.guild_of(request, "manage_roles")
        user_id, role_id = self._member(request, guild), self._role(request, guild)
        changes.set_roles(self.world, guild, user_id, [one for one in guild.members[user_id] if one != role_id])
        return nothing()

    def _member(self, request: web.Request, guild: Guild) -> int:
        user_id = id_in(request, "user_id")
        if user_id not in guild.members:
            raise ApiError(404, 10007, "Unknown Member")
        return user_id


def _needed(data: dict[str, Any]) -> list[str]:
    needs = {"nick": "manage_nicknames", "roles": "manage_roles", "communication_disabled_until": "moderate_members"}
    return [permission for key, permission in needs.items() if key in data]
