"""Cases as rows, filed without a bot."""

from __future__ import annotations

from datetime import datetime

import aiosqlite

from db import appeals
from domain.cases import CaseKind
from tests.support.people import CHANNEL, GUILD, MEMBER


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
