"""Pytest fixtures: a loopback Discord that fails its test when the bot broke one of Discord's rules.

    from sandbox.testing import discord_server  # noqa: F401

Everything else (people, a running bot) is one line each; see `sandbox.client.Person`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from sandbox.client import Person
from sandbox.server import LoopbackDiscord
from sandbox.world import Channel, World, default_world


@pytest.fixture
async def discord_server() -> AsyncGenerator[LoopbackDiscord]:
    """A server with the default world; at the end nothing may have broken Discord's rules."""
    async with LoopbackDiscord(default_world()) as server:
        yield server
    # One line each, because the module's asserts are not rewritten by pytest.
    assert not server.violations, "\n".join(server.violations)


def person(server: LoopbackDiscord, name: str) -> Person:
    """The user with this name."""
    return Person(server, next(user.id for user in server.world.users.values() if user.name == name))


def channel_named(world: World, name: str) -> Channel:
    return next(channel for channel in world.channels.values() if channel.name == name)
