"""/channel: opening, changing and closing channels in which every message is a prompt."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import aiosqlite
import discord
from discord import app_commands
from discord.app_commands import Choice, Range
from discord.ext import commands

from cogs.core.channels import require_age_restricted
from cogs.core.checks import require_moderator
from cogs.core.text import inert
from cogs.moderation.quota_cards import rule_values
from cogs.prompt_channels.prompt_text import request_for
from db import audit, guild_settings, prompt_channels, quotas
from db.prompt_channels import PromptChannel
from domain import SEED_LIMIT, InvalidRequest, NotFound
from engine.request.presets import PRESETS

if TYPE_CHECKING:
    from cogs.core.bot import Bot

Interaction = discord.Interaction[Any]

BLUE = 0x5B8DEF
MAX_TAGS = 200
CLEAR = "none"

Shape = Literal["portrait", "square", "landscape"]
Answer = Literal["reply", "thread"]
Others = Literal["keep", "delete"]
Level = Literal["strict", "standard", "adult"]
Credits = Range[float, 0.0, 1_000_000.0]

OPTIONS = {
    "channel": "Which channel; this one if left out",
    "prefix": "Tags that come before every prompt",
    "suffix": "Tags that come after every prompt",
    "negative_prompt": "What every picture leaves out",
    "preset": "A named set of steps, scheduler and guidance",
    "shape": "Portrait, square or landscape",
    "seed": "The same seed for every picture; -1 for a new one each time",
    "cooldown": "Seconds a member waits between two pictures",
    "answer": "Reply to the message, or open a thread for each picture",
    "other_messages": "What happens to messages that are no prompt (they start with // or have no words)",
    "per_hour": "Credits that a member may spend here within any hour, as with /quota set channel",
    "level": "How strictly prompts and pictures are judged here, as in /settings panel",
}
NEEDED = discord.Permissions(
    view_channel=True, send_messages=True, embed_links=True, attach_files=True, read_message_history=True
)
NEEDED_FOR_THREADS = discord.Permissions(create_public_threads=True, send_messages_in_threads=True)


class Conditions(NamedTuple):
    """What holds in the channel by other rules than its own; None: as it was."""

    per_hour: float | None
    level: str | None


@app_commands.guild_only()
@app_commands.default_permissions(moderate_members=True)
class PromptChannels(commands.GroupCog, group_name="channel"):
    """Moderators open and close prompt channels."""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot

    @app_commands.command(name="open")
    @app_commands.describe(**OPTIONS)
    async def open_channel(
        self,
        interaction: Interaction,
        channel: discord.TextChannel | None = None,
        prefix: Range[str, 0, MAX_TAGS] = "",
        suffix: Range[str, 0, MAX_TAGS] = "",
        negative_prompt: Range[str, 0, MAX_TAGS] = "",
        preset: str | None = None,
        shape: Shape | None = None,
        seed: Range[int, -1, SEED_LIMIT - 1] = -1,
        cooldown: Range[int, 0, 86_400] = 0,
        answer: Answer = "reply",
        other_messages: Others = "keep",
        per_hour: Credits | None = None,
        level: Level | None = None,
    ) -> None:
        """Make a channel in which every message is a prompt"""
        guild_id = await require_moderator(interaction)
        place = _place(interaction, channel)
        if await prompt_channels.fetch(self.bot.service.database, place.id) is not None:
            raise InvalidRequest(f"<#{place.id}> is open already; `/channel edit` changes how it works.")
        settings = await guild_settings.load(self.bot.service.database, guild_id)
        opened = PromptChannel(
            channel_id=place.id,
            guild_id=guild_id,
            opened_by=interaction.user.id,
            prefix=prefix,
            suffix=suffix,
            negative_prompt=negative_prompt,
            preset=settings.preset if preset is None else _text(preset) or None,
            shape=shape or settings.shape or "square",
            seed=None if seed < 0 else seed,
            cooldown_seconds=cooldown,
            answer=answer,
            other_messages=other_messages,
        )
        await self._save(interaction, place, opened, "channel.open", Conditions(per_hour, level))

    @app_commands.command()
    @app_commands.describe(**OPTIONS)
    async def edit(
        self,
        interaction: Interaction,
        channel: discord.TextChannel | None = None,
        prefix: Range[str, 0, MAX_TAGS] | None = None,
        suffix: Range[str, 0, MAX_TAGS] | None = None,
        negative_prompt: Range[str, 0, MAX_TAGS] | None = None,
        preset: str | None = None,
        shape: Shape | None = None,
        seed: Range[int, -1, SEED_LIMIT - 1] | None = None,
        cooldown: Range[int, 0, 86_400] | None = None,
        answer: Answer | None = None,
        other_messages: Others | None = None,
        per_hour: Credits | None = None,
        level: Level | None = None,
    ) -> None:
        """Change how a prompt channel works; what is left out stays, "none" empties a text"""
        await require_moderator(interaction)
        place = _place(interaction, channel)
        old = await self._opened(place.id)
        changes = {
            "prefix": _text(prefix),
            "suffix": _text(suffix),
            "negative_prompt": _text(negative_prompt),
            "shape": shape,
            "cooldown_seconds": cooldown,
            "answer": answer,
            "other_messages": other_messages,
        }
        new = replace(old, **{name: value for name, value in changes.items() if value is not None})
        if preset is not None:
            new = replace(new, preset=_text(preset) or None)
        if seed is not None:
            new = replace(new, seed=None if seed < 0 else seed)
        await self._save(interaction, place, new, "channel.edit", Conditions(per_hour, level))

    @app_commands.command()
    @app_commands.describe(channel=OPTIONS["channel"])
    async def close(self, interaction: Interaction, channel: discord.TextChannel | None = None) -> None:
        """Messages in the channel are only messages again"""
        guild_id, service = await require_moderator(interaction), self.bot.service
        place = _place(interaction, channel)
        await self._opened(place.id)
        async with service.database.transaction() as connection:
            await prompt_channels.close(connection, place.id)
            await audit.record(
                connection, guild_id, interaction.user.id, "channel.close", f"channel:{place.id}", {}, service.clock()
            )
        await self.bot.prompts.refresh()
        await interaction.response.send_message(f"<#{place.id}> is an ordinary channel again.", ephemeral=True)

    @app_commands.command(name="list")
    async def list_channels(self, interaction: Interaction) -> None:
        """This server's prompt channels and how they work"""
        guild_id = await require_moderator(interaction)
        embed = discord.Embed(title="Prompt channels", colour=BLUE)
        for channel in (await prompt_channels.fetch_all(self.bot.service.database, guild_id))[:25]:
            words = await self._in_words(channel)
            if channel.problem:
                words += f"\n⚠️ {channel.problem}"
            embed.add_field(name="\u200b", value=f"<#{channel.channel_id}>\n{words}", inline=False)
        if not embed.fields:
            embed.description = "There are none. `/channel open` makes one."
        await interaction.response.send_message(embed=embed, ephemeral=True)

    @open_channel.autocomplete("preset")
    @edit.autocomplete("preset")
    async def suggest_preset(self, interaction: Interaction, current: str) -> list[Choice[str]]:
        return [Choice(name=name, value=name) for name in PRESETS if current.casefold() in name]

    @commands.Cog.listener()
    async def on_guild_channel_update(self, before: discord.abc.GuildChannel, after: discord.abc.GuildChannel) -> None:
        """Slow mode in a prompt channel surprises people; its moderators hear so once."""
        if not isinstance(before, discord.TextChannel) or not isinstance(after, discord.TextChannel):
            return
        channel = await prompt_channels.fetch(self.bot.service.database, after.id)
        if channel is not None and after.slowmode_delay and not before.slowmode_delay:
            await self.bot.prompts.complain(channel, f"<#{after.id}> is a prompt channel. {slow_mode_words(after)}")

    @commands.Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        async with self.bot.service.database.transaction() as connection:
            was_open = await prompt_channels.close(connection, channel.id)
        if was_open:
            await self.bot.prompts.refresh()

    async def _opened(self, channel_id: int) -> PromptChannel:
        channel = await prompt_channels.fetch(self.bot.service.database, channel_id)
        if channel is None:
            raise NotFound(f"<#{channel_id}> is no prompt channel; `/channel list` shows them.")
        return channel

    async def _save(
        self,
        interaction: Interaction,
        place: discord.TextChannel,
        channel: PromptChannel,
        action: str,
        conditions: Conditions,
    ) -> None:
        """The channel's rules, its quota and its level in one transaction, each with its audit row."""
        service = self.bot.service
        request_for("words", channel, service.profile)  # raises if the preset does not exist
        await self._require_allowed_shape(channel)
        if conditions.level == "adult":
            require_age_restricted(place)
        details = {"answer": channel.answer, "cooldown_seconds": channel.cooldown_seconds, "shape": channel.shape}
        now, actor_id = service.clock(), interaction.user.id
        async with service.database.transaction() as connection:
            await prompt_channels.save(connection, channel, now)
            await audit.record(connection, channel.guild_id, actor_id, action, f"channel:{place.id}", details, now)
            await _save_conditions(connection, channel, conditions, actor_id, now)
        await self.bot.prompts.refresh()
        how = "mentions me is a prompt" if self.bot.prompts.needs_mention else "is written here is a prompt"
        lines = [
            f"Every message in <#{place.id}> that {how}.",
            await self._in_words(channel),
            *self._warnings(place, channel),
        ]
        await interaction.response.send_message("\n".join(lines), ephemeral=True)
        self.bot.rounds.wake()

    async def _require_allowed_shape(self, channel: PromptChannel) -> None:
        allowed = (await guild_settings.load(self.bot.service.database, channel.guild_id)).allowed_shapes
        if allowed and channel.shape not in allowed:
            raise InvalidRequest(
                f"This server allows these sizes only: {', '.join(allowed)}. Choose one of them as the channel's "
                "shape, or allow more in `/settings panel`."
            )

    async def _in_words(self, channel: PromptChannel) -> str:
        """Its rules, and what holds there by `/quota` and `/settings`."""
        database = self.bot.service.database
        rules = await quotas.fetch_rules(database, channel.guild_id, self.bot.service.clock())
        quota = [
            rule_values(rule) for rule in rules if (rule.subject, rule.subject_id) == ("channel", channel.channel_id)
        ]
        level = (await guild_settings.load_channel(database, channel.guild_id, channel.channel_id)).level
        limits = f"for each member {quota[0]}" if quota else "the server's quotas"
        return f"{rules_in_words(channel)}\nQuota: {limits}. Policy level: {level}."

    def _warnings(self, place: discord.TextChannel, channel: PromptChannel) -> list[str]:
        """What moderators should know now rather than find out later."""
        warnings: list[str] = []
        if self.bot.prompts.needs_mention:
            warnings.append(
                "ℹ️ I only see messages that mention me. For every message to count, the person who runs the bot "
                "switches on the Message Content intent (MESSAGE_CONTENT_INTENT in .env)."
            )
        if place.slowmode_delay:
            warnings.append(f"⚠️ {slow_mode_words(place)}")
        needed = NEEDED | NEEDED_FOR_THREADS if channel.answer == "thread" else NEEDED
        if channel.other_messages == "delete":
            needed |= discord.Permissions(manage_messages=True)
        missing = [
            name for name, wanted in needed if wanted and not getattr(place.permissions_for(place.guild.me), name)
        ]
        if missing:
            warnings.append("⚠️ I am missing permissions there: " + ", ".join(missing).replace("_", " ") + ".")
        return warnings


