"""What the page's server answers, asked without a browser."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp import web

from sandbox.page.server import PageServer
from sandbox.people.person import channel_named, person
from sandbox.server import LoopbackDiscord
from sandbox.world.world import default_world


async def test_the_page_says_that_a_bot_which_hangs_did_not_respond() -> None:
    world = default_world()
    world.use_real_time()  # as in the demo
    world.ack_seconds = 0.01
    world.commands[None] = [{"id": "1", "name": "run", "type": 1, "options": []}]
    server = LoopbackDiscord(world)
    ana = person(server, "ana")
    PageServer(server, [ana.id]).mount()
    asked = {"user": str(ana.id), "channel": str(channel_named(world, "paintings").id)}
    asked |= {"action": "slash", "name": "run", "options": {}}
    async with (
        server,
        aiohttp.ClientSession() as client,
        client.post(f"{server.base_url}/page-api/act", json=asked) as response,
    ):
        answer = await response.json()
    assert answer["error"].startswith("The application did not respond")


class Watched(PageServer):
    """Notes how a stream of events ends."""

    is_cancelled = False

    async def _events(self, request: web.Request) -> web.StreamResponse:
        try:
            return await super()._events(request)
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise


async def test_a_stream_of_events_ends_as_cancelled_when_the_server_closes() -> None:
    server = LoopbackDiscord(default_world())
    ana = person(server, "ana")
    page = Watched(server, [ana.id])
    page.mount()
    async with aiohttp.ClientSession() as client:
        async with server:
            stream = await client.get(f"{server.base_url}/page-api/events?user={ana.id}")
            assert await stream.content.readline() == b": hello\n"
        stream.close()
    assert page.is_cancelled
