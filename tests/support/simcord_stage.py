"""The real bot in simcord, a model of Discord that is not ours: who sees a command, who may, and virtual time.

simcord goes on with a test when nothing of the bot's is under way any more. Three loops and the jobs in the worker
never come to such an end by themselves; they are declared as waits for the outside here, and nowhere else. Their timers
are then virtual: only `env.advance_time` moves them. Deadlines of one settlement are real and generous, for slow
machines.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import discord
from discord.ext import commands
from simcord import Env
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle
from simcord.results import InteractionResult, ResponseMessage

from bot import create_bot
from cogs.core.bot import Bot
from cogs.imagine.delivery import Delivery
from cogs.imagine.progress import Progress
from domain import Result, UserError
from engine.safety import FixedScores
from engine.sampling.model import LoadedModel
from engine.worker.local_backend import LocalBackend
from sandbox.world.layout import BUTTON, texts, walk
from settings import Settings

SETTLE_SECONDS = 60.0
PICTURE_SECONDS = 120.0


@dataclass(slots=True)
class SimStage:
    """A running bot in simcord, one channel, and the people in it."""

    settings: Settings
    model: LoadedModel
    env: Env
    guild: GuildHandle
    paintings: ChannelHandle
    ana: MemberActor
    ben: MemberActor
    mira: MemberActor  # may time members out
    rosa: MemberActor  # manages the server
    bot: Bot
    backend: LocalBackend
    running: AsyncExitStack  # closes the bot that runs now
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def imagine(self, who: MemberActor, channel: ChannelHandle | None = None, **options: Any) -> ResponseMessage:
        """Ask for a picture; the message that answers."""
        asked = await who.slash(
            channel or self.paintings, "imagine", **({"prompt": "1girl, smile", "steps": 4} | options)
        )
        return answer(asked)

    async def picture(self, who: MemberActor, **options: Any) -> ResponseMessage:
        """Ask for a picture and wait until it is there."""
        message = await self.imagine(who, **options)
        await self.delivered()
        return message

    async def delivered(self) -> None:
        """Wait, change by change, until everything that was asked for has been shown."""
        async with asyncio.timeout(PICTURE_SECONDS):
            while await self.bot.service.jobs.fetch_open() or await self.bot.service.deliveries.fetch_undelivered():
                await self.changed.wait()
                self.changed.clear()
        await self.env.settle()

    async def restart(self) -> None:
        """Stop the bot in good order and start another one, with a new worker, on the same database."""
        await self.running.aclose()
        self.bot, self.backend = await _open(self.running, self.settings, self.model)
        _declare_waits(self.bot, self.env)
        self.bot.service.subscribe(lambda _: self.changed.set())
        await self.env.restart_bot(self.bot)

    def sees(self, who: MemberActor, message: ResponseMessage) -> bool:
        return message.id in {one.id for one in self.paintings.history(viewer=who)}

    async def agree(self, *people: MemberActor) -> None:
        """Skip the first-use consent for these people."""
        for person in people:
            await self.bot.service.terms.agree(person.id)


def answer(result: InteractionResult) -> ResponseMessage:
    """The message that an interaction was answered with, or the first one after it."""
    message = result.response or next(iter(result.followups), None)
    assert message is not None, "the bot said nothing"
    return message


def text_of(message: ResponseMessage) -> str:
    """Everything that a message says."""
    parts = [message.content]
    parts += texts(message.components)
    for embed in message.embeds:
        parts += [embed.title or "", embed.description or "", embed.footer.text or ""]
        parts += [f"{one.name}: {one.value}" for one in embed.fields]
    return "\n".join(parts)


def labels(message: ResponseMessage) -> list[str]:
    return [one["label"] for one in walk(message.components) if one["type"] == BUTTON]


class PatientEnv(Env):
    """simcord gives a bot five real seconds to start, whatever `settle_timeout` says; a busy machine takes longer."""

    async def _settle_internal(self, *, timeout: float | None = None, **options: Any) -> None:  # noqa: ASYNC109
        await super()._settle_internal(timeout=max(timeout or 0.0, self.settle_timeout), **options)


@asynccontextmanager
async def make_sim_stage(settings: Settings, model: LoadedModel) -> AsyncGenerator[SimStage]:
    """A stage; at the end the bot may have failed with sentences for people only."""
    async with AsyncExitStack() as running:
        bot, backend = await _open(running, settings, model)
        env = PatientEnv(bot, settle_timeout=SETTLE_SECONDS)
        _declare_waits(bot, env)
        await env.start()
        try:
            made = SimStage(settings, model, env, *_people(env), bot, backend, running)
            bot.service.subscribe(lambda _: made.changed.set())
            await env.settle()
            yield made
        finally:
            await env.shutdown()
    unexpected = [error for error in env.errors if not isinstance(getattr(error, "original", error), UserError)]
    assert unexpected == []


async def _open(running: AsyncExitStack, settings: Settings, model: LoadedModel) -> tuple[Bot, LocalBackend]:
    backend = LocalBackend(model, FixedScores())
    # simcord does not close the bot that it attached; `running` does.
    return await running.enter_async_context(create_bot(settings, backend)), backend


People = tuple[GuildHandle, ChannelHandle, MemberActor, MemberActor, MemberActor, MemberActor]


def _people(env: Env) -> People:
    guild = env.create_guild("Painters")
    moderators = guild.create_role("moderators", permissions=discord.Permissions(moderate_members=True))
    managers = guild.create_role("managers", permissions=discord.Permissions(manage_guild=True))
    return (
        guild,
        guild.create_text_channel("paintings"),
        guild.add_member(env.create_user("ana")),
        guild.add_member(env.create_user("ben")),
        guild.add_member(env.create_user("mira"), roles=[moderators]),
        guild.add_member(env.create_user("rosa"), roles=[managers]),
    )


def _declare_waits(bot: Bot, env: Env) -> None:
    """The bot's own loops and the worker's answers, which only the outside brings; and simcord's clock."""
    bot.service.clock = env.now
    _wait_outside(env, bot.background, "run")
    add_cog = bot.add_cog

    async def add_and_declare(cog: commands.Cog, **options: Any) -> None:
        if isinstance(cog, Progress):
            cog._clock = lambda: env.now().timestamp()  # pyright: ignore[reportPrivateUsage]
            _wait_outside(env, cog, "_keep_up")
        if isinstance(cog, Delivery):
            _wait_outside(env, cog, "_run")
        await add_cog(cog, **options)

    bot.add_cog = add_and_declare
    dispatch = bot.service.dispatch
    settle = dispatch._settle  # pyright: ignore[reportPrivateUsage]

    async def wait_and_settle(job_id: int, future: Future[Result]) -> None:
        await env.external_wait(
            asyncio.gather(asyncio.wrap_future(future), return_exceptions=True), reason="the worker"
        )
        await settle(job_id, future)

    dispatch._settle = wait_and_settle  # pyright: ignore[reportPrivateUsage]


def _wait_outside(env: Env, owner: object, loop: str) -> None:
    run = getattr(owner, loop)
    setattr(owner, loop, lambda: env.external_wait(run(), reason=loop))
