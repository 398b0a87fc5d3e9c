"""What people do: type commands, press buttons, fill in modals, write, react; and wait for what comes of it.

ana = Person(server, user_id)
asked = await ana.slash(channel, "imagine", prompt="1girl")
message = await ana.until(lambda: ...)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import discord

from sandbox.payloads import attachment_json, interaction_json, member_json, message_json, user_json
from sandbox.server import LoopbackDiscord
from sandbox.uploads import new_attachment
from sandbox.world import Channel, Interaction, Message

Json = dict[str, Any]
File = tuple[str, bytes]
Found = TypeVar("Found")

OPTION_TYPES = {str: 3, int: 4, bool: 5, float: 10}
SUBCOMMAND, GROUP, ATTACHMENT = 1, 2, 11
WAIT_SECONDS = 30.0


class Refused(Exception):
    """The client would not let this person do that; the text says why."""


class Person:
    """One user with a client."""

    def __init__(self, server: LoopbackDiscord, user_id: int) -> None:
        self.server, self.world, self.id = server, server.world, user_id

    # ---- commands --------------------------------------------------------------------------------------------------

    def commands(self, channel: Channel) -> list[Json]:
        """The commands that Discord would show this person here."""
        return [command for command in self._registered(channel.guild_id) if self._is_shown(command, channel)]

    async def slash(self, channel: Channel, name: str, /, **options: Any) -> Interaction:
        """Type a command (`"quota set"` for a subcommand) and wait for its first answer. Files are (name, bytes)."""
        command = self._visible(channel, name.split()[0])
        return await self._send(channel, self._command_payload(command, name.split()[1:], options))

    async def force(self, channel: Channel, name: str, /, **options: Any) -> Interaction:
        """The same, as a client that shows commands which it should hide."""
        command = next(one for one in self._registered(channel.guild_id) if one["name"] == name.split()[0])
        return await self._send(channel, self._command_payload(command, name.split()[1:], options))

    async def autocomplete(
        self, channel: Channel, name: str, focused: str, typed: str, /, **options: Any
    ) -> list[Json]:
        """The suggestions for one option while it is being typed."""
        command = self._visible(channel, name.split()[0])
        payload = self._command_payload(command, name.split()[1:], {**options, focused: typed})
        _mark_focused(payload["data"]["options"], focused)
        return (await self._send(channel, payload | {"type": 4})).choices or []

    async def menu(self, channel: Channel, name: str, target: Message | int) -> Interaction:
        """A context menu command on a message, or on a user (by id)."""
        command = self._visible(channel, name)
        data: Json = {"id": command["id"], "name": name, "type": command["type"]}
        if isinstance(target, Message):
            shown = message_json(self.world, target, self.server.base_url)
            data |= {"target_id": str(target.id), "resolved": {"messages": {str(target.id): shown}}}
        else:
            data |= {"target_id": str(target), "resolved": self._resolved_user(channel, target)}
        return await self._send(channel, {"type": 2, "data": data})

    # ---- components ------------------------------------------------------------------------------------------------

    async def click(self, message: Message, label: str) -> Interaction:
        """Press the button with this label, emoji or custom_id."""
        return await self._component(message, self._find(message, label), {})

    async def select(self, message: Message, custom_id: str, *values: str) -> Interaction:
        return await self._component(message, self._find(message, custom_id), {"values": list(values)})

    async def submit(self, opened: Interaction, **values: Any) -> Interaction:
        """Fill in the modal that an interaction opened, by the fields' custom_id, and send it."""
        assert opened.modal is not None, "no modal was opened"
        components = [_filled(row, values) for row in opened.modal["components"]]
        payload = {"type": 5, "data": {"custom_id": opened.modal["custom_id"], "components": components}}
        return await self._send(self.world.channels[opened.channel_id], payload, opened.source_message_id)

    async def _component(self, message: Message, component: Json, extra: Json) -> Interaction:
        if component.get("disabled"):
            raise Refused("the button is disabled")
        data = {"custom_id": component["custom_id"], "component_type": component["type"], **extra}
        channel = self.world.channels[message.channel_id]
        return await self._send(channel, {"type": 3, "data": data}, message.id)

    def _find(self, message: Message, wanted: str) -> Json:
        if message.only_for not in (None, self.id):
            raise Refused("this person does not see that message")
        for component in walk(message.components):
            emoji = (component.get("emoji") or {}).get("name")
            if wanted in (component.get("label"), component.get("custom_id"), emoji):
                return component
        raise Refused(f"no component {wanted!r} among {[one.get('label') for one in walk(message.components)]}")

    # ---- messages --------------------------------------------------------------------------------------------------

    async def say(self, channel: Channel, content: str, *files: File, reply_to: Message | None = None) -> Message:
        self.world.require(self.id, channel, "send_messages")
        message = Message(self.world.new_id(), channel.id, self.id, content)
        message.mentions = [user.id for user in self.world.users.values() if f"<@{user.id}>" in content]
        message.attachments = [new_attachment(self.world, name, data) for name, data in files]
        if reply_to is not None:
            message.reference = {"message_id": str(reply_to.id), "channel_id": str(channel.id)}
        self.world.post(message)
        self._tell("MESSAGE_CREATE", message)
        return message

    async def edit(self, message: Message, content: str) -> None:
        message.content, message.edited_at = content, self.world.now()
        self._tell("MESSAGE_UPDATE", message)

    async def delete(self, message: Message) -> None:
        if message.author_id != self.id:
            self.world.require(self.id, self.world.channels[message.channel_id], "manage_messages")
        self.world.delete(message)

    async def react(self, message: Message, emoji: str) -> None:
        self.server.rest.add_reaction(message, emoji, self.id)

    async def unreact(self, message: Message, emoji: str) -> None:
        self.server.rest.remove_reaction(message, emoji, self.id)

    def _tell(self, name: str, message: Message) -> None:
        shown = message_json(self.world, message, self.server.base_url)
        self.world.tell(name, shown, message.channel_id, message.only_for)

    # ---- looking and waiting ---------------------------------------------------------------------------------------

    def sees(self, channel: Channel) -> list[Message]:
        return self.world.history(channel.id, self.id) if self.world.can_see(self.id, channel) else []

    def answer(self, interaction: Interaction) -> Message:
        """The message that answered an interaction."""
        message = self.world.messages.get(interaction.response_message_id or 0)
        assert message is not None, "the interaction has no answer (any more)"
        return message

    def dm(self) -> Channel:
        return self.world.open_dm(self.id)

    async def until(self, condition: Callable[[], Found | None], seconds: float = WAIT_SECONDS) -> Found:
        """Wait, event by event, until `condition` gives something."""
        return await wait_for(self.server, condition, seconds)

    # ---- interactions ----------------------------------------------------------------------------------------------

    async def _send(self, channel: Channel, payload: Json, source_message_id: int | None = None) -> Interaction:
        interaction = self.world.open_interaction(self.id, channel, payload, source_message_id)
        data = interaction_json(self.world, interaction, self.server.base_url)
        data.pop("_files", None)
        self.world.tell("INTERACTION_CREATE", data)
        await self.until(lambda: interaction.acknowledged)
        return interaction

    def _registered(self, guild_id: int | None) -> list[Json]:
        return self.world.commands[None] + (self.world.commands.get(guild_id, []) if guild_id else [])

    def _is_shown(self, command: Json, channel: Channel) -> bool:
        if channel.guild_id is None:
            contexts = command.get("contexts")
            return 1 in contexts if contexts is not None else command.get("dm_permission", True)
        contexts = command.get("contexts")
        held = discord.Permissions(self.world.permissions(self.id, channel))
        if (contexts is not None and 0 not in contexts) or not held.use_application_commands:
            return False
        if command.get("nsfw") and not self.world.is_nsfw(channel):
            return False
        needed = command.get("default_member_permissions")
        if needed is None or held.administrator:
            return True
        return int(needed) != 0 and held.value & int(needed) == int(needed)

    def _visible(self, channel: Channel, name: str) -> Json:
        for command in self.commands(channel):
            if command["name"] == name:
                return command
        raise Refused(f"/{name} is not shown to this person here")

    def _command_payload(self, command: Json, path: list[str], options: Json) -> Json:
        node, resolved, files = command, _Resolved(), []
        wrappers: list[tuple[str, int]] = []
        for step in path:
            node = next(one for one in node["options"] if one["name"] == step)
            wrappers.append((step, node["type"]))
        given = [self._option(node, name, value, resolved, files) for name, value in options.items()]
        for name, kind in reversed(wrappers):
            given = [{"name": name, "type": kind, "options": given}]
        data: Json = {"id": command["id"], "name": command["name"], "type": 1, "options": given}
        if resolved.data:
            data["resolved"] = resolved.data
        return {"type": 2, "data": data, "_files": files}

    def _option(self, command: Json, name: str, value: Any, resolved: _Resolved, files: list[Any]) -> Json:
        definition = next((one for one in command.get("options") or [] if one["name"] == name), None)
        if definition is None:
            raise Refused(f"{command['name']} has no option {name}")
        kind = definition["type"]
        _check_range(definition, value)
        if kind == ATTACHMENT:
            attachment = new_attachment(self.world, value[0], value[1])
            files.append(attachment)
            shown = attachment_json(attachment, 0, self.server.base_url)
            resolved.add("attachments", attachment.id, shown)
            value = str(attachment.id)
        elif kind in (6, 7, 8, 9):
            self._resolve(kind, int(value), resolved)
            value = str(value)
        return {"name": name, "type": kind, "value": value}

    def _resolve(self, kind: int, target: int, resolved: _Resolved) -> None:
        from sandbox.payloads import channel_json, role_json

        world = self.world
        guild = next((one for one in world.guilds.values() if target in one.roles or target in one.members), None)
        if target in world.users:
            resolved.add("users", target, user_json(world.users[target]))
            if guild is not None:
                member = member_json(world, guild, target) | {
                    "permissions": str(world.guild_permissions(target, guild))
                }
                del member["user"]
                resolved.add("members", target, member)
        elif target in world.channels:
            channel = world.channels[target]
            shown = channel_json(world, channel) | {"permissions": str(world.permissions(self.id, channel))}
            resolved.add("channels", target, shown)
        elif guild is not None:
            resolved.add("roles", target, role_json(guild.roles[target]))
        else:
            raise Refused(f"nothing has the id {target} (option type {kind})")

    def _resolved_user(self, channel: Channel, user_id: int) -> Json:
        resolved = _Resolved()
        self._resolve(6, user_id, resolved)
        assert channel.id
        return resolved.data