async def _save_conditions(
    connection: aiosqlite.Connection, channel: PromptChannel, conditions: Conditions, actor_id: int, now: datetime
) -> None:
    """The same rows that `/quota set channel` and `/settings panel` write."""
    if conditions.per_hour is not None:
        rule = quotas.QuotaRule(
            guild_id=channel.guild_id,
            subject="channel",
            subject_id=channel.channel_id,
            per_hour=round(conditions.per_hour * 1000),
            reason="a prompt channel's quota",
            actor_id=actor_id,
            set_at=now,
        )
        await quotas.set_rule(connection, rule)
    if conditions.level is not None:
        await guild_settings.change(
            connection, channel.guild_id, actor_id, now, channel_id=channel.channel_id, level=conditions.level
        )


def slow_mode_words(place: discord.TextChannel) -> str:
    return (
        f"Slow mode lets members write every {place.slowmode_delay} seconds only. My cooldown does the same without "
        "stopping them from talking; you may want to switch slow mode off."
    )


def rules_in_words(channel: PromptChannel) -> str:
    """How a channel works, in one paragraph."""
    parts = [
        f"{channel.shape} pictures",
        f"preset {channel.preset}" if channel.preset else "",
        f"seed {channel.seed}" if channel.seed is not None else "a new seed each time",
        f"after `{inert(channel.prefix, 100)}`" if channel.prefix else "",
        f"followed by `{inert(channel.suffix, 100)}`" if channel.suffix else "",
        f"without `{inert(channel.negative_prompt, 100)}`" if channel.negative_prompt else "",
        f"one every {channel.cooldown_seconds} seconds for each member" if channel.cooldown_seconds else "",
        "a thread for each" if channel.answer == "thread" else "as a reply",
        "other messages are deleted" if channel.other_messages == "delete" else "other messages stay",
    ]
    return "; ".join(part for part in parts if part) + "."


def _place(interaction: Interaction, channel: discord.TextChannel | None) -> discord.TextChannel:
    place = channel or interaction.channel
    if not isinstance(place, discord.TextChannel):
        raise InvalidRequest("A prompt channel is an ordinary text channel; please name one.")
    return place


def _text(given: str | None) -> str | None:
    return "" if given is not None and given.strip().casefold() == CLEAR else given
