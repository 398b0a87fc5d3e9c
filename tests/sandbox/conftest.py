"""A loopback Discord with a small real bot in it, the people and the channel that the tests of the sandbox use."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from sandbox import LoopbackDiscord
from sandbox.people import Person, channel_named, person
from sandbox.rest.spec import OpenApi
from sandbox.testing import discord_server
from sandbox.world.things import Channel
from tests.support.sandbox_bot import SandboxBot, logged_in

__all__ = ["discord_server"]


@pytest.fixture
async def bot(discord_server: LoopbackDiscord) -> AsyncGenerator[SandboxBot]:
    async with logged_in(discord_server) as bot:
        yield bot


@pytest.fixture
def ana(discord_server: LoopbackDiscord, bot: SandboxBot) -> Person:
    return person(discord_server, "ana")


@pytest.fixture
def ben(discord_server: LoopbackDiscord, bot: SandboxBot) -> Person:
    return person(discord_server, "ben")


@pytest.fixture
def paintings(discord_server: LoopbackDiscord) -> Channel:
    return channel_named(discord_server.world, "paintings")


@pytest.fixture(scope="session")
def spec() -> OpenApi:
    """Discord's own description of its API, where it is at hand."""
    loaded = OpenApi.load()
    if not loaded.is_available:
        pytest.skip("Discord's OpenAPI description is not here (DISCORD_OPENAPI=path names it)")
    return loaded
