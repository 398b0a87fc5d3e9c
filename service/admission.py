"""Admission: what stands between a request and the queue, once the engine finds it paintable.

Blocks, the bot's state, the server's settings, strikes, the policy, and then one statement that checks every limit and
spends the credits. Knows the engine's policy and the database, like service.py, of which it is a part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime

import aiosqlite

from db import blocks, decisions, guild_settings, jobs, meta, strikes
from db.database import Database
from db.guild_settings import GuildSettings
from db.quota_sql import Asker, QuotaDefaults
from db.quotas import QuotaStanding, fetch_standing
from db.strikes import NO_PENALTY, Penalty
from domain import (
    ApprovedRequest,
    InvalidRequest,
    ModelProfile,
    NotAllowed,
    Origin,
    Place,
    PromptRefused,
    QueueFull,
    QuotaExceeded,
    Request,
    Task,
    UserError,
)
from engine.policy import approve, judge
from engine.request.cost import credits_in_words, millicredits_for
from engine.request.presets import apply_preset
from service.allowances import fetch_allowances, use_allowance, write_refusal

QUEUE_STATE = "queue state"
OPEN, PAUSED, DRAINING = "open", "paused", "draining"

WriteWith = Callable[[aiosqlite.Connection, int], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bot's own limits: what holds where a server's moderators have decided nothing."""

    max_queue: int = 500
    max_jobs_per_user: int = 10
    credits_per_hour: int = 60
    credits_per_day: int = 600

    @property
    def defaults(self) -> QuotaDefaults:
        return QuotaDefaults(
            per_hour=self.credits_per_hour * 1000,
            per_day=self.credits_per_day * 1000,
            max_jobs=self.max_jobs_per_user,
        )


class Admission:
    """Decides about one request at a time; everything it decides is written in the transaction of the decision."""

    def __init__(self, database: Database, profile: ModelProfile, limits: Limits) -> None:
        self._database = database
        self._profile = profile
        self._limits = limits

    async def admit(self, request: Request, origin: Origin, now: datetime, also: WriteWith | None = None) -> Task:
        """The accepted job, paid for. Raises a UserError, and then nothing was spent.

        `also(connection, job_id)` writes in the same transaction as the acceptance.
        """
        settings = await guild_settings.load(self._database, origin.place.guild_id or 0)
        origin = await self.with_channel_choices(origin)
        await self._check_state()
        await self._check_block(origin, now)
        check_server_rules(request, origin, settings, self._profile)
        penalty = await self._check_strikes(origin, settings, now)
        allowed = await fetch_allowances(self._database, origin.place.guild_id, origin.user_id)
        try:
            approved = await asyncio.to_thread(approve, request, origin.place, allowed)  # long ones take a while
        except PromptRefused as refusal:
            raise await write_refusal(self._database, refusal, request, origin, now, settings) from None
        async with self._database.transaction() as connection:
            job_id = await self._enqueue(connection, approved, origin, penalty, now)
            await decisions.record_prompt(connection, approved.verdict, request, origin, now, job_id)
            await use_allowance(connection, allowed, request, origin, now, job_id)
            if also is not None:
                await also(connection, job_id)
            weight, guild_weight = await jobs.fetch_weights(connection, job_id)
        return Task(job_id=job_id, user_id=origin.user_id, approved=approved, weight=weight, guild_weight=guild_weight)

    def price(self, request: Request) -> int:
        """What the request costs, in thousandths of a credit."""
        return millicredits_for(request, self._profile)

    async def warm_up(self) -> None:
        """Read the policy's rules now, beside the event loop: the first member must not wait for them."""
        await asyncio.to_thread(judge, _usual_request(self._profile), Place())

    def usual_prices(self, settings: GuildSettings) -> dict[str, int]:
        """What this model's usual pictures cost, by name, in thousandths of a credit."""
        profile = self._profile
        usual = apply_preset(_usual_request(profile), settings.preset)
        return {
            f"{shape}, {width}×{height}, {usual.num_inference_steps} steps": self.price(
                replace(usual, width=width, height=height)
            )
            for shape, (width, height) in profile.shapes.items()
        }

    async def standing(self, asker: Asker, now: datetime) -> QuotaStanding:
        """Where a member stands: the same sums that decide about the next request."""
        return await fetch_standing(self._database, asker, self._limits.defaults, now)

    async def with_channel_choices(self, origin: Origin) -> Origin:
        """The origin with what the channel's moderators chose for it. Raises NotAllowed where pictures are off."""
        place = origin.place
        if place.guild_id is None:
            return origin
        channel_id = origin.parent_channel_id or place.channel_id
        chosen = await guild_settings.load_channel(self._database, place.guild_id, channel_id)
        if chosen.level == "off":
            raise NotAllowed("The moderators have switched pictures off in this channel. Please try another one.")
        place = replace(place, adult_opt_in=chosen.level == "adult", is_strict=chosen.level == "strict")
        return replace(origin, place=place)

    async def _check_state(self) -> None:
        if await meta.recall(self._database, QUEUE_STATE) == DRAINING:
            raise QueueFull(
                "The bot is about to be maintained and takes no new pictures just now; those that wait are still "
                "painted. Please try again a little later."
            )

    async def _check_block(self, origin: Origin, now: datetime) -> None:
        block = await blocks.find(self._database, origin.place.guild_id or 0, origin.user_id, now)
        if block is not None:
            raise NotAllowed(block_in_words(block))

    async def _check_strikes(self, origin: Origin, settings: GuildSettings, now: datetime) -> Penalty:
        if origin.is_moderator:
            return NO_PENALTY
        guild_id = origin.place.guild_id or 0
        penalty = await strikes.fetch_penalty(self._database, guild_id, origin.user_id, settings, now)
        if penalty.until is not None:
            raise QuotaExceeded(
                f"After {penalty.count} refused prompts in a row you can ask for pictures again "
                f"<t:{int(penalty.until.timestamp())}:R>. `/strikes` shows why.",
                retry_at=penalty.until,
            )
        return penalty

    async def _enqueue(
        self,
        connection: aiosqlite.Connection,
        approved: ApprovedRequest,
        origin: Origin,
        penalty: Penalty,
        now: datetime,
    ) -> int:
        is_slow = penalty.rung == "slow"
        cap = strikes.SLOW_JOBS if is_slow else jobs.NO_CAP
        cost = self.price(approved.request)
        job_id = await jobs.enqueue(
            connection,
            approved.request,
            origin,
            now,
            cost=cost,
            defaults=self._limits.defaults,
            max_queue=self._limits.max_queue,
            jobs_cap=cap,
            weight_factor=strikes.SLOW_WEIGHT if is_slow else 1.0,
        )
        if job_id is None:
            raise await self._why_not(connection, origin, cost, cap, now)
        return job_id

    async def _why_not(
        self, connection: aiosqlite.Connection, origin: Origin, cost: int, jobs_cap: int, now: datetime
    ) -> UserError:
        """The sentence for whichever limit the enqueue statement met."""
        if await jobs.count_open(connection) >= self._limits.max_queue:
            return QueueFull("The queue is full at the moment. Please try again in a few minutes; nothing was charged.")
        standing = await fetch_standing(connection, Asker.of(origin), self._limits.defaults, now)
        most = min(standing.max_jobs, jobs_cap)
        if standing.open_jobs >= most:
            return QuotaExceeded(
                f"You already have {standing.open_jobs} pictures waiting or being painted, and {most} is the most at a "
                "time" + (" after your last strikes" if jobs_cap <= standing.max_jobs else "") + ". "
                "Wait for one to finish, or cancel one."
            )
        if cost > standing.left:
            return _too_expensive(standing, cost, now)
        budget = standing.budget
        if budget.max_jobs is not None and budget.open_jobs >= budget.max_jobs:
            return QueueFull("This server has as many pictures in the queue as it may have. Please try again soon.")
        if budget.left is not None and cost > budget.left:
            return QuotaExceeded(
                f"This server has {credits_in_words(budget.left)} left in its own budget, and this costs "
                f"{credits_in_words(cost)}. Please try again later; nothing was charged."
            )
        return NotAllowed("You can't ask for pictures here at the moment.")


