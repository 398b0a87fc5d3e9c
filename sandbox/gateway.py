"""The loopback gateway: HELLO, IDENTIFY, heartbeats, dispatches, RESUME with replay, forced reconnects.

Sessions outlive their sockets, as Discord's do: what happens while the bot is away is replayed when it resumes. Each
session keeps its frames in order; one pump per socket sends them from where that socket stands, so that a replay and
live events can't overtake or double each other. A session whose bot was killed simply never moves on.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

import discord
from aiohttp import WSMsgType, web

from sandbox.world.payloads import bot_message_json, guild_json, member_json, user_json
from sandbox.world.things import DM, Event, Json
from sandbox.world.world import World

HEARTBEAT_MS = 41_250
ACK_DELAY_SECONDS = 0.01
DISALLOWED_INTENTS, AUTHENTICATION_FAILED = 4014, 4004
# A session whose socket is gone can be resumed for this long.
SESSION_SECONDS = 120.0


class Opcode(IntEnum):
    """What a frame is."""

    DISPATCH = 0
    HEARTBEAT = 1
    IDENTIFY = 2
    RESUME = 6
    RECONNECT = 7
    REQUEST_MEMBERS = 8
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11


# Which intent an event needs; events that are not listed reach every bot.
INTENT_OF = {
    "GUILD_CREATE": "guilds",
    "GUILD_DELETE": "guilds",
    "GUILD_ROLE_CREATE": "guilds",
    "GUILD_ROLE_UPDATE": "guilds",
    "GUILD_ROLE_DELETE": "guilds",
    "CHANNEL_CREATE": "guilds",
    "CHANNEL_UPDATE": "guilds",
    "CHANNEL_DELETE": "guilds",
    "THREAD_CREATE": "guilds",
    "THREAD_UPDATE": "guilds",
    "THREAD_DELETE": "guilds",
    "THREAD_MEMBERS_UPDATE": "members",
    "GUILD_MEMBER_ADD": "members",
    "GUILD_MEMBER_UPDATE": "members",
    "GUILD_MEMBER_REMOVE": "members",
}
# What happens in the world that Discord's gateway does not send to bots under this name.
NOT_SENT = {"INTERACTION_ACKNOWLEDGED", "INTERACTION_FAILED", "COMMANDS"}


@dataclass(slots=True)
class Session:
    """One identified bot: what it wants to hear, everything it was sent, and how far its socket is (`position`)."""

    id: str
    intents: discord.Intents
    sent: list[Json] = field(default_factory=list[Json])
    position: int = 0
    socket: web.WebSocketResponse | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    lost_at: float | None = None

    def add(self, name: str, data: Json) -> None:
        self.sent.append({"op": Opcode.DISPATCH, "t": name, "s": len(self.sent) + 1, "d": data})
        self.changed.set()


class Gateway:
    """Accepts sockets and passes the world's events to the sessions that may hear them.

    `refused_intents` are privileged intents that the application's page leaves switched off (close code 4014);
    `token()` is the only one taken, None takes any (4004).
    """

    def __init__(self, world: World, base_url: Callable[[], str], token: Callable[[], str | None]) -> None:
        self.world = world
        self._base_url, self._token = base_url, token
        self.sessions: dict[str, Session] = {}
        self.identified = self.resumed = 0
        self.refused_intents = discord.Intents.none()
        self._sockets: set[web.WebSocketResponse] = set()
        self._stop = world.subscribe(self._on_event)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        self._sockets.add(socket)
        session: Session | None = None
        pump: asyncio.Task[None] | None = None
        try:
            await _send(socket, {"op": Opcode.HELLO, "d": {"heartbeat_interval": HEARTBEAT_MS}})
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    session = await self._receive(socket, json.loads(frame.data), session)
                    if session is not None and pump is None:
                        pump = asyncio.create_task(_pump(session, socket))
        finally:
            self._sockets.discard(socket)
            if pump is not None:
                pump.cancel()
            if session is not None and session.socket is socket:
                session.socket, session.lost_at = None, self.world.elapsed()
                self.world.tell("BOT_GONE", {"session_id": session.id}, only_for=0)
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
            await _send(socket, {"op": Opcode.RECONNECT, "d": None})

    async def invalidate(self) -> None:
        """Opcode 9 without resume: the bot has to identify again."""
        for session in list(self.sessions.values()):
            if session.socket is not None:
                await _send(session.socket, {"op": Opcode.INVALID_SESSION, "d": False})
        self.sessions.clear()

    # ---- what the bot sends ----------------------------------------------------------------------------------------

    async def _receive(self, socket: web.WebSocketResponse, data: Json, session: Session | None) -> Session | None:
        match data["op"]:
            case Opcode.HEARTBEAT:
                # discord.py notes when it sent a heartbeat only after sending; an answer may not come before that.
                await asyncio.sleep(ACK_DELAY_SECONDS)
                await _send(socket, {"op": Opcode.HEARTBEAT_ACK, "d": None})
            case Opcode.IDENTIFY:
                return await self._identify(socket, data["d"])
            case Opcode.RESUME:
                return await self._resume(socket, data["d"])
            case Opcode.REQUEST_MEMBERS if session is not None:
                self._send_members(session, data["d"])
            case _:
                return session  # presence and voice updates change nothing here
        return session

    async def _identify(self, socket: web.WebSocketResponse, data: Json) -> Session | None:
        if self._token() not in (None, data["token"]):
            await socket.close(code=AUTHENTICATION_FAILED)
            return None
        if data["intents"] & self.refused_intents.value:
            await socket.close(code=DISALLOWED_INTENTS)
            return None
        self._forget_lost()
        session = Session(secrets.token_hex(8), discord.Intents._from_value(data["intents"]), socket=socket)
        self.sessions[session.id] = session
        self.identified += 1
        self.world.bot_reads_content = session.intents.message_content
        session.add("READY", self._ready(session))
        self.world.tell("BOT_CONNECTED", {"session_id": session.id}, only_for=0)
        for guild in self.world.guilds.values():
            if self.world.bot.id in guild.members:
                session.add("GUILD_CREATE", guild_json(self.world, guild, with_members=session.intents.members))
        return session

    def _ready(self, session: Session) -> Json:
        world = self.world
        return {
            "v": 10,
            "user": user_json(world.bot),
            "guilds": [
                {"id": str(guild.id), "unavailable": True}
                for guild in world.guilds.values()
                if world.bot.id in guild.members
            ],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self._base_url().replace("http", "ws") + "/gateway/",
            "application": {"id": str(world.application_id), "flags": 1 << 19},
            "private_channels": [],
        }

    async def _resume(self, socket: web.WebSocketResponse, data: Json) -> Session | None:
        self._forget_lost()
        session = self.sessions.get(data["session_id"])
        if session is None or data["seq"] > len(session.sent):
            await _send(socket, {"op": Opcode.INVALID_SESSION, "d": False})
            return None
        session.socket, session.lost_at, session.position = socket, None, int(data["seq"])
        self.resumed += 1
        session.add("RESUMED", {})
        self.world.tell("BOT_CONNECTED", {"session_id": session.id}, only_for=0)
        return session

    def _forget_lost(self) -> None:
        """Sessions that nobody resumed for a while, such as those of a killed bot."""
        for session in list(self.sessions.values()):
            if session.lost_at is not None and self.world.elapsed() - session.lost_at > SESSION_SECONDS:
                del self.sessions[session.id]

    def _send_members(self, session: Session, data: Json) -> None:
        guild = self.world.guilds[int(data["guild_id"])]
        wanted = data.get("user_ids") or list(guild.members)
        wanted = [int(one) for one in (wanted if isinstance(wanted, list) else [wanted])]
        chunk = {
            "guild_id": str(guild.id),
            "members": [member_json(self.world, guild, one) for one in wanted if one in guild.members],
            "not_found": [str(one) for one in wanted if one not in guild.members],
            "chunk_index": 0,
            "chunk_count": 1,
            "nonce": data.get("nonce"),
        }
        session.add("GUILD_MEMBERS_CHUNK", chunk)

    # ---- what happens in the world ---------------------------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        """Add the event to each session that may hear it."""
        if event.only_for is not None or event.name in NOT_SENT or not self._concerns_bot(event):
            return
        for session in self.sessions.values():
            if self._wants(session, event):
                session.add(event.name, self._shape(session, event))

    def _concerns_bot(self, event: Event) -> bool:
        channel = self.world.channels.get(event.channel_id or 0)
        if channel is not None and event.name != "INTERACTION_CREATE":
            return self.world.can_see(self.world.bot.id, channel)
        guild = self.world.guilds.get(int(event.data.get("guild_id") or 0))
        return guild is None or self.world.bot.id in guild.members

    def _wants(self, session: Session, event: Event) -> bool:
        channel = self.world.channels.get(event.channel_id or 0)
        place = "dm" if channel is not None and channel.type == DM else "guild"
        if event.name.startswith("MESSAGE"):
            kind = "reactions" if "REACTION" in event.name else "messages"
            return getattr(session.intents, f"{place}_{kind}")
        if event.name == "TYPING_START":
            return getattr(session.intents, f"{place}_typing")
        intent = INTENT_OF.get(event.name)
        return intent is None or getattr(session.intents, intent)

    def _shape(self, session: Session, event: Event) -> Json:
        """The event as this bot gets it: members and other people's words only with their intents."""
        if event.name == "GUILD_CREATE":
            guild = self.world.guilds[int(event.data["id"])]
            shown = guild_json(self.world, guild, with_members=session.intents.members)
            del shown["unavailable"]  # with this key discord.py takes a new server for one that came back
            return shown
        if event.name in ("MESSAGE_CREATE", "MESSAGE_UPDATE"):
            message = self.world.messages.get(int(event.data["id"]))
            return event.data if message is None else bot_message_json(self.world, message, self._base_url())
        return event.data


async def _pump(session: Session, socket: web.WebSocketResponse) -> None:
    """Send a session's frames on its socket, in order, until the socket is gone or replaced."""
    while session.socket is socket and not socket.closed:
        while session.position < len(session.sent) and session.socket is socket:
            frame = session.sent[session.position]
            session.position += 1
            await _send(socket, frame)
        session.changed.clear()
        if session.position >= len(session.sent):
            await session.changed.wait()


async def _send(socket: web.WebSocketResponse, frame: Json) -> None:
    if not socket.closed:
        try:
            await socket.send_str(json.dumps(frame))
        except (ConnectionError, RuntimeError):
            return  # the socket closed while we wrote; a resume replays the frame
