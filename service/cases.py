"""Appeals, reports and pictures that wait for a yes: how a case is opened, what its card shows, what was allowed.

How a case is decided is in service/case_decisions.py, what members hear of it in service/case_answers.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import aiosqlite

from db import allowances, appeals, audit, pictures
from db import jobs as job_rows
from domain import Job, JobStatus, NotAllowed, NotFound
from domain.allowances import AllowedPhrase
from domain.audit import AuditAction
from domain.cases import CHOICES, Case, CaseFile, CaseKind, CaseStatus, Grounds, OpenCases
from service.admission import Submit
from service.case_answers import CaseAnswers
from service.case_decisions import CaseDecisions
from service.context import Context, Topic
from service.grounds import fetch_grounds, fetch_picture_grounds
from service.jobs import Jobs


class Cases:
    """One case for each appeal, each member's report of a picture, and each picture that waits for a yes."""

    def __init__(self, context: Context, jobs: Jobs, submit: Submit) -> None:
        self._context = context
        self._jobs = jobs
        self.decisions = CaseDecisions(context, jobs)
        self.answers = CaseAnswers(context, jobs, submit)

    # ---- appeals ---------------------------------------------------------------------------------------------------

    async def require_appealable(self, decision_id: int, user_id: int, guild_id: int | None) -> int:
        """The decision's id. Raises NotFound or NotAllowed, saying why there is nothing to appeal."""
        grounds = await fetch_grounds(self._context.database, decision_id)
        return await self._require_new_appeal(grounds, user_id, guild_id)

    async def require_appealable_picture(self, job_id: int, user_id: int, guild_id: int | None) -> int:
        """The id of the decision that withheld the job's picture. Raises NotFound or NotAllowed."""
        grounds = await fetch_picture_grounds(self._context.database, job_id)
        if grounds is None:
            raise NotFound("A moderator decided about this picture already, so there is nothing left to appeal.")
        return await self._require_new_appeal(grounds, user_id, guild_id)

    async def _require_new_appeal(self, grounds: Grounds | None, user_id: int, guild_id: int | None) -> int:
        grounds, _ = _require_own(grounds, user_id, guild_id)
        case = await appeals.fetch_appeal(self._context.database, grounds.id)
        if case is not None:
            state = "still with the moderators" if case.is_open else f"decided: {case.end_in_words}"
            raise NotAllowed(f"You appealed this already; it is {state}.")
        return grounds.id

    async def appeal(self, decision_id: int, user_id: int, guild_id: int | None, statement: str) -> bool:
        """Open the member's appeal; whether its moderators have a channel in which they see it.

        Raises NotAllowed or NotFound if the decision can't be appealed, or was appealed meanwhile.
        """
        found = await fetch_grounds(self._context.database, decision_id)
        grounds, guild_id = _require_own(found, user_id, guild_id)
        now = self._context.now()
        async with self._context.writing(Topic.CASES, Topic.AUDIT) as connection:
            case_id = await appeals.open_case(
                connection,
                CaseKind.APPEAL,
                guild_id=guild_id,
                channel_id=grounds.channel_id,
                user_id=user_id,
                opened_by=user_id,
                now=now,
                decision_id=grounds.id,
                job_id=grounds.job_id,
                statement=statement,
            )
            if case_id is None:
                raise NotAllowed("You appealed this already; it is with the moderators.")
            details = {"case": case_id, "clause": grounds.clause}
            await audit.record(
                connection, guild_id, user_id, AuditAction.APPEAL_OPEN, f"member:{user_id}", details, now
            )
        return await appeals.has_review_channel(self._context.database, guild_id)

    # ---- reports ---------------------------------------------------------------------------------------------------

    async def require_reportable(self, job_id: int, guild_id: int | None) -> None:
        """Raise NotFound or NotAllowed if the picture can't be reported in this server."""
        _require_in_server(await self._jobs.fetch(job_id), guild_id)

    async def find_reportable(self, message_id: int, guild_id: int | None) -> int:
        """The id of the job that a message shows. Raises NotFound or NotAllowed."""
        job = await self._jobs.find_shown(message_id)
        if job is None:
            raise NotFound("I know no picture of mine in this message.")
        _require_in_server(job, guild_id)
        return job.id

    async def report(self, job_id: int, reporter_id: int, guild_id: int | None, reason: str) -> None:
        """Open a member's report of a picture. Raises NotAllowed if it is their second one of this picture."""
        job = await self._jobs.fetch(job_id)
        guild_id, now = _require_in_server(job, guild_id), self._context.now()
        async with self._context.writing(Topic.CASES, Topic.AUDIT) as connection:
            case_id = await _open_about(job, connection, CaseKind.REPORT, guild_id, reporter_id, now, statement=reason)
            if case_id is None:
                raise NotAllowed("You reported this picture already; thank you.")
            details = {"case": case_id, "job": job.id}
            await audit.record(
                connection, guild_id, reporter_id, AuditAction.REPORT_OPEN, f"member:{job.user_id}", details, now
            )

    # ---- approvals -------------------------------------------------------------------------------------------------

    async def hold(self, job: Job, channel_ids: tuple[int, ...]) -> bool:
        """Whether a finished picture waits for a moderator; opens its case if one of its channels asks for that.

        `channel_ids` are the job's channel and, for a thread, the channel that it belongs to.
        """
        if job.status is not JobStatus.DONE or job.guild_id is None:
            return False
        case = await appeals.fetch_approval(self._context.database, job.id)
        if case is not None:
            return case.is_open
        if not await appeals.needs_approval(self._context.database, channel_ids):
            return False
        async with self._context.writing(Topic.CASES) as connection:
            now = self._context.now()
            await _open_about(job, connection, CaseKind.APPROVAL, job.guild_id, job.user_id, now)
        return True

    async def set_approval(self, guild_id: int, channel_id: int, is_on: bool, actor_id: int) -> bool:
        """Switch a channel's approval mode; whether moderators have a channel in which they see what waits."""
        now = self._context.now()
        async with self._context.writing(Topic.SETTINGS, Topic.AUDIT) as connection:
            await appeals.set_approval(connection, guild_id, channel_id, is_on, actor_id, now)
            await audit.record(
                connection, guild_id, actor_id, AuditAction.REVIEW_APPROVAL, f"channel:{channel_id}", {"on": is_on}, now
            )
        return await appeals.has_review_channel(self._context.database, guild_id)

    # ---- phrases that a server allowed -----------------------------------------------------------------------------

    async def fetch_phrases(self, guild_id: int) -> list[AllowedPhrase]:
        """What house rules overlook in this server."""
        return await allowances.fetch_phrases(self._context.database, guild_id)

    async def revoke_phrase(self, guild_id: int, phrase: str, actor_id: int) -> None:
        """Let a phrase count again. Raises NotFound if it was not allowed."""
        now = self._context.now()
        async with self._context.writing(Topic.AUDIT) as connection:
            if not await allowances.revoke(connection, guild_id, phrase, now):
                raise NotFound("This phrase is not on the list; `/review allowed` shows it.")
            await audit.record(connection, guild_id, actor_id, AuditAction.REVIEW_REVOKE, "server", {}, now)

    # ---- cards -----------------------------------------------------------------------------------------------------

    async def fetch_open(self, guild_id: int) -> OpenCases:
        """What waits for the server's moderators."""
        database = self._context.database
        return OpenCases(
            cases=tuple(await appeals.fetch_open_cases(database, guild_id)),
            has_review_channel=await appeals.has_review_channel(database, guild_id),
        )

    async def fetch_unshown(self) -> list[tuple[Case, int]]:
        """Cases whose card is missing or out of date, each with the channel of its card; oldest first."""
        return await appeals.fetch_unshown(self._context.database)

    async def fetch_card_channels(self, guild_ids: Sequence[int]) -> list[tuple[int, int]]:
        """(server, channel) in which cards of open cases stand."""
        return await appeals.fetch_card_channels(self._context.database, guild_ids)

    async def show_elsewhere(self, guild_id: int, channel_id: int) -> None:
        """A channel is gone: its open cases are shown in the review channel that the server has, or will have."""
        async with self._context.writing(Topic.CASES) as connection:
            await appeals.let_go_of_cards(connection, guild_id, channel_id)

    async def fetch_file(self, case: Case) -> CaseFile:
        """Everything that the case's card shows."""
        database = self._context.database
        grounds = await fetch_grounds(database, case.decision_id) if case.decision_id else None
        return CaseFile(
            case=case,
            history=await appeals.fetch_history(database, case.guild_id, case.user_id),
            grounds=grounds,
            job=await job_rows.fetch(database, case.job_id) if case.job_id else None,
            picture_scores=await self._picture_scores(case.job_id) if case.job_id else {},
            choices=_choices(case, grounds),
        )

    async def _picture_scores(self, job_id: int) -> dict[str, float]:
        """What the picture check found, the worst over the job's pictures."""
        worst: dict[str, float] = {}
        for check in await pictures.fetch_checks(self._context.database, job_id):
            for name, score in check.scores.items():
                worst[name] = max(score, worst.get(name, 0.0))
        return worst

    async def mark_shown(self, case: Case, channel_id: int | None, message_id: int | None) -> None:
        """This message shows the case's status; None: the card was deleted, and the next status gets a new one."""
        async with self._context.writing() as connection:
            await appeals.mark_shown(connection, case.id, case.status, channel_id, message_id)


