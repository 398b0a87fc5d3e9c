"""What a server's moderators chose, for the server and for single channels, and members for themselves."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from domain.frozen import frozen


class ChannelLevel(StrEnum):
    """How strictly a channel is judged; `ADULT` holds only while Discord marks the channel as age-restricted."""

    OFF = "off"
    STRICT = "strict"
    STANDARD = "standard"
    ADULT = "adult"


class FromPictures(StrEnum):
    """Who may paint on from a picture."""

    EVERYONE = "everyone"
    ROLES = "roles"
    MODERATORS = "moderators"
    NOBODY = "nobody"


SHAPES = ("portrait", "square", "landscape")
# ISO 639-1 and the language's own name, the default first; each of the others has a file in cogs/core/languages.
LANGUAGE_NAMES = {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français"}
LANGUAGES = tuple(LANGUAGE_NAMES)
# How long a server without a choice of its own, and direct messages, keep pictures and prompts.
DEFAULT_RETENTION_DAYS = 365


@frozen
class GuildSettings:
    """A server's choices; each default is what a new server gets.

    `allowed_shapes` empty: any size. `retention_days` None: pictures stay until somebody erases them.
    `notices`: members are told of pictures that took long, unless they chose otherwise.
    The `strike_*` counts say at how many live strikes a rung of the ladder begins; 0 switches the rung off.
    """

    audit_channel_id: int | None = None
    review_channel_id: int | None = None
    moderator_role_ids: tuple[int, ...] = ()
    preset: str | None = None
    shape: str | None = None
    allowed_shapes: tuple[str, ...] = ()
    max_images: int = 4
    image_to_image: FromPictures = FromPictures.EVERYONE
    image_to_image_role_ids: tuple[int, ...] = ()
    retention_days: int | None = DEFAULT_RETENTION_DAYS
    language: str = LANGUAGES[0]
    notices: bool = True
    strike_free_refusals: int = 2
    strike_days: int = 14
    strike_warn_at: int = 1
    strike_slow_at: int = 2
    strike_pause_at: int = 3
    strike_pause_hours: int = 1
    strike_tell_at: int = 4


@frozen
class ChannelSettings:
    """A channel's choices."""

    level: ChannelLevel = ChannelLevel.STANDARD
    spoiler: bool = False


@frozen
class MemberSettings:
    """A member's own choices, which hold in every server.

    `notices`: be told of pictures that took long. `paint_messages`: whatever one writes to the bot is a prompt.
    """

    notices: bool = True
    paint_messages: bool = False


@frozen
class ServerPanel:
    """Everything that the settings panel shows, of a server and of the channel in which it is open."""

    settings: GuildSettings
    channel: ChannelSettings
    needs_approval: bool


# The least and the greatest value of a setting that is a number, and what one that is a choice can be.
BOUNDS: Mapping[str, tuple[int, int]] = {
    "max_images": (1, 4),
    "retention_days": (1, 3650),
    "strike_free_refusals": (0, 100),
    "strike_days": (1, 365),
    "strike_warn_at": (0, 100),
    "strike_slow_at": (0, 100),
    "strike_pause_at": (0, 100),
    "strike_pause_hours": (1, 720),
    "strike_tell_at": (0, 100),
}
CHOICES: Mapping[str, tuple[str, ...]] = {
    "level": tuple(ChannelLevel),
    "image_to_image": tuple(FromPictures),
    "shape": SHAPES,
    "allowed_shapes": SHAPES,
    "language": LANGUAGES,
}
