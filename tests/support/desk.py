"""The application on a database file, with a backend that paints nothing, and what tests of its use cases need."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from db import jobs as job_rows
from db.database import Database
from db.picture_files import month_of
from db.picture_sweep import written
from domain import Job, Origin, Picture, PromptRefused, Request, Result, SafetyReport, SafetyVerdict
from service import Service, Topic
from tests.support.idle_backend import IdleBackend
from tests.support.people import MEMBER
from tests.support.requests import NOW, ORIGIN, PROFILE, USUAL_REQUEST


class Desk:
    """The service; `news` are the topics that it announced, and `now` moves as tests wish."""

    def __init__(self, database: Database, backend: IdleBackend | None = None) -> None:
        self.database = database
        self.now: datetime = NOW
        self.backend = backend or IdleBackend()
        self.service = Service(database, self.backend, clock=lambda: self.now)
        self.cases = self.service.cases
        self.jobs = self.service.jobs
        self.news: list[tuple[Topic, int]] = []
        for topic in Topic:
            self.service.topics.subscribe(topic, lambda subject_id, topic=topic: self.news.append((topic, subject_id)))

    async def refuse(self, prompt: str, origin: Origin = ORIGIN) -> int:
        """The id of the decision by which the policy refuses a prompt."""
        with pytest.raises(PromptRefused) as refused:
            await self.service.submit(replace(USUAL_REQUEST, prompt=prompt), origin)
        decision_id = refused.value.decision_id
        assert decision_id is not None
        return decision_id

    async def finish(
        self,
        png: bytes = b"picture",
        message_id: int | None = None,
        origin: Origin = ORIGIN,
        seed: int = 1,
        request: Request = USUAL_REQUEST,
    ) -> Job:
        """A job whose picture is ready; delivered if its message is named."""
        job = await self.service.submit(replace(request, seed=seed), origin)
        safety = SafetyReport(verdict=SafetyVerdict.SAFE, scores={"x": 0.1})
        picture = Picture(seed=seed, width=512, height=512, png=png, safety=safety)
        result = Result(job_id=job.id, request=job.request, model=PROFILE.identity, pictures=(picture,), seconds=1.0)
        async with (
            written(self.database, month_of(self.now), [png]) as (place,),
            self.database.transaction() as connection,
        ):
            await job_rows.finish(connection, result, self.now, {0: place})
            if message_id is not None:
                await job_rows.mark_delivered(connection, job.id, message_id, self.now)
        return await self.jobs.fetch(job.id)

    def pass_time(self, time: timedelta) -> None:
        self.now += time


@asynccontextmanager
async def open_desk(database: Database, backend: IdleBackend | None = None) -> AsyncGenerator[Desk]:
    """A desk at which the usual member has agreed to the terms."""
    desk = Desk(database, backend)
    async with desk.service as service:
        await service.terms.agree(MEMBER)
        yield desk
