"""What follows from a decided case for members: who has to be told, and a granted appeal's picture."""

from __future__ import annotations

import secrets
from dataclasses import replace

import aiosqlite

from db import appeals
from domain import SEED_LIMIT, Job, JobSource, Origin, Request, UserError
from domain.cases import AppealAnswer, Case, Grounds, Subject
from service.admission import Submit, Together
from service.context import Context
from service.grounds import fetch_grounds
from service.jobs import Jobs


class CaseAnswers:
    """Follows from rows: a member is told while their case is not marked as told, whatever happened in between."""

    def __init__(self, context: Context, jobs: Jobs, submit: Submit) -> None:
        self._context = context
        self._jobs = jobs
        self._submit = submit

    async def fetch_untold(self) -> list[Case]:
        """Decided cases whose members have not been told, oldest first."""
        return await appeals.fetch_untold(self._context.database)

    async def mark_told(self, case: Case) -> None:
        """Its members know, or can't be reached."""
        async with self._context.writing() as connection:
            await appeals.mark_told(connection, case.id, self._context.now())

    async def answer_appeal(self, case: Case) -> AppealAnswer:
        """What the member hears; a granted appeal is submitted, once even if a crash repeats this."""
        grounds = await fetch_grounds(self._context.database, case.decision_id or 0)
        return AppealAnswer(
            clause_words=grounds.clause_words if grounds else "",
            problem=await self._paint(case, grounds) if case.status.is_granted else None,
        )

    async def _paint(self, case: Case, grounds: Grounds | None) -> str | None:
        """Submit what was refused; why not, if it can't be accepted.

        The job and the mark that keeps the case from being answered again are written together.
        """
        wanted = await self._fetch_wanted(case, grounds)
        if wanted is None:
            return "Please ask for it again."
        request, origin = wanted

        async def mark(connection: aiosqlite.Connection, _: int) -> None:
            await appeals.mark_told(connection, case.id, self._context.now())

        try:
            await self._submit(request, _as_appeal(origin), Together(then=mark))
        except UserError as error:
            return f"It can't be painted right now, so please ask for it again: {error}"
        return None

    async def _fetch_wanted(self, case: Case, grounds: Grounds | None) -> tuple[Request, Origin] | None:
        """The refused request as it was asked; a withheld picture's with another seed."""
        if grounds is not None and grounds.subject is Subject.PICTURE and grounds.job_id is not None:
            job = await self._jobs.fetch(grounds.job_id)
            return replace(job.request, seed=secrets.randbelow(SEED_LIMIT)), _origin_of(job)
        return await appeals.fetch_refused(self._context.database, case.decision_id or 0)


def _as_appeal(origin: Origin) -> Origin:
    """A request of its own: the message that was refused may have become another job since, by an edit."""
    return replace(origin, source=JobSource.APPEAL, message_id=None, request_id=None)


def _origin_of(job: Job) -> Origin:
    return Origin(
        user_id=job.user_id,
        place=job.place,
        parent_id=job.parent_id,
        filesize_limit=job.filesize_limit,
        source=JobSource.APPEAL,
    )
