"""The Discord client itself: which cogs it has, which buttons it knows for ever, when it registers its commands."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import Any

import discord
from discord.ext import commands

from cogs.cases import appeals
from cogs.cases.review import Review
from cogs.community import registry as community
from cogs.community.registry import community_cogs
from cogs.core.background import Rounds
from cogs.core.errors import Tree
from cogs.core.rate_limit import Pace
from cogs.imagine import buttons
from cogs.imagine.command import Imagine
from cogs.imagine.delivery import Delivery
from cogs.imagine.progress import EDIT_INTERVAL_SECONDS, Board
from cogs.member import terms
from cogs.member.info import Info
from cogs.member.terms import Terms, ask_for_consent
from cogs.moderation import registry as moderators
from cogs.moderation.registry import moderators_cogs
from cogs.prompt_channels.messages import PromptMessages
from service import Service

log = logging.getLogger(__name__)

SERVERS_ONLY = discord.app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False)


class Bot(commands.Bot):
    """discord.py's bot with our service. Without a service it only knows its commands (`python bot.py --commands`)."""

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
            tree_cls=Tree,
            allowed_mentions=discord.AllowedMentions.none(),
            allowed_contexts=discord.app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=False),
            allowed_installs=discord.app_commands.AppInstallationType(guild=True, user=False),
            max_ratelimit_timeout=60.0,
            guild_ready_timeout=guild_ready_timeout,
            **options,
        )
        self._service = service
        self.pace = Pace()
        self.board = Board(self, edit_interval_seconds)
        self.delivery = Delivery(self)
        self.ask_for_consent = ask_for_consent
        self.remedy_for = appeals.remedy_for
        self.rounds = Rounds(self)
        self.review = Review(self)
        self.prompts = PromptMessages(self)

    @property
    def service(self) -> Service:
        if self._service is None:
            raise RuntimeError("this bot was built without a service")
        return self._service

    async def add_command_cogs(self) -> None:
        """The cogs with commands in them."""
        for cog in (Imagine(self), Info(self), Terms(self), *community_cogs(self), *moderators_cogs(self)):
            await self.add_cog(cog)
        for command in self.tree.get_commands():
            if command.guild_only:  # discord.py leaves it in direct messages, which all other commands allow
                command.allowed_contexts = SERVERS_ONLY

    async def on_message(self, message: discord.Message, /) -> None:
        """There are no text commands; what is written in prompt channels is their cog's business."""

    async def delete_quietly(self, channel_id: int, message_id: int) -> None:
        """Take a message away, unless somebody was faster or we may not."""
        try:
            await self.http.delete_message(channel_id, message_id)
        except (discord.NotFound, discord.Forbidden) as error:
            log.info("message %d could not be deleted: %s", message_id, error)

    async def setup_hook(self) -> None:
        self.add_dynamic_items(*buttons.BUTTONS, *terms.BUTTONS, *community.BUTTONS, *moderators.BUTTONS)
        await self.add_command_cogs()
        await self.add_cog(self.board)
        await self.add_cog(self.delivery)
        await self.add_cog(self.rounds)
        await self.add_cog(self.prompts)
        await self._register_commands()

    def command_payload(self) -> list[dict[str, Any]]:
        """The application commands as Discord gets them."""
        return [command.to_dict(self.tree) for command in self.tree.get_commands()]

    async def _register_commands(self) -> None:
        """Tell Discord about the commands, but only when they have changed: it limits how often one may."""
        fingerprint = hashlib.sha256(json.dumps(self.command_payload(), sort_keys=True).encode()).hexdigest()
        key = f"commands of application {self.application_id}"
        if await self.service.recall(key) == fingerprint:
            return
        await self.tree.sync()
        await self.service.remember(key, fingerprint)
        log.info("application commands registered")


def _intents(message_content: bool) -> discord.Intents:
    intents = discord.Intents.none()
    intents.guilds = intents.guild_messages = intents.dm_messages = True
    intents.guild_reactions = True
    intents.message_content = message_content
    return intents
