"""Where discord.py looks for Discord: for a while at a loopback server on a port of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

API = "/api/v10"


@contextmanager
def point_discord_at(port: int) -> Iterator[None]:
    """Let discord.py talk to a loopback server on this port. Never anywhere else."""
    saved = (Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY, discord.Asset.BASE)
    Route.BASE = f"http://127.0.0.1:{port}{API}"
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(f"ws://127.0.0.1:{port}/gateway/")
    setattr(discord.Asset, "BASE", f"http://127.0.0.1:{port}")  # noqa: B010 - its type is a literal
    try:
        yield
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY, discord.Asset.BASE = saved
