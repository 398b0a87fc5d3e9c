"""The loopback gateway: HELLO, IDENTIFY, heartbeats, dispatches, RESUME with replay, forced reconnects.

Sessions outlive their sockets, as Discord's do: what happens while the bot is away is replayed when it resumes.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import discord
from aiohttp import WSMsgType, web

from sandbox.payloads import guild_json, message_json, user_json
from sandbox.world import DM, Event, World

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT, REQUEST_MEMBERS, INVALID_SESSION, HELLO, ACK = (
    0, 1, 2, 6, 7, 8, 9, 10, 11,
)  # fmt: skip
HEARTBEAT_MS = 41_250

# Which intent an event needs; events that are not listed reach every bot.
INTENT_OF = {
    "GUILD_CREATE": "guilds",
    "GUILD_DELETE": "guilds",
    "GUILD_ROLE_UPDATE": "guilds",
    "CHANNEL_CREATE": "guilds",
    "CHANNEL_UPDATE": "guilds",
    "CHANNEL_DELETE": "guilds",
    "THREAD_CREATE": "guilds",
    "GUILD_MEMBER_ADD": "members",
    "GUILD_MEMBER_UPDATE": "members",
    "GUILD_MEMBER_REMOVE": "members",
}


@dataclass(slots=True)
class Session:
    """One identified bot: what it wants to hear, and everything it was sent, for a replay."""

    id: str
    intents: discord.Intents
    sent: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    socket: web.WebSocketResponse | None = None


class Gateway:
    """Accepts sockets and passes the world's events to the sessions that may hear them."""

    def __init__(self, world: World, base_url: Callable[[], str]) -> None:
        self.world = world
        self._base_url = base_url
        self.sessions: dict[str, Session] = {}
        self.identified = self.resumed = 0
        self._sockets: set[web.WebSocketResponse] = set()
        self._outbox: list[tuple[Session, dict[str, Any]]] = []
        self._stop = world.subscribe(self._on_event)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        self._sockets.add(socket)
        session: Session | None = None
        try:
            await _send(socket, {"op": HELLO, "d": {"heartbeat_interval": HEARTBEAT_MS}})
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    session = await self._receive(socket, json.loads(frame.data), session)
        finally:
            self._sockets.discard(socket)
            if session is not None and session.socket is socket:
                session.socket = None
        return socket

    async def close(self) -> None:
        self._stop()
        for socket in list(self._sockets):
            await socket.close(code=1001)

    async def drop(self) -> None:
        """Cut every socket as a broken network would; the bot is expected to resume."""
        for socket in list(self._sockets):
            await socket.close(code=4000)

    async def ask_to_reconnect(self) -> None:
        """Opcode 7."""
        for socket in list(self._sockets):
            await _send(socket, {"op": RECONNECT, "d": None})

    async def invalidate(self) -> None:
        """Opcode 9 without resume: the bot has to identify anew."""
        for session in list(self.sessions.values()):
            if session.socket is not None:
                await _send(session.socket, {"op": INVALID_SESSION, "d": False})
        self.sessions.clear()

    # ---- what the bot sends ----------------------------------------------------------------------------------------

    async def _receive(
        self, socket: web.WebSocketResponse, data: dict[str, Any], session: Session | None
    ) -> Session | None:
        match data["op"]:
            case 1:
                await _send(socket, {"op": ACK, "d": None})
            case 2:
                return await self._identify(socket, data["d"])
            case 6:
                return await self._resume(socket, data["d"])
            case 8 if session is not None:
                await self._send_members(session, data["d"])
            case _:
                pass  # presence and voice updates change nothing here
        return session

    async def _identify(self, socket: web.WebSocketResponse, data: dict[str, Any]) -> Session:
        session = Session(secrets.token_hex(8), discord.Intents._from_value(data["intents"]), socket=socket)
        self.sessions[session.id] = session
        self.identified += 1
        world, bot = self.world, self.world.bot
        ready = {
            "v": 10,
            "user": user_json(bot),
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in world.guilds.values()],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self._base_url().replace("http", "ws") + "/gateway/",
            "application": {"id": str(world.application_id), "flags": 1 << 19},
            "private_channels": [],
        }
        await self._dispatch(session, "READY", ready)
        for guild in world.guilds.values():
            if bot.id in guild.members:
                await self._dispatch(session, "GUILD_CREATE", guild_json(world, guild))
        return session

    async def _resume(self, socket: web.WebSocketResponse, data: dict[str, Any]) -> Session | None:
        session = self.sessions.get(data["session_id"])
        if session is None:
            await _send(socket, {"op": INVALID_SESSION, "d": False})
            return None
        session.socket = socket
        self.resumed += 1
        for frame in session.sent[data["seq"] :]:
            await _send(socket, frame)
        await self._dispatch(session, "RESUMED", {})
        return session

    async def _send_members(self, session: Session, data: dict[str, Any]) -> None:
        from sandbox.payloads import member_json

        guild = self.world.guilds[int(data["guild_id"])]
        wanted = [int(one) for one in data.get("user_ids") or guild.members]
        members = [member_json(self.world, guild, user_id) for user_id in wanted if user_id in guild.members]
        await self._dispatch(
            session,
            "GUILD_MEMBERS_CHUNK",
            {
                "guild_id": str(guild.id),
                "members": members,
                "chunk_index": 0,
                "chunk_count": 1,
                "nonce": data.get("nonce"),
            },
        )

    # ---- what happens in the world ---------------------------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        """Queue the event for each session that may hear it; `flush` sends, in order."""
        if event.only_for is not None:
            return
        if event.channel_id is not None and event.channel_id in self.world.channels:
            channel = self.world.channels[event.channel_id]
            if not self.world.can_see(self.world.bot.id, channel):
                return
        for session in self.sessions.values():
            if self._wants(session, event):
                self._outbox.append((session, self._frame(session, event.name, self._shape(session, event))))

    def _wants(self, session: Session, event: Event) -> bool:
        if event.name.startswith("MESSAGE"):
            is_dm = event.channel_id is not None and self.world.channels[event.channel_id].type == DM
            kind = "reactions" if "REACTION" in event.name else "messages"
            return getattr(session.intents, f"{'dm' if is_dm else 'guild'}_{kind}")
        intent = INTENT_OF.get(event.name)
        return intent is None or getattr(session.intents, intent)

    def _shape(self, session: Session, event: Event) -> dict[str, Any]:
        """Without the message content intent, other people's words in servers arrive blank."""
        if event.name not in ("MESSAGE_CREATE", "MESSAGE_UPDATE") or session.intents.message_content:
            return event.data
        message = self.world.messages.get(int(event.data["id"]))
        if message is None:
            return event.data
        bot_id, channel = self.world.bot.id, self.world.channels[message.channel_id]
        is_ours = message.author_id == bot_id or bot_id in message.mentions or channel.type == DM
        return event.data if is_ours else message_json(self.world, message, self._base_url(), blank=True)

    async def flush(self) -> None:
        """Send what was queued, in order."""
        while self._outbox:
            session, frame = self._outbox.pop(0)
            if session.socket is not None and not session.socket.closed:
                await _send(session.socket, frame)

    async def _dispatch(self, session: Session, name: str, data: dict[str, Any]) -> None:
        self._outbox.append((session, self._frame(session, name, data)))
        await self.flush()

    def _frame(self, session: Session, name: str, data: dict[str, Any]) -> dict[str, Any]:
        frame = {"op": DISPATCH, "t": name, "s": len(session.sent) + 1, "d": data}
        session.sent.append(frame)
        return frame


async def _send(socket: web.WebSocketResponse, frame: dict[str, Any]) -> None:
    if not socket.closed:
        try:
            await socket.send_str(json.dumps(frame))
        except (ConnectionError, RuntimeError):
            return  # the socket closed while we wrote; a resume replays the frame
