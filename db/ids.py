"""Ids are never given out twice, not even after a backup was brought back or the end of the file was lost.

Messages in Discord keep buttons with the ids of rows. If a restored file counted on from its own last id, the button
under one member's old picture would open another member's new one. So every start lifts all sequences to a number
that grows with the time faster than ids are given out: ids of before are smaller, whatever the file remembers.
"""

from __future__ import annotations

from datetime import UTC, datetime

import aiosqlite

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
# More than are given out in a second by far; ids stay short (ten digits) for decades.
IDS_PER_SECOND = 20


async def lift(connection: aiosqlite.Connection, now: datetime) -> None:
    """Let the next row of every table with an id have one that no earlier start has given out."""
    floor = {"floor": int((now - EPOCH).total_seconds() * IDS_PER_SECOND)}
    await connection.execute("UPDATE sqlite_sequence SET seq = :floor WHERE seq < :floor", floor)
    await connection.execute(
        """INSERT INTO sqlite_sequence (name, seq) SELECT name, :floor FROM sqlite_master
           WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%' AND :floor > 0
             AND name NOT IN (SELECT name FROM sqlite_sequence)""",
        floor,
    )
