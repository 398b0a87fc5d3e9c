"""/settings: one panel with everything a server decides; its buttons open forms, and each form is saved at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import discord
from discord import app_commands, ui

from cogs.core.bot import GroupCog, Interaction
from cogs.core.channels import NEEDED, parent_of, require_age_restricted, require_posting
from cogs.core.checks import require_manager, require_moderator
from cogs.core.colours import BLUE
from cogs.core.errors import Modal, RowButton, View, row_of
from cogs.core.text import NOBODY
from domain import InvalidRequest
from domain.notices import ANNOUNCED_IN_WORDS
from domain.settings import (
    BOUNDS,
    LANGUAGE_NAMES,
    SHAPES,
    ChannelLevel,
    ChannelSettings,
    FromPictures,
    GuildSettings,
    ServerPanel,
)

Option = discord.SelectOption

MAX_ROLES = 10
# The audit channel gets words alone; the review channel gets the pictures that are decided about, too.
NEEDED_FOR_WORDS = discord.Permissions(view_channel=True, send_messages=True, embed_links=True)
NO_PRESET = "none"

LEVEL_WORDS = {
    ChannelLevel.OFF: "No pictures here",
    ChannelLevel.STRICT: "Strict: as careful as in direct messages",
    ChannelLevel.STANDARD: "Standard",
    ChannelLevel.ADULT: "Adult: nudity allowed, only while Discord marks the channel as age-restricted",
}
WHO_WORDS = {
    FromPictures.EVERYONE: "Everyone",
    FromPictures.ROLES: "Moderators and the roles chosen below",
    FromPictures.MODERATORS: "Moderators only",
    FromPictures.NOBODY: "Nobody",
}
NOTICE_WORDS = {True: "for members who want them", False: "none"}


def _panel_channel(interaction: Interaction) -> int:
    """The channel whose level the panel shows; settings of a channel hold in its threads."""
    return parent_of(interaction.channel) or interaction.channel_id or 0


async def _fetch_settings(interaction: Interaction) -> GuildSettings:
    guild_id = await require_moderator(interaction)
    return await interaction.client.service.settings.fetch(guild_id)


async def save(interaction: Interaction, *, channel_id: int = 0, **values: Any) -> None:
    """Write what a form says, and show the panel as it is now."""
    guild_id = await require_moderator(interaction)
    panel = await interaction.client.service.settings.change_in_panel(
        guild_id, interaction.user.id, _panel_channel(interaction), channel_id=channel_id, **values
    )
    if interaction.message is not None:
        await interaction.response.edit_message(embed=panel_card(panel), view=panel_view())
    else:
        await interaction.response.send_message(embed=panel_card(panel), view=panel_view(), ephemeral=True)


# ---- the panel -------------------------------------------------------------------------------------------------------


def panel_card(panel: ServerPanel) -> discord.Embed:
    """Everything that a server decided, and the level of the channel in which the panel is open."""
    settings = panel.settings
    embed = discord.Embed(title="Settings of this server", colour=BLUE)
    embed.add_field(name="Preset unless a member chooses", value=settings.preset or "the model's own")
    embed.add_field(name="Shape unless a member chooses", value=settings.shape or "square")
    embed.add_field(name="Allowed sizes", value=", ".join(settings.allowed_shapes) or "any")
    embed.add_field(name="Pictures at once", value=f"at most {settings.max_images}")
    embed.add_field(name="Painting on from a picture", value=_who(settings))
    embed.add_field(name="Audit channel", value=_channel(settings.audit_channel_id))
    embed.add_field(name="Review channel", value=_channel(settings.review_channel_id))
    kept = f"{settings.retention_days} days" if settings.retention_days else "until somebody deletes them"
    embed.add_field(name="Pictures are kept", value=kept)
    embed.add_field(name="Language", value=LANGUAGE_NAMES[settings.language])
    embed.add_field(name="Mentions when a slow picture is ready", value=NOTICE_WORDS[settings.notices])
    embed.add_field(name="Moderators' roles", value=_roles(settings.moderator_role_ids) or "none but Discord's own")
    words = LEVEL_WORDS[panel.channel.level]
    if panel.channel.spoiler:
        words += "\nPictures stand behind spoilers"
    if panel.needs_approval:
        words += "\nPictures wait here for a moderator's ✅ (`/review approval`)"
    embed.add_field(name="This channel", value=words, inline=False)
    return embed


def _who(settings: GuildSettings) -> str:
    if settings.image_to_image is FromPictures.ROLES:
        return f"moderators and {_roles(settings.image_to_image_role_ids) or 'no role yet'}"
    return WHO_WORDS[settings.image_to_image]


def _channel(channel_id: int | None) -> str:
    return f"<#{channel_id}>" if channel_id else "none"


def _roles(role_ids: Sequence[int]) -> str:
    return ", ".join(f"<@&{role_id}>" for role_id in role_ids)


class PaintingButton(RowButton, template=r"settings:painting:(?P<row_id>[0-9]+)"):
    """Presets, sizes, how many."""

    prefix, label, emoji = "settings:painting", "Painting", "🎨"

    async def act(self, interaction: Interaction) -> None:
        await interaction.response.send_modal(
            PaintingForm(await _fetch_settings(interaction), interaction.client.service.queue.presets)
        )


class StartPictureButton(RowButton, template=r"settings:start:(?P<row_id>[0-9]+)"):
    """Who may use image-to-image."""

    prefix, label, emoji = "settings:start", "Start pictures", "🖼️"

    async def act(self, interaction: Interaction) -> None:
        await interaction.response.send_modal(StartPictureForm(await _fetch_settings(interaction)))


class ChannelsButton(RowButton, template=r"settings:channels:(?P<row_id>[0-9]+)"):
    """Where the bot reports to moderators, and how long pictures stay."""

    prefix, label, emoji = "settings:channels", "Audit, review, language", "🗂️"

    async def act(self, interaction: Interaction) -> None:
        await interaction.response.send_modal(ChannelsForm(await _fetch_settings(interaction)))


class LevelButton(RowButton, template=r"settings:level:(?P<row_id>[0-9]+)"):
    """How strictly a channel is judged."""

    prefix, label, emoji = "settings:level", "Policy of a channel", "⚖️"

    async def act(self, interaction: Interaction) -> None:
        guild_id = await require_moderator(interaction)
        channel_id = _panel_channel(interaction)
        chosen = await interaction.client.service.settings.fetch_channel(guild_id, channel_id)
        await interaction.response.send_modal(LevelForm(channel_id, chosen))


BUTTONS: tuple[type[RowButton], ...] = (PaintingButton, StartPictureButton, ChannelsButton, LevelButton)


def panel_view() -> View:
    return row_of(*(button(0) for button in BUTTONS))


# ---- the forms -------------------------------------------------------------------------------------------------------


class PaintingForm(Modal, title="Painting in this server"):
    """Select menus, each showing what holds now."""

    def __init__(self, settings: GuildSettings, presets: Mapping[str, str]) -> None:
        super().__init__()
        options = _options({NO_PRESET: "The model's own"}, settings.preset or NO_PRESET)
        options += [
            Option(label=name, description=description[:100], value=name, default=name == settings.preset)
            for name, description in presets.items()
        ]
        self.preset = ui.Select[Any](custom_id="preset", options=options)
        shapes = {shape: shape for shape in SHAPES}
        self.shape = ui.Select[Any](custom_id="shape", options=_options(shapes, settings.shape or "square"))
        self.allowed_shapes = ui.Select[Any](
            custom_id="allowed_shapes",
            options=_options(shapes, *settings.allowed_shapes),
            min_values=0,
            max_values=len(SHAPES),
            required=False,
        )
        low, high = BOUNDS["max_images"]
        numbers = {str(number): str(number) for number in range(low, high + 1)}
        self.max_images = ui.Select[Any](custom_id="max_images", options=_options(numbers, str(settings.max_images)))
        notices = {str(is_on): words.capitalize() for is_on, words in NOTICE_WORDS.items()}
        self.notices = ui.Select[Any](custom_id="notices", options=_options(notices, str(settings.notices)))
        self.ask("Preset unless a member chooses one", self.preset)
        self.ask("Shape unless a member chooses one", self.shape)
        self.ask("Allowed sizes", self.allowed_shapes, "None chosen: any size.")
        self.ask("Most pictures at once", self.max_images)
        self.ask("Mentions when a picture is ready", self.notices, f"Once, if it took more than {ANNOUNCED_IN_WORDS}.")

    async def act(self, interaction: Interaction) -> None:
        preset = self.preset.values[0]
        await save(
            interaction,
            preset=None if preset == NO_PRESET else preset,
            shape=self.shape.values[0],
            allowed_shapes=tuple(self.allowed_shapes.values),
            max_images=int(self.max_images.values[0]),
            notices=self.notices.values[0] == str(True),
        )


class StartPictureForm(Modal, title="Painting on from pictures"):
    """Everyone, some roles, moderators, nobody."""

    def __init__(self, settings: GuildSettings) -> None:
        super().__init__()
        self.who = ui.Select[Any](custom_id="who", options=_options(WHO_WORDS, settings.image_to_image))
        self.roles = ui.RoleSelect[Any](
            custom_id="roles",
            min_values=0,
            max_values=MAX_ROLES,
            required=False,
            default_values=[discord.Object(role_id) for role_id in settings.image_to_image_role_ids],
        )
        self.ask("Who may paint on from a picture", self.who)
        self.ask("Roles", self.roles, "Only with the second choice.")

    async def act(self, interaction: Interaction) -> None:
        roles = tuple(role.id for role in self.roles.values)
        await save(interaction, image_to_image=self.who.values[0], image_to_image_role_ids=roles)


class ChannelsForm(Modal, title="Audit, review, language, keeping"):
    """Where the bot tells moderators what happens, and how long pictures stay."""

    def __init__(self, settings: GuildSettings) -> None:
        super().__init__()
        self.audit = _channel_select("audit", settings.audit_channel_id)
        self.review = _channel_select("review", settings.review_channel_id)
        self.language = ui.Select[Any](custom_id="language", options=_options(LANGUAGE_NAMES, settings.language))
        self.retention = ui.TextInput[Any](
            custom_id="retention",
            required=False,
            max_length=4,
            default=str(settings.retention_days) if settings.retention_days else None,
        )
        self.ask("Audit channel", self.audit, "Every decision is posted here.")
        self.ask("Review channel", self.review, "Appeals and reports appear here.")
        self.ask("Language", self.language, "What I say in public; what only you see is in English.")
        self.ask("Days that pictures are kept", self.retention, "Empty: until somebody deletes them.")

    async def act(self, interaction: Interaction) -> None:
        await save(
            interaction,
            audit_channel_id=_chosen(interaction, self.audit, NEEDED_FOR_WORDS),
            review_channel_id=_chosen(interaction, self.review, NEEDED),
            retention_days=_days(self.retention.value),
            language=self.language.values[0],
        )


class LevelForm(Modal, title="Policy of a channel"):
    """A channel and its level."""

    def __init__(self, channel_id: int, chosen: ChannelSettings) -> None:
        super().__init__()
        self.channel = ui.ChannelSelect[Any](
            custom_id="channel",
            default_values=[discord.Object(channel_id)],
            channel_types=[discord.ChannelType.text, discord.ChannelType.forum, discord.ChannelType.voice],
        )
        options = [
            Option(label=level.capitalize(), description=words[:100], value=level, default=level == chosen.level)
            for level, words in LEVEL_WORDS.items()
        ]
        self.level = ui.Select[Any](custom_id="level", options=options)
        covers = _options({"no": "No", "yes": "Yes, everybody clicks first"}, "yes" if chosen.spoiler else "no")
        self.spoiler = ui.Select[Any](custom_id="spoiler", options=covers)
        self.ask("Channel", self.channel)
        self.ask("How strictly it is judged", self.level)
        self.ask("Pictures behind spoilers", self.spoiler)

    async def act(self, interaction: Interaction) -> None:
        channel, level = self.channel.values[0], self.level.values[0]
        guild = interaction.guild
        if level == ChannelLevel.ADULT:
            require_age_restricted((guild.get_channel(channel.id) if guild is not None else None) or channel)
        await save(interaction, channel_id=channel.id, level=level, spoiler=self.spoiler.values[0] == "yes")


def _options(labels: Mapping[Any, str], *chosen: str) -> list[Option]:
    """What a menu offers, by value; what holds now is chosen beforehand."""
    return [Option(label=label, value=value, default=value in chosen) for value, label in labels.items()]


def _channel_select(custom_id: str, channel_id: int | None) -> ui.ChannelSelect[Any]:
    return ui.ChannelSelect[Any](
        custom_id=custom_id,
        min_values=0,
        max_values=1,
        required=False,
        default_values=[discord.Object(channel_id)] if channel_id else [],
        channel_types=[discord.ChannelType.text],
    )


def _chosen(interaction: Interaction, select: ui.ChannelSelect[Any], needed: discord.Permissions) -> int | None:
    """The chosen channel's id. Raises InvalidRequest if the bot lacks there what it needs."""
    if not select.values:
        return None
    channel_id = select.values[0].id
    channel = interaction.guild.get_channel(channel_id) if interaction.guild is not None else None
    if channel is None:
        raise InvalidRequest(f"I can't see <#{channel_id}>. Give me View Channel there, then choose it again.")
    require_posting(channel, needed)
    return channel_id