def _usual_request(profile: ModelProfile) -> Request:
    width, height = profile.shapes["square"]
    return Request(
        prompt="1girl, smile",
        width=width,
        height=height,
        num_inference_steps=profile.num_inference_steps,
        guidance_scale=profile.guidance_scale,
        scheduler=profile.scheduler,
        seed=0,
    )


def _too_expensive(standing: QuotaStanding, cost: int, now: datetime) -> QuotaExceeded:
    retry_at = standing.free_at(cost, now)
    costs, left = credits_in_words(cost), credits_in_words(standing.left)
    sentence = f"This costs {costs}, and you have {left if left != costs else 'a little less'} left."
    if retry_at is not None:
        sentence += f" You can ask for it again <t:{int(retry_at.timestamp())}:R>; smaller or fewer pictures cost less."
    else:
        sentence += " It is more than you ever have at once; fewer steps, a smaller size or fewer pictures cost less."
    return QuotaExceeded(f"{sentence} `/quota me` shows more.", retry_at=retry_at)


def block_in_words(block: blocks.Block) -> str:
    """What a blocked member reads."""
    what = "This server is" if block.user_id == blocks.WHOLE_SERVER else "You are"
    where = "" if block.guild_id == blocks.EVERYWHERE or block.user_id == blocks.WHOLE_SERVER else " in this server"
    end = f" until <t:{int(block.expires_at.timestamp())}:f>" if block.expires_at else ""
    return f"{what} blocked from painting{where}{end}. The reason given: {block.reason}"


def check_server_rules(request: Request, origin: Origin, settings: GuildSettings, profile: ModelProfile) -> None:
    """Raise InvalidRequest or NotAllowed for what this server's moderators do not want."""
    if request.images > settings.max_images:
        raise InvalidRequest(f"This server allows at most {settings.max_images} pictures at once.")
    sizes = {profile.shapes[shape]: shape for shape in settings.allowed_shapes}
    if sizes and (request.width, request.height) not in sizes:
        names = ", ".join(f"{shape} ({width}×{height})" for (width, height), shape in sizes.items())
        raise InvalidRequest(f"This server allows these sizes only: {names}.")
    if request.init_image is not None and not _may_start_from_picture(origin, settings):
        raise NotAllowed("In this server you may not paint on from a picture.")


def _may_start_from_picture(origin: Origin, settings: GuildSettings) -> bool:
    who = settings.image_to_image
    if who == "everyone":
        return True
    if who == "nobody":
        return False
    has_role = who == "roles" and not set(settings.image_to_image_role_ids).isdisjoint(origin.role_ids)
    return origin.is_moderator or has_role
