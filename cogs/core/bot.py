"""The Discord client itself: what every cog can rely on, and when its commands are registered.

It imports no cog: `cogs/setup.py` lists what there is, and is loaded as an extension.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import discord
from discord import ui
from discord.ext import commands

from cogs.core.answers import LOST, Meaning, meaning_of
from cogs.core.background import BackgroundTasks
from cogs.core.rate_limit import RateLimit
from domain import UserError
from domain.frozen import frozen
from service import Service

log = logging.getLogger(__name__)

SETUP = "cogs.setup"
EDIT_INTERVAL_SECONDS = 2.5

Kind = TypeVar("Kind", bound=commands.Cog)


@frozen
class Answer:
    """A message for one person."""

    content: str | None = None
    embed: discord.Embed | None = None
    view: ui.View | None = None


class Bot(commands.Bot):
    """discord.py's bot with our service. Without a service it only knows its commands (`python bot.py --commands`)."""

    service: Service

    def __init__(
        self,
        service: Service | None,
        *,
        message_content: bool = False,
        edit_interval_seconds: float = EDIT_INTERVAL_SECONDS,
        guild_ready_timeout: float = 2.0,
        **options: Any,
    ) -> None:
        # It never speaks: no warnings about libraries for voice that are not installed.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=_intents(message_content),
            allowed_mentions=discord.AllowedMentions.none(),
            allowed_contexts=discord.app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=False),
            allowed_installs=discord.app_commands.AppInstallationType(guild=True, user=False),
            max_ratelimit_timeout=60.0,
            guild_ready_timeout=guild_ready_timeout,
            **options,
        )
        if service is not None:
            self.service = service
        self.edit_interval_seconds = edit_interval_seconds
        self.rate_limit = RateLimit()
        self.background = BackgroundTasks()
        self.remedies: dict[type[UserError], Remedy] = {}
        self._command_mentions: dict[str, str] = {}
        self._background_task: asyncio.Task[None] | None = None

    @property
    def has_service(self) -> bool:
        return hasattr(self, "service")

    def cog(self, kind: type[Kind]) -> Kind:
        """The one cog of this class."""
        found = self.get_cog(kind.__cog_name__)
        if not isinstance(found, kind):
            raise LookupError(f"{kind.__name__} is not loaded; see cogs/setup.py")
        return found

    async def on_message(self, message: discord.Message, /) -> None:
        """There are no text commands; what is written in prompt channels is their cog's business."""

    # ---- saying something; whatever passes is raised, so that the caller's task tries again --------------------------

    async def post(self, channel_id: int, content: str | None = None, **message: Any) -> int | None:
        """Write into a channel once it is our turn there; the message's id, or None if it will never be taken."""
        await self.rate_limit.take(channel_id)
        try:
            return (await self.get_partial_messageable(channel_id).send(content, **message)).id
        except discord.HTTPException as error:
            _require_final(error)
            log.warning("channel %d does not take a message: %s", channel_id, error)
            return None

    async def send_privately(self, user_id: int, content: str, **message: Any) -> bool:
        """Write a direct message; False if this person takes none from us."""
        try:
            user = self.get_user(user_id) or await self.fetch_user(user_id)
            await user.send(content, **message)
        except discord.HTTPException as error:
            _require_final(error)
            log.info("user %d takes no direct message: %s", user_id, error)
            return False
        return True

    async def delete_quietly(self, channel_id: int, message_id: int) -> None:
        """Take a message away, unless somebody was faster or we may not."""
        try:
            await self.http.delete_message(channel_id, message_id)
        except discord.HTTPException as error:
            _require_final(error)
            log.info("message %d could not be deleted: %s", message_id, error)

    async def mention(self, command: str) -> str:
        """A command's name as people can click it; plain where Discord does not say now which id it has."""
        if not self._command_mentions:
            try:
                self._command_mentions = {one.name: one.mention for one in await self.tree.fetch_commands()}
            except LOST as error:
                log.info("Discord does not list the commands now: %s", error)
        return self._command_mentions.get(command, f"`/{command}`")

    async def setup_hook(self) -> None:
        await self.load_extension(SETUP)
        self.background.listen(self.service)
        self._background_task = asyncio.create_task(self._run_background(), name="background")
        await self._register_commands()

    async def close(self) -> None:
        if self._background_task is not None:
            self._background_task.cancel()
            await asyncio.gather(self._background_task, return_exceptions=True)
        await super().close()

    async def _run_background(self) -> None:
        await self.wait_until_ready()
        await self.background.run()

    def command_payload(self) -> list[dict[str, Any]]:
        """The application commands as Discord gets them."""
        return [command.to_dict(self.tree) for command in self.tree.get_commands()]

    async def _register_commands(self) -> None:
        """Tell Discord about the commands, but only when they have changed: it limits how often one may."""
        fingerprint = hashlib.sha256(json.dumps(self.command_payload(), sort_keys=True).encode()).hexdigest()
        key = f"commands:{self.application_id}"
        if await self.service.recall(key) == fingerprint:
            return
        try:
            await self.tree.sync()
        except LOST as error:
            # The bot works with the commands that Discord knows; the next start tries again.
            self.service.health.note("registering the commands with Discord", error)
            return
        await self.service.remember(key, fingerprint)
        log.info("application commands registered")


class Cog(commands.Cog):
    """What every topic's cog begins with: the bot whose commands, buttons and background tasks it adds."""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot


class GroupCog(Cog, commands.GroupCog):
    """A cog whose commands are the subcommands of one."""


Interaction = discord.Interaction[Bot]
# What a person gets instead of an error's bare sentence.
Remedy = Callable[[Interaction, Any], Awaitable[Answer]]


def _require_final(error: discord.HTTPException) -> None:
    """Raise what may well be taken later."""
    if meaning_of(error) is Meaning.PASSING:
        raise error


def _intents(message_content: bool) -> discord.Intents:
    intents = discord.Intents.none()
    intents.guilds = intents.guild_messages = intents.dm_messages = True
    intents.guild_reactions = True
    intents.message_content = message_content
    return intents
