"""Cases as rows, filed without a bot."""

from __future__ import annotations

from datetime import datetime

import aiosqlite

from db import appeals
from domain.cases import CaseKind
from tests.support.people import CHANNEL, GUILD, MEMBER, MODERATOR
from tests.support.requests import NOW


async def file_appeal(connection: aiosqlite.Connection, decision_id: int, now: datetime, statement: str) -> int | None:
    """MEMBER's appeal against a refusal; None if there is one."""
    return await appeals.open_case(
        connection,
        CaseKind.APPEAL,
        guild_id=GUILD,
        channel_id=CHANNEL,
        user_id=MEMBER,
        opened_by=MEMBER,
        now=now,
        decision_id=decision_id,
        statement=statement,
    )


async def file_report(connection: aiosqlite.Connection, job_id: int, reporter_id: int, statement: str) -> None:
    """A report of MODERATOR's picture."""
    await appeals.open_case(
        connection, CaseKind.REPORT, guild_id=GUILD, channel_id=CHANNEL, user_id=MODERATOR, opened_by=reporter_id,
        now=NOW, job_id=job_id, statement=statement,
    )  # fmt: skip
