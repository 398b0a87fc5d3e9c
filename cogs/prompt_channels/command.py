"""/channel: opening, changing and closing channels in which every message is a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import discord
from discord import app_commands
from discord.app_commands import Choice, Range

from cogs.core.bot import Cog, GroupCog, Interaction
from cogs.core.channels import names_of_missing, require_age_restricted
from cogs.core.checks import matching, require_moderator
from cogs.core.colours import BLUE
from cogs.core.text import MAX_EMBED, MAX_FIELD, MAX_REST, inert
from cogs.moderation.quota_cards import rule_values
from cogs.prompt_channels.messages import PromptMessages
from domain import SEED_LIMIT, InvalidRequest
from domain.prompt_channels import (
    AnswerMode,
    OtherMessages,
    PromptChannel,
    PromptChannelChanges,
    PromptChannelDetails,
)
from domain.quotas import to_millicredits
from domain.settings import ChannelLevel

MAX_TAGS = 200
# Discord's limit for the fields of an embed.
MAX_LISTED = 25
CLEAR = "none"
# Discord wants a name for every field.
NO_NAME = "\u200b"

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


@app_commands.guild_only()
@app_commands.default_permissions(moderate_members=True)
class PromptChannels(GroupCog, group_name="channel"):
    """Moderators open and close prompt channels."""

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
        place = _place(interaction, channel, level)
        changes = PromptChannelChanges(
            prefix=prefix,
            suffix=suffix,
            negative_prompt=negative_prompt,
            preset=_text(preset),
            shape=shape,
            seed=seed,
            cooldown_seconds=cooldown,
            answer=AnswerMode(answer),
            other_messages=OtherMessages(other_messages),
            per_hour=to_millicredits(per_hour),
            level=ChannelLevel(level) if level else None,
        )
        opened = await self.bot.service.prompt_channels.open(
            guild_id, place.id, interaction.user.id, changes, after_id=interaction.id
        )
        await self._show(interaction, place, opened)

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
        place = _place(interaction, channel, level)
        changes = PromptChannelChanges(
            prefix=_text(prefix),
            suffix=_text(suffix),
            negative_prompt=_text(negative_prompt),
            preset=_text(preset),
            shape=shape,
            seed=seed,
            cooldown_seconds=cooldown,
            answer=AnswerMode(answer) if answer else None,
            other_messages=OtherMessages(other_messages) if other_messages else None,
            per_hour=to_millicredits(per_hour),
            level=ChannelLevel(level) if level else None,
        )
        edited = await self.bot.service.prompt_channels.edit(place.id, interaction.user.id, changes)
        await self._show(interaction, place, edited)

    @app_commands.command()
    @app_commands.describe(channel=OPTIONS["channel"])
    async def close(self, interaction: Interaction, channel: discord.TextChannel | None = None) -> None:
        """Messages in the channel are only messages again"""
        guild_id = await require_moderator(interaction)
        place = _place(interaction, channel)
        await self.bot.service.prompt_channels.close(guild_id, place.id, interaction.user.id)
        await interaction.response.send_message(f"<#{place.id}> is an ordinary channel again.", ephemeral=True)

    @app_commands.command(name="list")
    async def list_channels(self, interaction: Interaction) -> None:
        """This server's prompt channels and how they work"""
        guild_id = await require_moderator(interaction)
        details = await self.bot.service.prompt_channels.fetch_details(guild_id, MAX_LISTED)
        await interaction.response.send_message(embed=channels_card(details), ephemeral=True)

    @open_channel.autocomplete("preset")
    @edit.autocomplete("preset")
    async def suggest_preset(self, interaction: Interaction, current: str) -> list[Choice[str]]:
        return matching(self.bot.service.queue.presets, current)

    @Cog.listener()
    async def on_guild_channel_update(self, before: discord.abc.GuildChannel, after: discord.abc.GuildChannel) -> None:
        """Slow mode in a prompt channel surprises people; its moderators hear so once."""
        if not isinstance(before, discord.TextChannel) or not isinstance(after, discord.TextChannel):
            return
        channel = self.bot.service.prompt_channels.find(after.id)
        if channel is not None and after.slowmode_delay and not before.slowmode_delay:
            problem = f"<#{after.id}> is a prompt channel. {slow_mode_words(after)}"
            await self.bot.cog(PromptMessages).complain(channel, problem)

    @Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        await self.bot.service.prompt_channels.forget_channel(channel.id)

    async def _show(self, interaction: Interaction, place: discord.TextChannel, details: PromptChannelDetails) -> None:
        """How the channel works now, and what moderators should know beforehand."""
        needs_mention = self.bot.cog(PromptMessages).needs_mention
        how = "mentions me is a prompt" if needs_mention else "is written here is a prompt"
        lines = [
            f"Every message in <#{place.id}> that {how}.",
            details_in_words(details),
            *_warnings(place, details.channel, needs_mention=needs_mention),
        ]
        await interaction.response.send_message("\n".join(lines), ephemeral=True)


