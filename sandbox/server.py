"""The loopback Discord: REST, gateway and attachments on 127.0.0.1, with discord.py pointed at it.

    async with LoopbackDiscord(default_world()) as server:
        with server.attached():
            await bot.start("any token")

Every request of the bot is recorded and checked against Discord's official description (where the file is there) and
against hand rules for what that misses; what breaks them is collected in `violations`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import discord
import yarl
from aiohttp import web
from discord.gateway import DiscordWebSocket
from discord.http import Route

from sandbox.gateway import Gateway
from sandbox.limits import Answer, Fault, RateLimits
from sandbox.rest import Rest
from sandbox.rules import broken_rules
from sandbox.spec import OpenApi
from sandbox.uploads import Body, read_body
from sandbox.world import ApiError, Event, World, default_world

API = "/api/v10"
Handler = Callable[[web.Request], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """One request of the bot."""

    method: str
    path: str
    route: str
    body: Any
    files: int
    at: float


class LoopbackDiscord:
    """The server. `on_call` hears of every request "before" and "after" it is carried out."""

    def __init__(self, world: World | None = None, port: int = 0) -> None:
        self.world = world or default_world()
        self.port = port
        self.calls: list[Call] = []
        self.violations: list[str] = []
        self.rate_limited: list[Call] = []
        self.faults: list[Fault] = []
        self.rate_limits = RateLimits(self.world.now)
        self.spec = OpenApi.load()
        self.on_call: Callable[[str, Call], None] | None = None
        self.rest = Rest(self.world, lambda: self.base_url)
        self.gateway = Gateway(self.world, lambda: self.base_url)
        self.app = self._make_app()
        self._runner = web.AppRunner(self.app, shutdown_timeout=0.2)
        self._flushing: set[asyncio.Task[None]] = set()
        self._stop = self.world.subscribe(self._flush_soon)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        # Loopback only, whatever the machine's network looks like.
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop()
        await self.gateway.close()
        await self._runner.cleanup()

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Point discord.py at this server, and back at the end."""
        with point_discord_at(self.port):
            yield

    # ---- requests --------------------------------------------------------------------------------------------------

    def _make_app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 2**20)
        for method, path, handler in self.rest.routes():
            app.router.add_route(method, API + path, self._wrap(path, handler))
        app.router.add_route("*", API + "/{rest:.*}", self._wrap("/{rest}", _unknown))
        app.router.add_get("/gateway/", self.gateway.handle)
        app.router.add_get("/attachments/{channel_id}/{attachment_id}/{filename}", self._attachment)
        return app

    def _wrap(self, route: str, handler: Any) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            body = await read_body(request)
            call = self._record(request, route, body)
            counted = self.rate_limits.count(request.method, route, _major(request))
            if counted.is_over:
                self.rate_limited.append(call)
                return _too_many(counted.reset_after, counted)
            if (fault := self._fault(call, after=False)) is not None:
                return _faulty(fault)
            response = await self._carry_out(request, call, handler)
            response.headers.update(_headers(counted))
            if (fault := self._fault(call, after=True)) is not None:
                return _faulty(fault)
            return response

        return handle

    async def _carry_out(self, request: web.Request, call: Call, handler: Any) -> web.StreamResponse:
        self._hear("before", call)
        try:
            answer = await handler(request)
        except ApiError as error:
            return _json({"message": error.message, "code": error.code}, error.status)
        finally:
            self._hear("after", call)
        return answer if isinstance(answer, web.StreamResponse) else _json(answer)

    def _hear(self, moment: str, call: Call) -> None:
        if self.on_call is not None:
            self.on_call(moment, call)

    def _record(self, request: web.Request, route: str, body: Body) -> Call:
        call = Call(request.method, request.path.removeprefix(API), route, body.data, len(body.files), self.world.now())
        self.calls.append(call)
        problems = [*self.spec.violations(call.method, call.path, dict(request.query), body.data)]
        problems += broken_rules(call.method, route, body)
        self.violations += [f"{call.method} {call.path}: {problem}" for problem in problems]
        return call

    def _fault(self, call: Call, *, after: bool) -> Fault | None:
        for fault in self.faults:
            if fault.after == after and fault.matches(call.method, call.route):
                fault.times -= 1
                return fault
        return None

    async def _attachment(self, request: web.Request) -> web.Response:
        wanted = int(request.match_info["attachment_id"])
        for message in self.world.messages.values():
            for one in message.attachments:
                if one.id == wanted:
                    return web.Response(body=one.data, content_type=one.content_type)
        for data in self.world.interactions.values():
            for one in data.payload.get("_files", []):
                if one.id == wanted:
                    return web.Response(body=one.data, content_type=one.content_type)
        raise web.HTTPNotFound

    def _flush_soon(self, _: Event) -> None:
        try:
            task = asyncio.get_running_loop().create_task(self.gateway.flush())
        except RuntimeError:
            return  # the world is being built before the server runs
        self._flushing.add(task)
        task.add_done_callback(self._flushing.discard)


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


async def _unknown(request: web.Request) -> Any:
    raise ApiError(404, 0, "404: Not Found")


def _major(request: web.Request) -> str:
    info = request.match_info
    return info.get("token") or info.get("channel_id") or info.get("guild_id") or ""


def _headers(counted: Answer) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(counted.limit),
        "X-RateLimit-Remaining": str(counted.remaining),
        "X-RateLimit-Reset-After": f"{counted.reset_after:.3f}",
        "X-RateLimit-Reset": f"{counted.reset_after:.3f}",
        "X-RateLimit-Bucket": counted.bucket.split(":")[0] + counted.bucket.split(":")[1].replace("/", "-"),
    }


def _too_many(retry_after: float, counted: Answer | None = None) -> web.Response:
    body = {"message": "You are being rate limited.", "retry_after": retry_after, "global": False}
    response = _json(body, 429)
    # Without Via, discord.py takes a 429 for a ban of the whole address.
    response.headers.update({"Via": "1.1 loopback", "Retry-After": f"{retry_after:.3f}"})
    if counted is not None:
        response.headers.update(_headers(counted))
    return response


def _faulty(fault: Fault) -> web.Response:
    if fault.status == 429:
        return _too_many(fault.retry_after)
    if fault.status == 413:
        return _json({"message": "Request entity too large", "code": 40005}, 413)
    return _json({"message": f"injected {fault.status}", "code": 0}, fault.status)


def _json(data: Any, status: int = 200) -> web.Response:
    import json

    # aiohttp's own json_response adds a charset, which discord.py takes for text.
    return web.Response(body=json.dumps(data).encode(), status=status, headers={"Content-Type": "application/json"})
