"""What a refusal keeps for its member: the sentence, their own words with the place that met the rule, the request.

Of clause b nothing is repeated. Nobody but the member who asked gets any of it.
"""

from __future__ import annotations

from db import appeals, refusals
from db.decisions import UNSTORED_CLAUSES
from db.retention import REFUSED_KEPT
from db.strikes import penalty_of
from domain import NotAllowed, NotFound
from domain.cases import Grounds, Subject
from domain.refusals import Draft, Refused, StoredRefusal
from engine.policy import wording
from engine.request.settings_text import write_settings
from service.allowances import strike_in_words
from service.context import Context
from service.drafts import open_draft
from service.grounds import explain
from service.jobs import Jobs

MAX_LISTED = 25


class Refusals:
    """Refusals, one at a time or those of the last days."""

    def __init__(self, context: Context, jobs: Jobs) -> None:
        self._context = context
        self._jobs = jobs

    async def fetch(self, decision_id: int, user_id: int) -> Refused:
        """A member's refusal. Raises NotFound, or NotAllowed for anybody else."""
        return self._complete(await self._require_own(decision_id, user_id))

    async def find(self, decision_id: int, user_id: int) -> Refused | None:
        """A member's refusal, if it is stored and theirs."""
        try:
            return await self.fetch(decision_id, user_id)
        except (NotAllowed, NotFound):
            return None

    async def fetch_recent(self, user_id: int, guild_id: int | None) -> list[Refused]:
        """What was refused or withheld of a member in a server (None: in direct messages) lately, newest first."""
        now = self._context.now()
        found = await refusals.fetch_recent(
            self._context.database, user_id, guild_id, now - REFUSED_KEPT, MAX_LISTED, now
        )
        return [self._complete(one) for one in found]

    async def fetch_draft(self, decision_id: int, user_id: int, guild_id: int | None, channel_id: int) -> Draft:
        """The refused request, for its form. Raises NotFound or NotAllowed."""
        await self._require_own(decision_id, user_id)
        kept = await appeals.fetch_refused(self._context.database, decision_id)
        if kept is None:
            raise NotFound("This request is not stored any more; its words may still stand in the message above.")
        request, origin = kept
        return await open_draft(self._jobs, request, write_settings(request), origin, guild_id, channel_id)

    async def _require_own(self, decision_id: int, user_id: int) -> StoredRefusal:
        found = await refusals.fetch(self._context.database, decision_id, self._context.now())
        if found is None:
            raise NotFound("This decision is not stored any more.")
        if found.grounds.user_id != user_id:
            raise NotAllowed("Only the author of the message can read this.")
        return found

    def _complete(self, found: StoredRefusal) -> Refused:
        grounds = explain(found.grounds)
        assert grounds.decided_at is not None
        is_hidden = grounds.clause in UNSTORED_CLAUSES
        is_appealable = grounds.is_appealable and grounds.guild_id is not None
        return Refused(
            id=grounds.id,
            text=self._text(found, grounds, appealable=is_appealable),
            decided_at=grounds.decided_at,
            prompt=None if is_hidden else grounds.prompt,
            negative_prompt=None if is_hidden else grounds.negative_prompt,
            marks=marks_of(grounds),
            is_appealable=is_appealable,
            is_editable=not is_hidden and found.is_kept,
            case=found.case,
        )

    def _text(self, found: StoredRefusal, grounds: Grounds, *, appealable: bool) -> str:
        """What the member read when it was refused: the same sentence, and the strike while that is live."""
        if grounds.subject is Subject.PICTURE:
            return f"A picture was withheld. {grounds.clause_words}"
        sentence = wording.grounds(grounds.clause or "", appealable=appealable)
        if grounds.guild_id is None or not found.struck_at:
            return sentence
        penalty = penalty_of(found.struck_at, found.settings, self._context.now())
        return f"{sentence} {strike_in_words(penalty)}".strip()


def marks_of(grounds: Grounds) -> tuple[tuple[int, int], ...]:
    """Where the rule was met. Nothing is pointed at where clause b was as much as suspected."""
    rules = (grounds.clause or "", *grounds.rules)
    is_suspected = any("b" in rule.split(".")[:2] for rule in rules)
    return () if is_suspected or grounds.prompt is None else grounds.spans
