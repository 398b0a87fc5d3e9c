"""Routes of channels and threads."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sandbox.rest.routing import Route, Routes, id_in, nothing
from sandbox.rest.uploads import read_body
from sandbox.world import changes
from sandbox.world.payloads import channel_json, thread_member_json
from sandbox.world.things import PRIVATE_THREAD, THREAD, ApiError, Channel, Json

# Discord's name of a field → ours.
CHANNEL_FIELDS = {"name": "name", "nsfw": "nsfw", "topic": "topic", "rate_limit_per_user": "slowmode_seconds"}
THREAD_FIELDS = {"name": "name", "archived": "is_archived", "locked": "is_locked",
                 "rate_limit_per_user": "slowmode_seconds"}  # fmt: skip


class ChannelRoutes(Routes):
    def routes(self) -> list[Route]:
        channel = "/channels/{channel_id}"
        members = channel + "/thread-members"
        return [
            ("GET", channel, self.channel),
            ("PATCH", channel, self.edit_channel),
            ("DELETE", channel, self.delete_channel),
            ("PUT", channel + "/permissions/{overwrite_id}", self.put_overwrite),
            ("DELETE", channel + "/permissions/{overwrite_id}", self.delete_overwrite),
            ("POST", channel + "/typing", self.typing),
            ("POST", channel + "/threads", self.start_thread),
            ("POST", channel + "/messages/{message_id}/threads", self.start_thread),
            ("GET", members, self.thread_members),
            ("PUT", members + "/@me", self.join_thread),
            ("PUT", members + "/{user_id}", self.join_thread),
            ("DELETE", members + "/@me", self.leave_thread),
            ("DELETE", members + "/{user_id}", self.leave_thread),
        ]

    async def channel(self, request: web.Request) -> Json:
        return channel_json(self.world, self.channel_of(request))

    async def edit_channel(self, request: web.Request) -> Json:
        data, channel = (await read_body(request)).data, self.channel_of(request)
        self._require_managing(channel)
        names = THREAD_FIELDS if channel.is_thread else CHANNEL_FIELDS
        fields = {ours: data[theirs] for theirs, ours in names.items() if theirs in data}
        if "permission_overwrites" in data:
            fields["overwrites"] = overwrites_in(data["permission_overwrites"])
        changes.edit_channel(self.world, channel, **fields)
        return channel_json(self.world, channel)

    async def delete_channel(self, request: web.Request) -> Json:
        channel = self.channel_of(request)
        self.world.require(self.world.bot.id, channel, "manage_threads" if channel.is_thread else "manage_channels")
        return changes.delete_channel(self.world, channel)

    async def put_overwrite(self, request: web.Request) -> web.Response:
        channel, data = self.channel_of(request, "manage_roles"), (await read_body(request)).data
        new = {id_in(request, "overwrite_id"): (int(data.get("allow") or 0), int(data.get("deny") or 0))}
        changes.edit_channel(self.world, channel, overwrites=channel.overwrites | new)
        return nothing()

    async def delete_overwrite(self, request: web.Request) -> web.Response:
        channel, key = self.channel_of(request, "manage_roles"), id_in(request, "overwrite_id")
        left = {one: value for one, value in channel.overwrites.items() if one != key}
        changes.edit_channel(self.world, channel, overwrites=left)
        return nothing()

    async def typing(self, request: web.Request) -> web.Response:
        channel = self.channel_of(request)
        self.world.require_sending(self.world.bot.id, channel)
        data = {"channel_id": str(channel.id), "user_id": str(self.world.bot.id), "timestamp": int(self.world.now())}
        self.world.tell("TYPING_START", data, channel.id)
        return nothing()

    def _require_managing(self, channel: Channel) -> None:
        bot_id = self.world.bot.id
        if not channel.is_thread:
            self.world.require(bot_id, channel, "manage_channels")
        elif channel.owner_id != bot_id:
            self.world.require(bot_id, channel, "manage_threads")

    # ---- threads ---------------------------------------------------------------------------------------------------

    async def start_thread(self, request: web.Request) -> Json:
        data, parent = (await read_body(request)).data, self.channel_of(request)
        if parent.guild_id is None or parent.is_thread:
            raise ApiError(400, 50024, "Cannot execute action on this channel type")
        start = self.message_of(request, parent) if "message_id" in request.match_info else None
        if start is not None and start.thread_id in self.world.channels:
            raise ApiError(400, 160004, "A thread has already been created for this message")
        kind = THREAD if start is not None else int(data.get("type") or PRIVATE_THREAD)
        permission = "create_private_threads" if kind == PRIVATE_THREAD else "create_public_threads"
        self.world.require(self.world.bot.id, parent, permission)
        thread = changes.open_thread(self.world, parent, data["name"], self.world.bot.id, kind, start)
        return channel_json(self.world, thread)

    async def thread_members(self, request: web.Request) -> list[Json]:
        thread = self.channel_of(request)
        return [thread_member_json(self.world, thread, user_id) for user_id in thread.thread_members]

    async def join_thread(self, request: web.Request) -> web.Response:
        thread, user_id = self.channel_of(request), self._user(request)
        if user_id not in thread.thread_members:
            thread.thread_members.append(user_id)
            self._tell_members(thread, added=[thread_member_json(self.world, thread, user_id)], removed=[])
        return nothing()

    async def leave_thread(self, request: web.Request) -> web.Response:
        thread, user_id = self.channel_of(request), self._user(request)
        if user_id in thread.thread_members:
            thread.thread_members.remove(user_id)
            self._tell_members(thread, added=[], removed=[str(user_id)])
        return nothing()

    def _user(self, request: web.Request) -> int:
        return id_in(request, "user_id") if "user_id" in request.match_info else self.world.bot.id

    def _tell_members(self, thread: Channel, added: list[Json], removed: list[str]) -> None:
        data: Json = {"id": str(thread.id), "guild_id": str(thread.guild_id)}
        data |= {"member_count": len(thread.thread_members), "added_members": added, "removed_member_ids": removed}
        self.world.tell("THREAD_MEMBERS_UPDATE", data, thread.id)


def overwrites_in(listed: list[dict[str, Any]]) -> dict[int, tuple[int, int]]:
    """Discord's list of permission overwrites as ours: id → (allow, deny)."""
    return {int(one["id"]): (int(one.get("allow") or 0), int(one.get("deny") or 0)) for one in listed}
