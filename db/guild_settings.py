"""What a server's moderators set, for the server and for single channels. One row for each value that was changed."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar, cast

import aiosqlite

from db import audit
from db.database import Database, fetch_one
from domain import InvalidRequest

LEVELS = ("off", "strict", "standard", "adult")
WHO_FROM_PICTURES = ("everyone", "roles", "moderators", "nobody")
SHAPES = ("portrait", "square", "landscape")
# ISO 639-1, the default first; cogs/languages has the words.
LANGUAGES = ("en", "de", "es", "fr")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildSettings:
    """A server's choices; each default is what a new server gets.

    `allowed_shapes` empty: any size. `retention_days` None: pictures stay until somebody erases them.
    The `strike_*` counts say at how many live strikes a rung of the ladder begins; 0 switches the rung off.
    """

    audit_channel_id: int | None = None
    review_channel_id: int | None = None
    moderator_role_ids: tuple[int, ...] = ()
    preset: str | None = None
    shape: str | None = None
    allowed_shapes: tuple[str, ...] = ()
    max_images: int = 4
    image_to_image: str = "everyone"
    image_to_image_role_ids: tuple[int, ...] = ()
    retention_days: int | None = None
    language: str = LANGUAGES[0]
    strike_free_refusals: int = 2
    strike_days: int = 14
    strike_warn_at: int = 1
    strike_slow_at: int = 2
    strike_pause_at: int = 3
    strike_pause_hours: int = 1
    strike_tell_at: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings:
    """A channel's choices. `level`: "off" (no pictures here), "strict", "standard", "adult" (if age-restricted)."""

    level: str = "standard"


Kind = TypeVar("Kind", GuildSettings, ChannelSettings)


async def load(database: Database, guild_id: int) -> GuildSettings:
    """The server's settings, as last committed."""
    return _build(GuildSettings, await _read(database, guild_id, 0))


async def load_channel(database: Database, guild_id: int, channel_id: int) -> ChannelSettings:
    """A channel's settings; for a thread, ask for the channel that it belongs to."""
    return _build(ChannelSettings, await _read(database, guild_id, channel_id))


async def change(
    connection: aiosqlite.Connection,
    guild_id: int,
    actor_id: int,
    now: datetime,
    *,
    channel_id: int = 0,
    **values: Any,
) -> dict[str, Any]:
    """Set values of the server (or of one channel) and write them to the audit log in the same transaction.

    Returns the values that really changed. Raises InvalidRequest with a sentence for a value that can't be.
    """
    kind = ChannelSettings if channel_id else GuildSettings
    changed: dict[str, Any] = {}
    before = await _read_in(connection, guild_id, channel_id)
    defaults = kind()
    for name, value in values.items():
        _check(name, value)
        if _plain(before.get(name, getattr(defaults, name))) == _plain(value):
            continue
        await connection.execute(
            """INSERT INTO place_settings (guild_id, channel_id, name, value) VALUES (?, ?, ?, ?)
               ON CONFLICT (guild_id, channel_id, name) DO UPDATE SET value = excluded.value""",
            (guild_id, channel_id, name, json.dumps(value)),
        )
        changed[name] = value
    if changed:
        if changed.get("audit_channel_id"):
            await audit.skip_to_now(connection, guild_id)
        target = f"channel:{channel_id}" if channel_id else "server"
        await audit.record(connection, guild_id, actor_id, "settings.change", target, changed, now)
    return changed


_BOUNDS: dict[str, tuple[int, int]] = {
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
_CHOICES = {
    "level": LEVELS,
    "image_to_image": WHO_FROM_PICTURES,
    "shape": SHAPES,
    "allowed_shapes": SHAPES,
    "language": LANGUAGES,
}


def _check(name: str, value: Any) -> None:
    words = name.replace("_", " ")
    if name in _BOUNDS and value is not None:
        low, high = _BOUNDS[name]
        if not low <= value <= high:
            raise InvalidRequest(f"The setting “{words}” takes a whole number from {low} to {high}.")
    if name in _CHOICES and value is not None:
        given: tuple[str, ...] = (value,) if isinstance(value, str) else tuple(value)
        if any(item not in _CHOICES[name] for item in given):
            raise InvalidRequest(f"The setting “{words}” takes one of: {', '.join(_CHOICES[name])}.")


async def _read(database: Database, guild_id: int, channel_id: int) -> dict[str, Any]:
    rows = await database.fetch_all(_SELECT, (guild_id, channel_id))
    return {row["name"]: json.loads(row["value"]) for row in rows}


async def _read_in(connection: aiosqlite.Connection, guild_id: int, channel_id: int) -> dict[str, Any]:
    row = await fetch_one(
        connection, f"SELECT json_group_object(name, json(value)) FROM ({_SELECT})", (guild_id, channel_id)
    )
    return json.loads(row[0]) if row else {}


_SELECT = "SELECT name, value FROM place_settings WHERE guild_id = ? AND channel_id = ?"


def _build(kind: type[Kind], values: dict[str, Any]) -> Kind:
    known = {field.name for field in fields(kind)}
    return kind(**{name: _frozen(value) for name, value in values.items() if name in known})


def _frozen(value: Any) -> Any:
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    return list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value