def _days(text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise InvalidRequest("The days that pictures are kept are a whole number, or empty.")
    return int(text)


# ---- the commands ----------------------------------------------------------------------------------------------------


@app_commands.guild_only()
@app_commands.default_permissions(manage_guild=True)
class SettingsPanel(GroupCog, group_name="settings"):
    """This server's settings"""

    role = app_commands.Group(name="role", description="Who moderates the bot here")

    @app_commands.command()
    async def panel(self, interaction: Interaction) -> None:
        """See and change what this server has decided"""
        guild_id = await require_moderator(interaction)
        panel = await self.bot.service.settings.fetch_panel(guild_id, _panel_channel(interaction))
        await interaction.response.send_message(
            embed=panel_card(panel), view=panel_view(), ephemeral=True, allowed_mentions=NOBODY
        )

    @role.command()
    @app_commands.describe(role="The role", remove="Take it off the list instead")
    async def moderators(self, interaction: Interaction, role: discord.Role, remove: bool = False) -> None:
        """Let a role moderate the bot here, beside Discord's own moderators"""
        guild_id = await require_manager(interaction)
        roles = await self.bot.service.settings.change_moderators(guild_id, interaction.user.id, role.id, remove=remove)
        names = _roles(roles) or "none"
        await interaction.response.send_message(
            f"Roles that moderate the bot here, beside Discord's own moderators: {names}. So that their clients show "
            "the commands, allow the roles in Server Settings → Integrations.",
            ephemeral=True,
            allowed_mentions=NOBODY,
        )
