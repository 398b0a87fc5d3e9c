"""What people do: type commands, press buttons, fill in modals, write, react; and wait for what comes of it.

ana = Person(server, user_id)
asked = await ana.slash(channel, "imagine", prompt="1girl")
message = ana.answer(asked)
await ana.until(lambda: message.attachments)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import discord

from sandbox.people.composing import Composer, mark_focused
from sandbox.people.refused import Refused
from sandbox.rest.bot_messages import set_mentions
from sandbox.rest.uploads import new_attachment
from sandbox.server import LoopbackDiscord
from sandbox.world import changes, views
from sandbox.world.layout import BUTTON, SELECTS, walk
from sandbox.world.payloads import interaction_json, message_json, without_embedded
from sandbox.world.things import Attachment, Channel, Interaction, Json, Message
from sandbox.world.world import World

__all__ = ["File", "NoAnswer", "Person", "Refused", "wait_for"]

File = tuple[str, bytes]
PRESSABLE = {BUTTON, *SELECTS}
Found = TypeVar("Found")

# How long a busy machine may take for what should happen at once. It bounds a test whose bot hangs; Discord's own three
# seconds are those of the world's clock.
WAIT_SECONDS = 120.0


class NoAnswer(Refused):
    """The bot did not answer an interaction in time: "The application did not respond"."""


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
        return await self._command(self._visible(channel, name.split()[0]), channel, name, options)

    async def force(self, channel: Channel, name: str, /, **options: Any) -> Interaction:
        """Type a command with a client that shows even those which it should hide."""
        command = next(one for one in self._registered(channel.guild_id) if one["name"] == name.split()[0])
        return await self._command(command, channel, name, options)

    async def autocomplete(
        self, channel: Channel, name: str, focused: str, typed: str, /, **options: Any
    ) -> list[Json]:
        """The suggestions for one option while it is being typed."""
        composer = self._composer(channel)
        command = self._visible(channel, name.split()[0])
        payload = composer.command(command, name.split()[1:], {**options, focused: typed})
        mark_focused(payload["data"]["options"], focused)
        return (await self._send(channel, payload | {"type": 4})).choices or []

    async def menu(self, channel: Channel, name: str, target: Message | int) -> Interaction:
        """A context menu command on a message, or on a user (by id)."""
        return await self._menu(self._visible(channel, name), channel, target)

    async def force_menu(self, channel: Channel, name: str, target: Message | int) -> Interaction:
        """Use a context menu command with a client that shows even those which it should hide."""
        command = next(one for one in self._registered(channel.guild_id) if one["name"] == name)
        return await self._menu(command, channel, target)

    async def _menu(self, command: Json, channel: Channel, target: Message | int) -> Interaction:
        composer, name = self._composer(channel), command["name"]
        data: Json = {"id": command["id"], "name": name, "type": command["type"]}
        if isinstance(target, Message):
            self._require_seeing(target)
            shown = without_embedded(message_json(self.world, target, self.server.base_url))
            data |= {"target_id": str(target.id), "resolved": {"messages": {str(target.id): shown}}}
        else:
            composer.refer(target)
            data |= {"target_id": str(target), "resolved": composer.resolved}
        return await self._send(channel, {"type": 2, "data": data})

    async def _command(self, command: Json, channel: Channel, name: str, options: Json) -> Interaction:
        composer = self._composer(channel)
        payload = composer.command(command, name.split()[1:], options)
        return await self._send(channel, payload, files=composer.files)

    # ---- components ------------------------------------------------------------------------------------------------

    async def click(self, message: Message, label: str) -> Interaction:
        """Press the button with this label, emoji or custom_id."""
        return await self._component(message, self._find(message, label), {})

    async def select(self, message: Message, custom_id: str, *values: str) -> Interaction:
        """Choose in a menu (by its custom_id or placeholder); people, roles and channels by id."""
        component = self._find(message, custom_id)
        composer = self._composer(self.world.channels[message.channel_id])
        return await self._component(message, component, composer.select(component, [str(one) for one in values]))

    async def submit(self, opened: Interaction, **values: Any) -> Interaction:
        """Fill in the modal that an interaction opened, by the fields' custom_id, and send it.

        A text is a str, a menu or a group of checkboxes takes one value or a list, a radio group a value, a checkbox a
        bool, a file upload one (name, bytes) or a list. What is not named stays as the form shows it.
        """
        assert opened.modal is not None, "no modal was opened"
        channel = self.world.channels[opened.channel_id]
        composer = self._composer(channel)
        payload = composer.modal(opened.modal, values)
        return await self._send(channel, payload, opened.source_message_id, composer.files)

    async def _component(self, message: Message, component: Json, extra: Json) -> Interaction:
        if component.get("disabled"):
            raise Refused("the button is disabled")
        if "custom_id" not in component:
            raise Refused("the button is a link")
        data = {"custom_id": component["custom_id"], "component_type": component["type"]}
        data |= {"id": component.get("id", 1), **extra}
        channel = self.world.channels[message.channel_id]
        return await self._send(channel, {"type": 3, "data": data}, message.id)

    def _find(self, message: Message, wanted: str) -> Json:
        self._require_seeing(message)
        components = [one for one in walk(message.components) if one.get("type") in PRESSABLE]
        for component in components:
            emoji = (component.get("emoji") or {}).get("name")
            if wanted in (component.get("label"), component.get("custom_id"), component.get("placeholder"), emoji):
                return component
        raise Refused(f"no component {wanted!r} among {[one.get('label') for one in components]}")

    def _require_seeing(self, message: Message) -> None:
        is_gone = message.id not in self.world.messages
        if is_gone or message not in self.sees(self.world.channels[message.channel_id]):
            raise Refused("this person does not see that message")

    # ---- messages --------------------------------------------------------------------------------------------------

    async def say(self, channel: Channel, content: str, *files: File, reply_to: Message | None = None) -> Message:
        """Write a message, with files as (name, bytes). Raises ApiError where this person may not."""
        self.world.require_sending(self.id, channel, *(["attach_files"] if files else []))
        message = Message(self.world.new_id(), channel.id, self.id, content)
        message.attachments = [new_attachment(self.world, name, data) for name, data in files]
        if reply_to is not None:
            message.reference = {"type": 0, "message_id": str(reply_to.id), "channel_id": str(channel.id)}
        set_mentions(self.world, message, None)
        self.world.post(message)
        self._tell("MESSAGE_CREATE", message)
        return message

    async def edit(self, message: Message, content: str) -> None:
        """Change a message of this person's own. Raises Refused for others."""
        if message.author_id != self.id:
            raise Refused("only the author edits a message")
        message.content, message.edited_at = content, self.world.now()
        set_mentions(self.world, message, None)
        self._tell("MESSAGE_UPDATE", message)

    async def delete(self, message: Message) -> None:
        """Delete a message of this person's own, or dismiss an ephemeral one, or moderate. Raises ApiError."""
        if message.author_id != self.id and message.only_for != self.id:
            self.world.require(self.id, self.world.channels[message.channel_id], "manage_messages")
        self.world.delete(message)

    async def react(self, message: Message, emoji: str) -> None:
        """React with an emoji, or with a server's own as `name:id`. Raises ApiError where this person may not."""
        needs = ["read_message_history"] + ([] if message.reactions.get(emoji) else ["add_reactions"])
        self.world.require(self.id, self.world.channels[message.channel_id], *needs)
        changes.react(self.world, message, emoji, self.id)

    async def unreact(self, message: Message, emoji: str) -> None:
        changes.unreact(self.world, message, emoji, self.id)

    def _tell(self, name: str, message: Message) -> None:
        changes.tell_message(self.world, name, message, self.server.base_url)

    # ---- looking and waiting ---------------------------------------------------------------------------------------

    def sees(self, channel: Channel) -> list[Message]:
        """The messages before this person's eyes, oldest first, ephemeral ones of others left out."""
        return self.world.history(channel.id, self.id) if self.world.can_see(self.id, channel) else []

    def view(self) -> Json:
        """Everything this person sees, as JSON: channels, their messages, the commands to choose from."""
        return views.view(self.world, self.id, self.server.base_url, self.commands)

    def events(self) -> AsyncIterator[Json]:
        """What happens before this person's eyes, as plain JSON, from the iteration's first step on."""
        return views.events(self.world, self.id)

    def answer(self, interaction: Interaction) -> Message:
        """The message that answered an interaction."""
        message = self.world.messages.get(interaction.response_message_id or 0)
        assert message is not None, "the interaction has no answer (any more)"
        return message

    def dm(self) -> Channel:
        """The direct messages with the bot."""
        return self.world.open_dm(self.id)

    async def until(self, condition: Callable[[], Found | None], seconds: float = WAIT_SECONDS) -> Found:
        """Wait, event by event, until `condition` gives something. Raises TimeoutError after so many real seconds."""
        return await wait_for(self.server, condition, seconds)

    # ---- interactions ----------------------------------------------------------------------------------------------

    async def _send(
        self,
        channel: Channel,
        payload: Json,
        source_message_id: int | None = None,
        files: list[Attachment] | None = None,
    ) -> Interaction:
        interaction = self.world.open_interaction(self.id, channel, payload, source_message_id)
        interaction.files = files or []
        data = interaction_json(self.world, interaction, self.server.base_url)
        self.world.tell("INTERACTION_CREATE", data)
        await self._wait_for_answer(interaction)
        return interaction

    async def _wait_for_answer(self, interaction: Interaction) -> None:
        """Wait as a client does: until the bot answers, or has not answered for three seconds of the world's clock."""
        timer: asyncio.TimerHandle | None = None
        if self.world.is_real_time:
            timer = asyncio.get_running_loop().call_later(self.world.ack_seconds, self.world.fail, interaction)
        try:
            await self.until(lambda: interaction.acknowledged or interaction.is_missed)
        except TimeoutError:
            raise NoAnswer(f"The application hangs: no answer within {WAIT_SECONDS:.0f} real seconds.") from None
        finally:
            if timer is not None:
                timer.cancel()
        if interaction.is_missed:
            raise NoAnswer(f"The application did not respond; after {self.world.ack_seconds:g} seconds it is too late.")

    def _composer(self, channel: Channel) -> Composer:
        return Composer(self.world, self.server.base_url, self.id, channel)

    def _registered(self, guild_id: int | None) -> list[Json]:
        return self.world.commands[None] + (self.world.commands.get(guild_id, []) if guild_id else [])

    def _is_shown(self, command: Json, channel: Channel) -> bool:
        contexts = command.get("contexts")
        if channel.guild_id is None:
            return 1 in contexts if contexts is not None else command.get("dm_permission", True)
        held = discord.Permissions(self.world.permissions(self.id, channel))
        if (contexts is not None and 0 not in contexts) or not held.use_application_commands:
            return False
        if self.world.bot.id not in self.world.guilds[channel.guild_id].members:
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


async def wait_for(
    server: LoopbackDiscord, condition: Callable[[], Found | None], seconds: float = WAIT_SECONDS
) -> Found:
    """Wait until `condition` gives something; it is looked at after every event and every request."""
    changed = asyncio.Event()
    stop = server.watch(changed.set)
    try:
        async with asyncio.timeout(seconds):
            while not (found := condition()):
                changed.clear()
                await changed.wait()
            return found
    finally:
        stop()


def person(server: LoopbackDiscord, name: str) -> Person:
    """The user with this name."""
    return Person(server, next(user.id for user in server.world.users.values() if user.name == name))


def channel_named(world: World, name: str) -> Channel:
    return next(channel for channel in world.channels.values() if channel.name == name)
