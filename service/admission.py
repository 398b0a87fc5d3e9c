"""Admission: what stands between a request and the queue.

Everything that decides is read in one statement and carried along; the engine completes, checks, prices and judges the
request in one call; and one statement checks every limit and spends the credits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import aiosqlite

from db import circumstances, decisions, jobs
from db.quotas import fetch_standing
from db.strikes import SLOW_JOBS, SLOW_WEIGHT, penalty_of
from domain import (
    ApprovedRequest,
    ConsentRequired,
    InvalidRequest,
    Job,
    ModelProfile,
    NotAllowed,
    Origin,
    Place,
    QueueFull,
    QuotaExceeded,
    Request,
    RequestOptions,
    UserError,
)
from domain.blocks import WHOLE_SERVER, Block
from domain.circumstances import Circumstances
from domain.places import EVERYWHERE
from domain.queue import QueueState
from domain.quotas import Asker, QuotaStanding, credits_in_words
from domain.settings import ChannelLevel, ChannelSettings, FromPictures, GuildSettings
from domain.strikes import NO_PENALTY, Penalty, Rung
from engine.policy import Allowances
from engine.policy.licence import TERMS_VERSION
from engine.prepare import Prepared, Validator, prepare
from service.allowances import use_allowance, write_refusal
from service.context import Context
from service.limits import Limits
from service.terms import Terms


@dataclass(frozen=True, slots=True)
class Together:
    """What the transaction of an acceptance writes, too.

    `first(connection)` is called before the job is written, `then(connection, job_id)` after it.
    """

    first: Callable[[aiosqlite.Connection], Awaitable[None]] | None = None
    then: Callable[[aiosqlite.Connection, int], Awaitable[None]] | None = None


ALONE = Together()


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job that is paid for, with the approval that the backend asks for."""

    job: Job
    approved: ApprovedRequest


class AlreadyAccepted(Exception):
    """This very interaction or message is a job already."""

    def __init__(self, job_id: int) -> None:
        super().__init__(f"accepted already, as job {job_id}")
        self.job_id = job_id


class Submit(Protocol):
    """`Service.submit`."""

    def __call__(
        self, wanted: Request | RequestOptions, origin: Origin, together: Together = ALONE, /
    ) -> Awaitable[Job]: ...


class Admission:
    """Decides about one request at a time; everything it decides is written in the transaction of the decision."""

    def __init__(self, context: Context, backend: Validator, terms: Terms, limits: Limits) -> None:
        self._context = context
        self._backend = backend
        self._profile = backend.profile
        self._terms = terms
        self._max_queue, self._defaults = limits.max_queue, limits.defaults

    async def admit(self, wanted: Request | RequestOptions, origin: Origin, together: Together = ALONE) -> Accepted:
        """The accepted job, paid for. Raises a UserError, and then nothing was spent."""
        now = self._context.now()
        found = await circumstances.fetch(self._context.database, Asker.of(origin), TERMS_VERSION, now)
        origin = _as_moderator(origin, found.settings)
        judged = replace(origin, place=place_with(origin.place, found.channel))
        self._require_open(judged, found)
        penalty = _penalty(judged, found, now)
        # Long prompts take a while: beside the event loop.
        allowed = Allowances(once=found.once, phrases=found.phrases)
        prepared = await asyncio.to_thread(prepare, self._backend, wanted, found.settings, judged.place, allowed)
        if not found.has_agreed:
            pending_id = await self._terms.keep_request(prepared.request, origin)
            raise ConsentRequired(
                "Before your first picture, please read what this model may not be used for.", pending_id
            )
        try:
            check_server_rules(prepared.request, judged, found.settings, self._profile)
            if prepared.refusal is not None:
                raise await write_refusal(self._context, prepared.refusal, prepared.request, judged, found.settings)
            return await self._accept(prepared, judged, found, penalty, together)
        except UserError as error:
            error.is_approved = prepared.approved is not None
            raise

    def _require_open(self, origin: Origin, found: Circumstances) -> None:
        """Raise NotAllowed or QueueFull where nobody, or not this member, may ask for pictures now."""
        if origin.place.guild_id is not None and found.channel.level is ChannelLevel.OFF:
            raise NotAllowed("The moderators have switched pictures off in this channel. Please try another one.")
        if found.queue_state is QueueState.DRAINING:
            raise QueueFull(
                "The bot is about to be maintained and takes no new pictures just now; those that wait are still "
                "painted. Please try again a little later."
            )
        if found.block is not None:
            raise NotAllowed(block_in_words(found.block))

    async def _accept(
        self,
        prepared: Prepared,
        origin: Origin,
        found: Circumstances,
        penalty: Penalty,
        together: Together,
    ) -> Accepted:
        approved, now = prepared.approved, self._context.now()
        if approved is None:
            raise ValueError("a refused request can't be accepted")
        request = prepared.request
        async with self._context.writing() as connection:
            if together.first is not None:
                await together.first(connection)
            job_id = await self._enqueue(connection, prepared, origin, penalty, now)
            await decisions.record_prompt(connection, approved.verdict, request, origin, now, job_id)
            if prepared.key in found.once:
                await use_allowance(connection, prepared.key, origin, now, job_id)
            if together.then is not None:
                await together.then(connection, job_id)
            return Accepted(await jobs.fetch_new(connection, job_id), approved)

    async def _enqueue(
        self, connection: aiosqlite.Connection, prepared: Prepared, origin: Origin, penalty: Penalty, now: datetime
    ) -> int:
        is_slow = penalty.rung is Rung.SLOW
        cap = SLOW_JOBS if is_slow else jobs.NO_CAP
        job_id = await jobs.enqueue(
            connection,
            prepared.request,
            origin,
            now,
            cost=prepared.cost,
            defaults=self._defaults,
            max_queue=self._max_queue,
            jobs_cap=cap,
            weight_factor=SLOW_WEIGHT if is_slow else 1.0,
        )
        if job_id is None:
            known_id = await jobs.find_by_request(connection, origin.request_id)
            if known_id is not None:
                raise AlreadyAccepted(known_id)
            raise await self._why_not(connection, origin, prepared.cost, cap, now)
        return job_id

    async def _why_not(
        self, connection: aiosqlite.Connection, origin: Origin, cost: int, jobs_cap: int, now: datetime
    ) -> UserError:
        """The sentence for whichever limit the enqueue statement met."""
        if await jobs.count_open(connection) >= self._max_queue:
            return QueueFull("The queue is full at the moment. Please try again in a few minutes; nothing was charged.")
        standing = await fetch_standing(connection, Asker.of(origin), self._defaults, now)
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


