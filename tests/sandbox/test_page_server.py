"""What the page's server answers, asked without a browser."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
import pytest
from aiohttp.test_utils import make_mocked_request

from sandbox.page.server import PageServer
from sandbox.people.person import channel_named, person
from sandbox.server import LoopbackDiscord
from sandbox.world.things import Event
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


async def test_a_stream_of_events_ends_when_it_is_cancelled() -> None:
    server = LoopbackDiscord(default_world())
    ana = person(server, "ana")
    page = PageServer(server, [ana.id])
    listening = asyncio.Event()
    subscribe = server.world.subscribe

    def subscribe_and_say(subscriber: Callable[[Event], None]) -> Callable[[], None]:
        listening.set()
        return subscribe(subscriber)

    server.world.subscribe = subscribe_and_say
    streaming = asyncio.create_task(page._events(make_mocked_request("GET", f"/page-api/events?user={ana.id}")))
    await listening.wait()
    streaming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await streaming
