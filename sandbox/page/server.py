"""The page: what a person sees as JSON, what happens as events, what they do as actions."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from pathlib import Path
from typing import Any

import discord
from aiohttp import web

from sandbox.people.person import Person, Refused
from sandbox.server import LoopbackDiscord
from sandbox.world.payloads import COMMAND, message_json
from sandbox.world.things import ApiError, Channel, Event, Interaction, Json, Message
from sandbox.world.views import is_before, kind_of

FILES = Path(__file__).parent
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class PageServer:
    """Adds the page to a loopback server. `people` are the ids to switch between, the first one at the start."""

    def __init__(self, server: LoopbackDiscord, people: list[int], note: str = "") -> None:
        self.server, self.world = server, server.world
        self.people, self.note = people, note

    def mount(self) -> None:
        """Add the page's routes, and the people's direct messages; before the server starts."""
        for user_id in self.people:
            self.world.open_dm(user_id)
        router = self.server.app.router
        router.add_get("/", self._file)
        router.add_get("/page/{name}", self._file)
        router.add_get("/page-api/state", self._state)
        router.add_get("/page-api/events", self._events)
        router.add_post("/page-api/act", self._act)

    # ---- what there is to see --------------------------------------------------------------------------------------

    async def _file(self, request: web.Request) -> web.Response:
        path = FILES / request.match_info.get("name", "index.html")
        if path.suffix not in TYPES or path.parent != FILES or not path.is_file():
            raise web.HTTPNotFound
        content = await asyncio.to_thread(path.read_text, encoding="utf-8")
        return web.Response(text=content, content_type=TYPES[path.suffix])

    async def _state(self, request: web.Request) -> web.Response:
        person = self._person(request.query.get("user"))
        guild = next(iter(self.world.guilds.values()))
        channels = [one for one in self.world.channels.values() if self.world.can_see(person.id, one)]
        state = {
            "note": self.note,
            "guild": guild.name,
            "bot": {"id": str(self.world.bot.id), "name": self.world.bot.name},
            "user": str(person.id),
            "people": [
                {"id": str(one), "name": self.world.users[one].name, "role": self._role(one)} for one in self.people
            ],
            "roles": [{"id": str(role.id), "name": role.name} for role in guild.roles.values() if role.id != guild.id],
            "channels": [self._channel(one, person) for one in channels],
        }
        return web.json_response(state)

    def _role(self, user_id: int) -> str:
        guild = next(iter(self.world.guilds.values()))
        return ", ".join(guild.roles[role_id].name for role_id in guild.members.get(user_id, [])) or "member"

    def _channel(self, channel: Channel, person: Person) -> Json:
        kind = kind_of(channel)
        return {
            "id": str(channel.id),
            "name": self.world.bot.name if kind == "dm" else channel.name,
            "kind": kind,
            "nsfw": self.world.is_nsfw(channel),
            "topic": channel.topic,
            "manages": discord.Permissions(self.world.permissions(person.id, channel)).manage_messages,
            "commands": [one for one in person.commands(channel) if one.get("type", 1) == 1],
            "menus": [one for one in person.commands(channel) if one.get("type") == 3],
            "messages": [self._message(one) for one in person.sees(channel)],
        }

    def _message(self, message: Message) -> Json:
        data = message_json(self.world, message, "")
        data["only_for"] = str(message.only_for) if message.only_for else None
        interaction = self.world.interactions_by_id.get(message.interaction_id or 0)
        if interaction is not None and interaction.type == COMMAND:
            data["interaction_metadata"]["command"] = interaction.payload["data"]["name"]
        return data

    # ---- what happens ----------------------------------------------------------------------------------------------

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: what this person may see, as it happens."""
        person = self._person(request.query.get("user"))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        queue: asyncio.Queue[Json] = asyncio.Queue()
        stop = self.world.subscribe(lambda event: self._offer(queue, person, event))
        try:
            await response.write(b": hello\n\n")
            while True:
                await response.write(f"data: {json.dumps(await queue.get())}\n\n".encode())
        except ConnectionError:
            return response
        finally:
            stop()

    def _offer(self, queue: asyncio.Queue[Json], person: Person, event: Event) -> None:
        if not is_before(self.world, person.id, event):
            return
        if event.name.startswith("MESSAGE_DELETE"):
            for message_id in event.data.get("ids") or [event.data["id"]]:
                queue.put_nowait({"kind": "gone", "channel": event.data["channel_id"], "id": message_id})
        elif event.name.startswith("MESSAGE_"):
            message = self.world.messages.get(int(event.data.get("message_id") or event.data["id"]))
            if message is not None:
                shown = {"channel": str(message.channel_id), "message": self._message(message)}
                queue.put_nowait({"kind": "message"} | shown)
        elif event.name.startswith(("CHANNEL_", "THREAD_", "COMMANDS")):
            queue.put_nowait({"kind": "reload"})

    # ---- what people do --------------------------------------------------------------------------------------------

    async def _act(self, request: web.Request) -> web.Response:
        data = await request.json()
        person = self._person(data["user"])
        try:
            answer = await self._do(person, data)
        except (Refused, ApiError) as error:
            return web.json_response({"error": str(error)})
        return web.json_response(answer)

    async def _do(self, person: Person, data: Json) -> Json:
        channel = self.world.channels[int(data["channel"])]
        match data["action"]:
            case "slash":
                options = {name: _value(value) for name, value in data["options"].items()}
                return _outcome(await person.slash(channel, data["name"], **options))
            case "autocomplete":
                found = await person.autocomplete(
                    channel, data["name"], data["focused"], data["typed"], **data["options"]
                )
                return {"choices": found}
            case "click":
                return _outcome(await person.click(self._named(data), data["custom_id"]))
            case "select":
                return _outcome(await person.select(self._named(data), data["custom_id"], *data["values"]))
            case "menu":
                return _outcome(await person.menu(channel, data["name"], self._named(data)))
            case "modal":
                values = {name: _value(value) for name, value in data["values"].items()}
                return _outcome(await person.submit(self.world.interactions[data["token"]], **values))
            case "react":
                await person.react(self._named(data), data["emoji"])
                return {}
            case "say":
                target = self.world.messages.get(int(data.get("reply_to") or 0))
                await person.say(channel, data["content"], reply_to=target)
                return {}
            case "edit":
                await person.edit(self._named(data), data["content"])
                return {}
            case "delete":
                await person.delete(self._named(data))
                return {}
            case _:
                raise Refused("unknown action")

    def _named(self, data: Json) -> Message:
        """The message that an action is about."""
        message = self.world.messages.get(int(data["message"]))
        if message is None:
            raise Refused("that message is gone")
        return message

    def _person(self, wanted: str | None) -> Person:
        user_id = int(wanted) if wanted else self.people[0]
        if user_id not in self.people:
            raise web.HTTPForbidden
        return Person(self.server, user_id)


def _value(value: Any) -> Any:
    """Files come as {name, data: base64}, those of a form as a list of them."""
    if isinstance(value, list):
        return [_value(one) for one in value]
    if isinstance(value, dict):
        with contextlib.suppress(ValueError):
            return (value["name"], base64.b64decode(value["data"]))
    return value


def _outcome(interaction: Interaction) -> Json:
    """What the page must do next: show a modal, or jump to the answer."""
    shown = interaction.response_message_id
    modal = _with_text_ids(interaction.modal) | {"token": interaction.token} if interaction.modal else None
    return {"modal": modal, "message": str(shown) if shown else None}


def _with_text_ids(modal: Json) -> Json:
    """JavaScript's numbers are too short for the ids that menus of channels and roles begin with."""
    return json.loads(json.dumps(modal), object_hook=_id_as_text)


def _id_as_text(part: Json) -> Json:
    return {**part, "id": str(part["id"])} if part.keys() == {"id", "type"} else part
