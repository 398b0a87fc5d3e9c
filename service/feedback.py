"""What moderators corrected of the policy, as a file for the person who runs the bot."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta

from db import audit
from db.corrections import fetch_corrections
from domain.audit import AuditAction
from domain.corrections import Correction, CorrectionFile
from engine.policy.feedback import feedback_line
from service.context import Context, Topic

ROWS_A_PAGE = 200
NEWEST = 2**63 - 1


class Feedback:
    """No name and no server is in the file: only what was decided on words, and the words where they are kept."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def export(self, actor_id: int, max_bytes: int, days: int | None = None) -> CorrectionFile:
        """The newest corrections that fit, of the last `days` or of all time. That they were read is in the audit log.

        `scripts/measure_policy.py --feedback` reads the file.
        """
        lines: list[bytes] = []
        size = worded = 0
        is_cut = False
        async for correction in self._corrections(days):
            line = f"{feedback_line(correction)}\n".encode()
            is_cut = size + len(line) > max_bytes
            if is_cut:
                break
            lines.append(line)
            size += len(line)
            worded += correction.prompt is not None
        details = {"corrections": len(lines), "with_words": worded, "days": days}
        async with self._context.writing(Topic.AUDIT) as connection:
            await audit.record(
                connection, None, actor_id, AuditAction.POLICY_FEEDBACK, "everywhere", details, self._context.now()
            )
        return CorrectionFile(data=b"".join(lines), corrections=len(lines), worded=worded, is_cut=is_cut)

    async def _corrections(self, days: int | None) -> AsyncGenerator[Correction]:
        """Newest first, a page at a time, so that members' statements get between."""
        now, before = self._context.now(), NEWEST
        since = None if days is None else now - timedelta(days=days)
        while page := await fetch_corrections(self._context.database, before, since, now, ROWS_A_PAGE):
            for before, correction in page:  # noqa: B007 - the next page begins before the last row of this one
                yield correction
