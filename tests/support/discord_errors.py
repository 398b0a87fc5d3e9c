"""Errors as discord.py raises them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import discord


def refusal(status: int, code: int = 0) -> discord.HTTPException:
    """An answer of Discord with this HTTP status and JSON error code."""
    response = cast("Any", SimpleNamespace(status=status, reason="refused"))
    return discord.HTTPException(response, {"code": code, "message": "refused"})
