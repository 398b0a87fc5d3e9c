"""Pytest fixtures: a loopback Discord that fails its test when the bot broke one of Discord's rules.

    from sandbox.testing import discord_server  # noqa: F401

Everything else (people, a running bot) is one line each; see `sandbox.people.person.Person`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from sandbox.people.person import channel_named, person
from sandbox.server import LoopbackDiscord
from sandbox.world.world import default_world

__all__ = ["channel_named", "discord_server", "person"]


@pytest.fixture
async def discord_server() -> AsyncGenerator[LoopbackDiscord]:
    """A server with the default world; at the end nothing may have broken Discord's rules."""
    async with LoopbackDiscord(default_world()) as server:
        yield server
    # One line each, because the module's asserts are not rewritten by pytest.
    assert not server.violations, "\n".join(server.violations)
