"""What moderators decide about a case: once, with everything that follows from it in the same transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiosqlite

from db import allowances, appeals, audit, blocks, strikes
from db import jobs as job_rows
from domain import Action, InvalidRequest, NotAllowed, NotFound, Origin, Outcome, OutcomeCode, Request
from domain.audit import THE_BOT, AuditAction
from domain.cases import CHOICES, Case, CaseKind, CaseStatus, Decider, Grounds, Subject
from engine.policy import Allowances, judge, prompt_hash
from service.context import Context, Topic
from service.grounds import fetch_grounds
from service.jobs import Jobs

Also = Callable[[aiosqlite.Connection], Awaitable[object]]
Messages = frozenset[tuple[int, int]]


class CaseDecisions:
    """Of two moderators who press at once one decides; the other hears so. The card follows from the row."""

    def __init__(self, context: Context, jobs: Jobs) -> None:
        self._context = context
        self._jobs = jobs

    async def require_open(self, case_id: int, guild_id: int) -> Case:
        """The server's case. Raises NotFound if it is gone, or decided."""
        case = await self._fetch(case_id, guild_id)
        if not case.is_open:
            raise NotFound(f"This case is decided already: {case.end_in_words}.")
        return case

    # ---- appeals ---------------------------------------------------------------------------------------------------

    async def allow_once(self, case_id: int, decider: Decider) -> None:
        """The member may have this very request painted, once; its strike is lifted. Raises NotAllowed or NotFound."""
        case = await self.require_open(case_id, decider.guild_id)
        grounds = await self._fetch_grounds(case)
        now = self._context.now()
        if grounds.subject is Subject.PICTURE:
            await self._jobs.fetch(grounds.job_id or 0)
            key = None
        else:
            request, _ = await self._fetch_refused(grounds)
            key = prompt_hash(request)

        async def allow(connection: aiosqlite.Connection) -> None:
            if key is not None:
                await allowances.allow(
                    connection, case.guild_id, key, decider.user_id, now, user_id=case.user_id, case_id=case.id
                )
            await strikes.lift_for_decision(connection, grounds.id, decider.user_id, now)

        await self._decide(case, CaseStatus.ALLOWED_ONCE, decider, allow)

    async def suggest_phrase(self, case_id: int, guild_id: int) -> str:
        """What a moderator may allow from now on: the tags in which the policy found something.

        Raises NotAllowed if no phrase may be allowed, NotFound if the case is decided or its request is gone.
        """
        grounds = await self._fetch_grounds(await self.require_open(case_id, guild_id))
        _require_liftable(grounds)
        await self._fetch_refused(grounds)
        return found_phrase(grounds)

    async def allow_here(self, case_id: int, decider: Decider, phrase: str) -> None:
        """House rules overlook the phrase in this server from now on; the member's strike is lifted.

        Raises InvalidRequest if the prompt would still be refused, NotAllowed if no phrase may be allowed.
        """
        case = await self._fetch(case_id, decider.guild_id)
        grounds = await self._fetch_grounds(case)
        _require_liftable(grounds)
        request, origin = await self._fetch_refused(grounds)
        phrase, now = " ".join(phrase.split()), self._context.now()
        if not phrase:
            raise InvalidRequest("Please give the phrase that is to be allowed.")
        allowed = Allowances(phrases=frozenset({phrase}))
        verdict = await asyncio.to_thread(judge, request, origin.place, allowed)
        if verdict.action is Action.REFUSE:
            raise InvalidRequest("With this phrase allowed, the prompt would still be refused; please give more of it.")

        async def allow(connection: aiosqlite.Connection) -> None:
            await allowances.allow(connection, case.guild_id, phrase, decider.user_id, now, case_id=case.id)
            await strikes.lift_for_decision(connection, grounds.id, decider.user_id, now)

        await self._decide(case, CaseStatus.ALLOWED_HERE, decider, allow)

    async def uphold(self, case_id: int, decider: Decider) -> None:
        """The refusal stands."""
        await self._decide(await self.require_open(case_id, decider.guild_id), CaseStatus.UPHELD, decider)

    async def block(self, case_id: int, decider: Decider, reason: str) -> Messages:
        """The member may not paint in this server any more; what waits is taken back, and a reported picture goes.

        Returns the (channel, message) of whatever still shows that picture.
        """
        case = await self._fetch(case_id, decider.guild_id)
        now = self._context.now()

        async def block(connection: aiosqlite.Connection) -> None:
            await blocks.add(connection, case.guild_id, case.user_id, decider.user_id, now, reason=reason)

        messages: Messages = frozenset()
        if case.kind is CaseKind.REPORT:
            messages = await self._decide_and_erase(case, CaseStatus.BLOCKED, decider, block)
        else:
            await self._decide(case, CaseStatus.BLOCKED, decider, block)
        # After the commit, as in service/blocks.py: nothing new is accepted that would be missed.
        await self._jobs.cancel_all(decider.user_id, user_id=case.user_id, guild_id=case.guild_id)
        return messages

    # ---- reports and approvals -------------------------------------------------------------------------------------

    async def keep(self, case_id: int, decider: Decider) -> None:
        """The reported picture stays."""
        await self._decide(await self.require_open(case_id, decider.guild_id), CaseStatus.KEPT, decider)

    async def remove(self, case_id: int, decider: Decider) -> Messages:
        """The reported picture is erased; returns the (channel, message) of whatever still shows it."""
        case = await self.require_open(case_id, decider.guild_id)
        return await self._decide_and_erase(case, CaseStatus.REMOVED, decider)

    async def approve(self, case_id: int, decider: Decider) -> None:
        """The picture that waited is shown."""
        case = await self.require_open(case_id, decider.guild_id)
        await self._decide(case, CaseStatus.APPROVED, decider)

    async def reject(self, case_id: int, decider: Decider) -> None:
        """The picture that waited is not shown; its cost returns."""
        case = await self.require_open(case_id, decider.guild_id)

        async def withhold(connection: aiosqlite.Connection) -> None:
            if case.job_id is not None:
                await job_rows.withhold(connection, case.job_id, Outcome(OutcomeCode.REJECTED))

        await self._decide(case, CaseStatus.REMOVED, decider, withhold)

    # ---- the decision itself ---------------------------------------------------------------------------------------

    async def _decide(self, case: Case, status: CaseStatus, decider: Decider, also: Also | None = None) -> None:
        """Write the decision and what follows from it; card and member hear of it from background tasks."""
        if status not in CHOICES[case.kind]:
            raise NotAllowed(f"A case of this kind ({case.kind}) can't be decided so.")
        now = self._context.now()
        topics = (Topic.CASES, Topic.CASE_DECISIONS, Topic.AUDIT)
        async with self._context.writing_news(*topics) as (connection, news):
            if case.kind is CaseKind.APPROVAL and case.job_id is not None:
                news.add(Topic.JOBS, case.job_id)  # its picture may be shown now, or never
            if not await appeals.resolve(connection, case.id, status, decider.user_id, now):
                raise NotFound("Another moderator was faster; the card shows what they decided.")
            if decider.card is not None:  # a crash may have kept the bot from knowing its own card
                await appeals.mark_shown(connection, case.id, CaseStatus.OPEN, *decider.card)
            details, target = {"case": case.id, "kind": case.kind}, f"member:{case.user_id}"
            await audit.record(
                connection, case.guild_id, decider.user_id, AuditAction(f"case.{status}"), target, details, now
            )
            if also is not None:
                await also(connection)

    async def _decide_and_erase(
        self, case: Case, status: CaseStatus, decider: Decider, also: Also | None = None
    ) -> Messages:
        """Decide a report so that its picture goes. One that is still being painted is taken back, too."""
        job = await job_rows.fetch(self._context.database, case.job_id or 0)
        if job is None:
            await self._decide(case, status, decider, also)
            return frozenset()
        messages = await self._jobs.fetch_messages(job)

        async def erase(connection: aiosqlite.Connection) -> None:
            if also is not None:
                await also(connection)
            await self._jobs.erase_in(connection, job, THE_BOT)

        if job.status.is_open:
            await self._decide(case, status, decider, also)
            await self._jobs.erase(job.id, THE_BOT, is_moderator=True)
        else:
            await self._decide(case, status, decider, erase)
            self._jobs.delete_erased_soon()
            self._context.topics.announce(Topic.JOBS, job.id)
        return frozenset(messages)

    # ---- what it is about ------------------------------------------------------------------------------------------

    async def _fetch(self, case_id: int, guild_id: int) -> Case:
        case = await appeals.fetch_case(self._context.database, case_id)
        if case is None or case.guild_id != guild_id:
            raise NotFound("This case is not stored any more.")
        return case

    async def _fetch_grounds(self, case: Case) -> Grounds:
        """Why an appeal's request was refused. Raises NotAllowed if no moderator may change that."""
        grounds = await fetch_grounds(self._context.database, case.decision_id or 0)
        if grounds is None or not grounds.is_appealable:
            raise NotAllowed("No moderator may allow this.")
        return grounds

    async def _fetch_refused(self, grounds: Grounds) -> tuple[Request, Origin]:
        kept = await appeals.fetch_refused(self._context.database, grounds.id)
        if kept is None:
            raise NotFound("The request is not stored any more, so it can't be allowed.")
        return kept


def _require_liftable(grounds: Grounds) -> None:
    if not grounds.is_liftable:
        raise NotAllowed("No server may lift this clause of the licence; you can allow this one request.")


def found_phrase(grounds: Grounds) -> str:
    """The tags of the prompt in which the policy found something, or the whole prompt."""
    prompt = grounds.prompt or ""
    tags: list[str] = []
    start = 0
    for tag in prompt.split(","):
        end = start + len(tag)
        if any(first < end and start < last for first, last in grounds.spans):
            tags.append(tag.strip())
        start = end + 1
    return ", ".join(tags) or prompt