async def _open_about(
    job: Job,
    connection: aiosqlite.Connection,
    kind: CaseKind,
    guild_id: int,
    opened_by: int,
    now: datetime,
    *,
    statement: str = "",
) -> int | None:
    """The new case's id, or None where this person opened one of this kind about the job before."""
    return await appeals.open_case(
        connection,
        kind,
        guild_id=guild_id,
        channel_id=job.channel_id,
        user_id=job.user_id,
        opened_by=opened_by,
        now=now,
        job_id=job.id,
        statement=statement,
    )


def _require_own(grounds: Grounds | None, user_id: int, guild_id: int | None) -> tuple[Grounds, int]:
    """The grounds and their server. Raises NotFound or NotAllowed if this member can't appeal them here."""
    if grounds is None:
        raise NotFound("This decision is not stored any more, so it can't be appealed.")
    if grounds.user_id != user_id:
        raise NotAllowed("Only the member whose request this was can appeal.")
    if guild_id is None or grounds.guild_id != guild_id:
        raise NotAllowed("Appeals go to a server's moderators, so they work only in the server where you asked.")
    if not grounds.is_appealable:
        raise NotAllowed(f"This can't be appealed. {grounds.clause_words}")
    return grounds, guild_id


def _require_in_server(job: Job, guild_id: int | None) -> int:
    """The server's id. Raises NotAllowed if the job is from anywhere else."""
    if guild_id is None or job.guild_id != guild_id:
        raise NotAllowed("Reports go to a server's moderators, so they work only in the server the picture is in.")
    return guild_id


def _choices(case: Case, grounds: Grounds | None) -> tuple[CaseStatus, ...]:
    """How moderators may end the case now."""
    if not case.is_open:
        return ()
    is_liftable = grounds is not None and grounds.is_liftable
    return tuple(end for end in CHOICES[case.kind] if end is not CaseStatus.ALLOWED_HERE or is_liftable)