class _Resolved:
    """The `resolved` part of a command's payload."""

    def __init__(self) -> None:
        self.data: Json = {}

    def add(self, kind: str, key: int, value: Json) -> None:
        self.data.setdefault(kind, {})[str(key)] = value


async def wait_for(
    server: LoopbackDiscord, condition: Callable[[], Found | None], seconds: float = WAIT_SECONDS
) -> Found:
    """Wait until `condition` gives something; it is looked at after every event and request."""
    changed = asyncio.Event()
    stop = server.world.subscribe(lambda _: changed.set())
    try:
        async with asyncio.timeout(seconds):
            while not (found := condition()):
                changed.clear()
                await changed.wait()
            return found
    finally:
        stop()


def walk(components: list[Json]) -> list[Json]:
    """All components of a message, those in rows, sections and containers too."""
    found: list[Json] = []
    for one in components:
        found.append(one)
        found += walk(one.get("components") or [])
        found += walk([one["accessory"]] if one.get("accessory") else [])
    return [one for one in found if one.get("type") != 1]


def _mark_focused(options: list[Json], name: str) -> None:
    for option in options:
        if option["name"] == name:
            option["focused"] = True
        _mark_focused(option.get("options", []), name)


def _check_range(definition: Json, value: Any) -> None:
    """What a client does not let people type."""
    name = definition["name"]
    if definition.get("choices") and value not in [one["value"] for one in definition["choices"]]:
        raise Refused(f"{name} is one of {[one['value'] for one in definition['choices']]}")
    measure = len(value) if isinstance(value, str) else value
    low, high = ("min_length", "max_length") if isinstance(value, str) else ("min_value", "max_value")
    if definition["type"] in (3, 4, 10) and not definition.get("autocomplete"):
        if low in definition and measure < definition[low]:
            raise Refused(f"{name} is below {definition[low]}")
        if high in definition and measure > definition[high]:
            raise Refused(f"{name} is above {definition[high]}")


def _filled(row: Json, values: Json) -> Json:
    """A modal's row as the client sends it back; fields that nobody filled in keep what they showed."""
    if "component" in row:  # a label
        return {"type": row["type"], "id": row.get("id", 1), "component": _filled_field(row["component"], values)}
    if "components" in row:
        return {"type": row["type"], "components": [_filled_field(one, values) for one in row["components"]]}
    return {"type": row["type"], "id": row.get("id", 1)}


def _filled_field(component: Json, values: Json) -> Json:
    custom_id = component["custom_id"]
    shown: Json = {"type": component["type"], "id": component.get("id", 1), "custom_id": custom_id}
    if component["type"] == 4:
        return shown | {"value": str(values.get(custom_id, component.get("value") or ""))}
    given = values.get(custom_id)
    if given is None:
        defaults = [one["value"] for one in component.get("options") or [] if one.get("default")]
        defaults += [str(one["id"]) for one in component.get("default_values") or []]
        return shown | {"values": defaults}
    return shown | {"values": [str(one) for one in (given if isinstance(given, list | tuple) else [given])]}
