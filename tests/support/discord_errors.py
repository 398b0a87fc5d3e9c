"""Errors as discord.py raises them, and what it does about them itself."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import discord
import discord.http
import discord.webhook.async_
import pytest


def refusal(status: int, code: int = 0) -> discord.HTTPException:
    """An answer of Discord with this HTTP status and JSON error code."""
    response = cast("Any", SimpleNamespace(status=status, reason="refused"))
    return discord.HTTPException(response, {"code": code, "message": "refused"})


def send_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """discord.py waits 1, 3, 5, 7 and 9 seconds before it sends again what met a server's error; here it doesn't."""

    async def sleep(_seconds: float) -> None:
        await asyncio.sleep(0)

    hasty = SimpleNamespace(**{**vars(asyncio), "sleep": sleep})
    for module in (discord.http, discord.webhook.async_):
        monkeypatch.setattr(module, "asyncio", hasty)
