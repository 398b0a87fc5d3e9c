"""Service: the application in one object, a topic each in an attribute."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Self

from db import meta
from db.database import Database, DatabaseError
from domain import Job, Origin, Place, Request, RequestOptions
from engine.policy import judge
from engine.prepare import complete
from engine.worker.backend import Backend
from service.admission import ALONE, Admission, AlreadyAccepted, Together
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
from service.kept_pictures import KeptPictures
from service.limits import Limits
from service.lookup import Lookup
from service.members import Members
from service.notices import Notices
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

# How long a stop waits for the bytes of erased pictures; the next start deletes what is left.
DELETING_SECONDS = 5.0


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
        self.notices = Notices(context)
        self.quotas = Quotas(context, limits, backend.profile)
        self.blocks = Blocks(context, self.jobs)
        self.strikes = Strikes(context)
        self.audit = AuditLog(context)
        self.cases = Cases(context, self.jobs, self.submit)
        self.refusals = Refusals(context, self.jobs)
        self.drafts = Drafts(context, self.jobs, backend.profile)
        self.lookup = Lookup(context, self.jobs)
        self.challenges = Challenges(context)
        self.kept_pictures = KeptPictures(context)
        self.members = Members(context)
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
        if kept_because := self._context.database.pictures.kept_because:
            self.health.note("deleting left-over pictures", DatabaseError(kept_because))
        await self.dispatch.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.dispatch.close()
        await self.jobs.finish_deleting(DELETING_SECONDS)

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

    async def submit(self, wanted: Request | RequestOptions, origin: Origin, together: Together = ALONE) -> Job:
        """Accept a request, durably. Raises a UserError (and costs nothing) if it can't be accepted."""
        try:
            accepted = await self._admission.admit(wanted, origin, together)
        except AlreadyAccepted as known:
            return await self.jobs.fetch(known.job_id)
        await self.dispatch.hand_over(accepted.job, accepted.approved)
        return accepted.job

    async def recall(self, key: str) -> str | None:
        """A value that was remembered across restarts."""
        return await meta.recall(self._context.database, key)

    async def remember(self, key: str, value: str) -> None:
        async with self._context.writing() as connection:
            await meta.remember(connection, key, value)
