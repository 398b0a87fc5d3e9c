"""What a server's moderators set, for the server and for single channels. One row for each value that was changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar, cast

import aiosqlite

from db import audit
from db.database import Database
from domain.audit import AuditAction
from domain.settings import ChannelLevel, ChannelSettings, FromPictures, GuildSettings

Kind = TypeVar("Kind", GuildSettings, ChannelSettings)


async def load(database: Database, guild_id: int) -> GuildSettings:
    """The server's settings, as last committed."""
    return _build(GuildSettings, await _read(database, guild_id, 0))


async def load_channel(database: Database, guild_id: int, channel_id: int) -> ChannelSettings:
    """A channel's settings; for a thread, ask for the channel that it belongs to."""
    return _build(ChannelSettings, await _read(database, guild_id, channel_id))


async def load_in(connection: aiosqlite.Connection, guild_id: int) -> GuildSettings:
    """The server's settings as a transaction sees them."""
    return _build(GuildSettings, await _read_in(connection, guild_id, 0))


async def load_both(database: Database, guild_id: int, channel_id: int) -> tuple[GuildSettings, ChannelSettings]:
    """The server's settings and one channel's, in one read."""
    rows = await database.fetch_all(
        "SELECT channel_id, name, value FROM place_settings WHERE guild_id = ? AND channel_id IN (0, ?)",
        (guild_id, channel_id),
    )
    values = [(int(row["channel_id"]), str(row["name"]), json.loads(row["value"])) for row in rows]
    of_guild = {name: value for place, name, value in values if not place}
    of_channel = {name: value for place, name, value in values if place}
    return _build(GuildSettings, of_guild), _build(ChannelSettings, of_channel)


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

    Returns the values that really changed. Whether a value is possible is for service/settings.py to say.
    """
    kind = ChannelSettings if channel_id else GuildSettings
    changed: dict[str, Any] = {}
    before = await _read_in(connection, guild_id, channel_id)
    defaults = kind()
    for name, value in values.items():
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
        await audit.record(connection, guild_id, actor_id, AuditAction.SETTINGS_CHANGE, target, changed, now)
    return changed


async def _read(database: Database, guild_id: int, channel_id: int) -> dict[str, Any]:
    rows = await database.fetch_all(_SELECT, (guild_id, channel_id))
    return {row["name"]: json.loads(row["value"]) for row in rows}


async def _read_in(connection: aiosqlite.Connection, guild_id: int, channel_id: int) -> dict[str, Any]:
    rows = await connection.execute_fetchall(_SELECT, (guild_id, channel_id))
    return {row["name"]: json.loads(row["value"]) for row in rows}


_SELECT = "SELECT name, value FROM place_settings WHERE guild_id = ? AND channel_id = ?"


_ENUMS: dict[str, Callable[[Any], Any]] = {"image_to_image": FromPictures, "level": ChannelLevel}


def decode(text: str) -> GuildSettings:
    """A server's settings from the JSON object of its rows."""
    return _build(GuildSettings, json.loads(text))


def decode_channel(text: str) -> ChannelSettings:
    """A channel's settings from the JSON object of its rows."""
    return _build(ChannelSettings, json.loads(text))


def _build(kind: type[Kind], values: dict[str, Any]) -> Kind:
    known = {field.name for field in fields(kind)}
    return kind(**{name: _decode(name, value) for name, value in values.items() if name in known})


def _decode(name: str, value: Any) -> Any:
    if name in _ENUMS:
        return _ENUMS[name](value)
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    return list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value
