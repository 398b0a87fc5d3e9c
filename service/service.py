"""Service: the application in one object, a topic each in an attribute."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Self

from db import meta
from db.database import Database
from domain import Job, Origin, Place, Request, RequestOptions
from engine.policy import judge
from engine.prepare import complete
from engine.worker.backend import Backend
from service.admission import Admission, AlreadyAccepted, WriteFirst, WriteWith
from service.audit import AuditLog
from service.backups import Backups
from service.blocks import Blocks
from service.cases import Cases
from service.challenges import Challenges
from service.context import Context, Listener, Topic, Topics, utc_now
from service.deliveries import Deliveries
from service.dispatch import Dispatch
from service.drafts import Drafts
from service.feedback import Feedback
from service.health import Health
from service.jobs import Jobs
from service.limits import Limits
from service.lookup import Lookup
from service.owner import Owner
from service.privacy import Privacy
from service.prompt_channels import PromptChannels
from service.queue import Queue
from service.quotas import Quotas
from service.refusals import Refusals
from service.requests import Requests
from service.settings import ServerSettings
from service.starboard import Starboards
from service.strikes import Strikes
from service.terms import Terms


class Service:
    """Use as `async with Service(...) as service`: entering recovers what an earlier process left behind."""

    def __init__(
        self,
        database: Database,
        backend: Backend,
        limits: Limits | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        limits = limits or Limits()
        context = self._context = Context(database, clock)
        self.queue = Queue(context, backend)
        self.settings = ServerSettings(context)
        self.terms = Terms(context)
        self.jobs = Jobs(context, backend)
        self.requests = Requests(self.jobs, backend.profile)
        self.health = Health(context.now)
        self.dispatch = Dispatch(context, backend, self.jobs, self.health)
        self.deliveries = Deliveries(context, self.jobs, self.settings, backend.profile)
        self.quotas = Quotas(context, limits, backend.profile)
        self.blocks = Blocks(context, self.jobs)
        self.strikes = Strikes(context)
        self.audit = AuditLog(context)
        self.cases = Cases(context, self.jobs, self.submit)
        self.refusals = Refusals(context, self.jobs)
        self.drafts = Drafts(context, self.jobs, backend.profile)
        self.lookup = Lookup(context, self.jobs)
        self.challenges = Challenges(context)
        self.starboards = Starboards(context)
        self.prompt_channels = PromptChannels(context, self.jobs, self.settings, self.submit, backend.profile)
        self.privacy = Privacy(context, self.jobs)
        self.backups = Backups(context, self.jobs)
        self.feedback = Feedback(context)
        self.owner = Owner(context, self.jobs, self.deliveries)
        self._admission = Admission(context, backend, self.terms, limits)

    async def __aenter__(self) -> Self:
        self.queue.apply_state(await self.queue.fetch_state())
        # Read the policy's rules beside the event loop: the first member must not wait for them.
        await asyncio.to_thread(judge, complete(RequestOptions(prompt="1girl"), self.queue.profile), Place())
        await self.dispatch.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.dispatch.close()

    @property
    def topics(self) -> Topics:
        return self._context.topics

    def now(self) -> datetime:
        return self._context.now()

    @property
    def clock(self) -> Callable[[], datetime]:
        """What gives the current time; tests replace it."""
        return self._context.clock

    @clock.setter
    def clock(self, clock: Callable[[], datetime]) -> None:
        self._context.clock = clock

    def subscribe(self, listener: Listener) -> None:
        """Call `listener(job_id)` in the event loop whenever a job's row has changed or it was painted further."""
        for topic in (Topic.JOBS, Topic.PROGRESS):
            self.topics.subscribe(topic, listener)

    async def submit(
        self,
        wanted: Request | RequestOptions,
        origin: Origin,
        also: WriteWith | None = None,
        first: WriteFirst | None = None,
    ) -> Job:
        """Accept a request, durably. Raises a UserError (and costs nothing) if it can't be accepted.

        `first(connection)` writes in the acceptance's transaction before it, `also(connection, job_id)` after it.
        """
        try:
            task = await self._admission.admit(wanted, origin, also, first)
        except AlreadyAccepted as known:
            return await self.jobs.fetch(known.job_id)
        await self.dispatch.hand_over(task)
        # It is accepted: a failure to read it back must not look like a refusal.
        return await self.health.until_written("reading a new job", lambda: self.jobs.fetch(task.job_id))

    async def recall(self, key: str) -> str | None:
        """A value that was remembered across restarts."""
        return await meta.recall(self._context.database, key)

    async def remember(self, key: str, value: str) -> None:
        async with self._context.writing() as connection:
            await meta.remember(connection, key, value)
