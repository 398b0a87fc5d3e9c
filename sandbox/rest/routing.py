"""What the route modules share: the base class, the ids in a path, JSON answers."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

import discord
from aiohttp import web

from sandbox.rest.bot_messages import BotMessages
from sandbox.world.things import ApiError, Channel, Guild, Message

Handler = Callable[[web.Request], Awaitable[Any]]
Route = tuple[str, str, Handler]


class Routes(ABC):
    """Handlers of one topic over one world."""

    def __init__(self, bot_messages: BotMessages) -> None:
        self.bot_messages, self.world = bot_messages, bot_messages.world

    @abstractmethod
    def routes(self) -> list[Route]:
        """Method, path and handler of each route."""

    def guild_of(self, request: web.Request, *permissions: str) -> Guild:
        """The server in the path, if the bot is in it and holds these permissions there."""
        guild = self.world.guilds.get(id_in(request, "guild_id"))
        if guild is None or self.world.bot.id not in guild.members:
            raise ApiError(404, 10004, "Unknown Guild")
        held = discord.Permissions(self.world.guild_permissions(self.world.bot.id, guild))
        if any(not getattr(held, name) for name in permissions):
            raise ApiError(403, 50013, "Missing Permissions")
        return guild

    def channel_of(self, request: web.Request, *permissions: str) -> Channel:
        """The channel in the path, if the bot sees it and holds these permissions there."""
        channel = self.world.channel(id_in(request, "channel_id"))
        self.world.require(self.world.bot.id, channel, *permissions)
        return channel

    def message_of(self, request: web.Request, channel: Channel) -> Message:
        """The message in the path. Ephemeral ones exist only for the interaction that made them."""
        message = self.world.message(channel.id, id_in(request, "message_id"))
        if message.only_for is not None:
            raise ApiError(404, 10008, "Unknown Message")
        return message


def id_in(request: web.Request, name: str) -> int:
    text = request.match_info[name]
    if not text.isdigit():
        raise ApiError(400, 50035, f'Invalid Form Body: {name}: Value "{text}" is not snowflake.')
    return int(text)


def optional_id(request: web.Request, name: str) -> int | None:
    return id_in(request, name) if name in request.match_info else None


def nothing() -> web.Response:
    return web.Response(status=204)


def json_response(data: Any, status: int = 200) -> web.Response:
    # aiohttp's own json_response adds a charset, which discord.py takes for text.
    return web.Response(body=json.dumps(data).encode(), status=status, headers={"Content-Type": "application/json"})
