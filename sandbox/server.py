"""The loopback Discord: REST, gateway and attachments on 127.0.0.1, with discord.py pointed at it.

    async with LoopbackDiscord(default_world()) as server:
        with server.attached():
            await bot.start("any token")

Every request of the bot is recorded and checked against Discord's official description (where the file is there) and
against hand rules for what that misses; what breaks them is collected in `violations`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web

from sandbox.endpoints import API, point_discord_at
from sandbox.gateway import Gateway
from sandbox.rest.limits import CUT, BucketState, Fault, RateLimits
from sandbox.rest.routes import all_routes
from sandbox.rest.routing import Handler, json_response
from sandbox.rest.rules import broken_rules
from sandbox.rest.spec import OpenApi
from sandbox.rest.uploads import Body, read_body
from sandbox.world.things import ApiError, Attachment
from sandbox.world.world import World, default_world

__all__ = ["API", "ApiCall", "Fault", "LoopbackDiscord", "point_discord_at"]

# One grey pixel: nobody here has a portrait.
AVATAR = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a494441"
    "54789c636800000082008177cd72b60000000049454e44ae426082"
)


@dataclass(slots=True)
class ApiCall:
    """One request of the bot; `status` is what it was answered with, None while it is being carried out."""

    method: str
    path: str
    route: str
    body: Any
    files: int
    at: float
    status: int | None = None


class LoopbackDiscord:
    """The server. `on_call` hears of every request "before" and "after" it is carried out.

    `token`, if set, is the only one that the bot may log in with.
    """

    def __init__(self, world: World | None = None, port: int = 0) -> None:
        self.world = world or default_world()
        self.port = port
        self.token: str | None = None
        self.calls: list[ApiCall] = []
        self.violations: list[str] = []
        self.rate_limited: list[ApiCall] = []
        self.faults: list[Fault] = []
        self.rate_limits = RateLimits(self.world.now)
        self.spec = OpenApi.load()
        self.on_call: Callable[[str, ApiCall], None] | None = None
        self.gateway = Gateway(self.world, lambda: self.base_url, lambda: self.token)
        self._watchers: list[Callable[[], None]] = []
        self.app = self._make_app()
        self._runner = web.AppRunner(self.app, shutdown_timeout=0.2)

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
        await self.gateway.close()
        await self._runner.cleanup()

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Point discord.py at this server, and back at the end."""
        with point_discord_at(self.port):
            yield

    def watch(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call `watcher` after everything that happens in the world and every request; returns the way to stop it."""
        stop_events = self.world.subscribe(lambda _: watcher())
        self._watchers.append(watcher)

        def stop() -> None:
            stop_events()
            self._watchers.remove(watcher)

        return stop

    # ---- requests --------------------------------------------------------------------------------------------------

    def _make_app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 2**20)
        for method, path, handler in all_routes(self.world, lambda: self.base_url, self.violations.append):
            app.router.add_route(method, API + path, self._wrap(path, handler))
        app.router.add_route("*", API + "/{rest:.*}", self._wrap("/{rest}", _unknown))
        app.router.add_get("/gateway/", self.gateway.handle)
        app.router.add_get("/attachments/{channel_id}/{attachment_id}/{filename}", self._attachment)
        app.router.add_get("/embed/avatars/{name}", _avatar)
        return app

    def _wrap(self, route: str, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            body = await read_body(request)
            call = self._record(request, route, body)
            response = await self._respond(request, call, handler)
            call.status = response.status
            for watcher in list(self._watchers):
                watcher()
            return response

        return handle

    async def _respond(self, request: web.Request, call: ApiCall, handler: Handler) -> web.StreamResponse:
        if not self._is_authorized(request):
            return json_response({"message": "401: Unauthorized", "code": 0}, 401)
        counted = self.rate_limits.count(request.method, call.route, _major(request))
        if counted.is_over:
            self.rate_limited.append(call)
            return self._too_many(counted.reset_after, counted)
        if (fault := self._fault(call, after=False)) is not None:
            return self._faulty(request, fault)
        response = await self._carry_out(request, call, handler)
        response.headers.update(self._headers(counted))
        if (fault := self._fault(call, after=True)) is not None:
            return self._faulty(request, fault)
        return response

    def _is_authorized(self, request: web.Request) -> bool:
        """Interaction tokens carry their own right; everything else needs the bot's token, if one is asked for."""
        if self.token is None or "token" in request.match_info:
            return True
        return request.headers.get("Authorization") == f"Bot {self.token}"

    async def _carry_out(self, request: web.Request, call: ApiCall, handler: Handler) -> web.StreamResponse:
        self._hear("before", call)
        try:
            answer = await handler(request)
        except ApiError as error:
            details = {"errors": error.errors} if error.errors else {}
            return json_response({"message": error.message, "code": error.code, **details}, error.status)
        finally:
            self._hear("after", call)
        return answer if isinstance(answer, web.StreamResponse) else json_response(answer)

    def _hear(self, moment: str, call: ApiCall) -> None:
        if self.on_call is not None:
            self.on_call(moment, call)

    def _record(self, request: web.Request, route: str, body: Body) -> ApiCall:
        call = ApiCall(
            request.method, request.path.removeprefix(API), route, body.data, len(body.files), self.world.now()
        )
        self.calls.append(call)
        problems = [*self.spec.violations(call.method, call.path, dict(request.query), body.data)]
        problems += broken_rules(call.method, route, body)
        self.violations += [f"{call.method} {call.path}: {problem}" for problem in problems]
        return call

    def _fault(self, call: ApiCall, *, after: bool) -> Fault | None:
        for fault in self.faults:
            if fault.after == after and fault.matches(call.method, call.route):
                fault.times -= 1
                return fault
        return None

    async def _attachment(self, request: web.Request) -> web.Response:
        wanted = request.match_info["attachment_id"]
        for one in self._attachments():
            if str(one.id) == wanted:
                return web.Response(body=one.data, content_type=one.content_type)
        raise web.HTTPNotFound

    def _attachments(self) -> Iterator[Attachment]:
        for message in self.world.messages.values():
            yield from message.attachments
        for interaction in self.world.interactions.values():
            yield from interaction.files

    # ---- answers that are not the handler's ------------------------------------------------------------------------

    def _headers(self, counted: BucketState) -> dict[str, str]:
        method, route, _ = counted.bucket.split(":", 2)
        return {
            "X-RateLimit-Limit": str(counted.limit),
            "X-RateLimit-Remaining": str(counted.remaining),
            "X-RateLimit-Reset-After": _milliseconds(counted.reset_after),
            "X-RateLimit-Reset": _milliseconds(self.world.now() + counted.reset_after),
            "X-RateLimit-Bucket": method + route.replace("/", "-"),
        }

    def _too_many(self, retry_after: float, counted: BucketState | None = None) -> web.Response:
        wait = _milliseconds(retry_after)
        body = {"message": "You are being rate limited.", "retry_after": float(wait), "global": False}
        response = json_response(body, 429)
        # Without Via, discord.py takes a 429 for a ban of the whole address.
        response.headers.update({"Via": "1.1 loopback", "Retry-After": wait})
        response.headers["X-RateLimit-Scope"] = "user"
        if counted is not None:
            response.headers.update(self._headers(counted))
        return response

    def _faulty(self, request: web.Request, fault: Fault) -> web.Response:
        if fault.status == CUT and request.transport is not None:
            request.transport.abort()
        if fault.status == 429:
            return self._too_many(fault.retry_after)
        if fault.status == 413:
            return json_response({"message": "Request entity too large", "code": 40005}, 413)
        return json_response({"message": f"injected {fault.status}", "code": fault.code}, fault.status or 500)


def _milliseconds(seconds: float) -> str:
    """Rounded up: a client that waits so long is not early."""
    return f"{math.ceil(seconds * 1000) / 1000:.3f}"


async def _unknown(request: web.Request) -> Any:
    raise ApiError(404, 0, "404: Not Found")


async def _avatar(request: web.Request) -> web.Response:
    return web.Response(body=AVATAR, content_type="image/png")


def _major(request: web.Request) -> str:
    info = request.match_info
    return info.get("token") or info.get("channel_id") or info.get("guild_id") or ""