def place_with(place: Place, channel: ChannelSettings) -> Place:
    """The place with what its channel's moderators chose; in direct messages nobody chose anything."""
    if place.guild_id is None:
        return place
    level = channel.level
    return replace(place, adult_opt_in=level is ChannelLevel.ADULT, is_strict=level is ChannelLevel.STRICT)


def _as_moderator(origin: Origin, settings: GuildSettings) -> Origin:
    """The origin of a member who moderates here by Discord's permissions, or by a role that the server named."""
    has_role = not set(settings.moderator_role_ids).isdisjoint(origin.role_ids)
    return replace(origin, is_moderator=origin.is_moderator or has_role)


def _penalty(origin: Origin, found: Circumstances, now: datetime) -> Penalty:
    """Where the member stands on the ladder of strikes. Raises QuotaExceeded during a pause."""
    if origin.is_moderator:
        return NO_PENALTY
    penalty = penalty_of(found.struck_at, found.settings, now)
    if penalty.until is not None:
        raise QuotaExceeded(
            f"After {penalty.count} refused prompts in a row you can ask for pictures again "
            f"<t:{int(penalty.until.timestamp())}:R>. `/strikes` shows why.",
            retry_at=penalty.until,
        )
    return penalty


def _too_expensive(standing: QuotaStanding, cost: int, now: datetime) -> QuotaExceeded:
    retry_at = standing.free_at(cost, now)
    costs, left = credits_in_words(cost), credits_in_words(standing.left)
    sentence = f"This costs {costs}, and you have {left if left != costs else 'a little less'} left."
    if retry_at is not None:
        sentence += f" You can ask for it again <t:{int(retry_at.timestamp())}:R>; smaller or fewer pictures cost less."
    else:
        sentence += " It is more than you ever have at once; fewer steps, a smaller size or fewer pictures cost less."
    return QuotaExceeded(f"{sentence} `/quota me` shows more.", retry_at=retry_at)


def block_in_words(block: Block) -> str:
    """What a blocked member reads."""
    what = "This server is" if block.user_id == WHOLE_SERVER else "You are"
    where = "" if block.guild_id == EVERYWHERE or block.user_id == WHOLE_SERVER else " in this server"
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
    if who is FromPictures.EVERYONE:
        return True
    if who is FromPictures.NOBODY:
        return False
    has_role = who is FromPictures.ROLES and not set(settings.image_to_image_role_ids).isdisjoint(origin.role_ids)
    return origin.is_moderator or has_role