def channels_card(channels: Sequence[PromptChannelDetails]) -> discord.Embed:
    """The prompt channels and how they work, as many as one message holds."""
    embed = discord.Embed(title="Prompt channels", colour=BLUE)
    for details in channels:
        problem = f"\n⚠️ {details.channel.problem}" if details.channel.problem else ""
        text = f"<#{details.channel.channel_id}>\n{details_in_words(details)}{problem}"[:MAX_FIELD]
        if len(embed) + len(NO_NAME) + len(text) + MAX_REST > MAX_EMBED:
            embed.set_footer(text=f"… and {len(channels) - len(embed.fields)} more.")
            break
        embed.add_field(name=NO_NAME, value=text, inline=False)
    if not embed.fields:
        embed.description = "There are none. `/channel open` makes one."
    return embed


def _warnings(place: discord.TextChannel, channel: PromptChannel, *, needs_mention: bool) -> list[str]:
    """What moderators should know now rather than find out later."""
    warnings: list[str] = []
    if needs_mention:
        warnings.append(
            "ℹ️ I only see messages that mention me. For every message to count, the person who runs the bot "
            "switches on the Message Content intent (MESSAGE_CONTENT_INTENT in .env)."
        )
    if place.slowmode_delay:
        warnings.append(f"⚠️ {slow_mode_words(place)}")
    needed = NEEDED | NEEDED_FOR_THREADS if channel.answer is AnswerMode.THREAD else NEEDED
    if channel.other_messages is OtherMessages.DELETE:
        needed |= discord.Permissions(manage_messages=True)
    if missing := names_of_missing(needed, place.permissions_for(place.guild.me)):
        warnings.append(f"⚠️ I am missing permissions there: {missing}.")
    return warnings


def slow_mode_words(place: discord.TextChannel) -> str:
    return (
        f"Slow mode lets members write every {place.slowmode_delay} seconds only. My cooldown does the same without "
        "stopping them from talking; you may want to switch slow mode off."
    )


def details_in_words(details: PromptChannelDetails) -> str:
    """The channel's rules, and what holds there by `/quota` and `/settings`."""
    limits = f"for each member {rule_values(details.quota)}" if details.quota else "the server's quotas"
    return f"{rules_in_words(details.channel)}\nQuota: {limits}. Policy level: {details.level}."


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
        "a thread for each" if channel.answer is AnswerMode.THREAD else "as a reply",
        "other messages are deleted" if channel.other_messages is OtherMessages.DELETE else "other messages stay",
    ]
    return "; ".join(part for part in parts if part) + "."


def _place(
    interaction: Interaction, channel: discord.TextChannel | None, level: Level | None = None
) -> discord.TextChannel:
    """The channel that is meant, if it is one that can have this level. Raises InvalidRequest."""
    place = channel or interaction.channel
    if not isinstance(place, discord.TextChannel):
        raise InvalidRequest("A prompt channel is an ordinary text channel; please name one.")
    if level == ChannelLevel.ADULT:
        require_age_restricted(place)
    return place


def _text(given: str | None) -> str | None:
    return "" if given is not None and given.strip().casefold() == CLEAR else given
