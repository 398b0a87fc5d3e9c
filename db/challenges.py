"""Challenges: a theme, anonymous entries, one vote per member, winners. The end is a row's time, never a timer.

`end_due` counts, names the winners and opens the next round in the caller's transaction, so a crash leaves either
all of it or nothing.
"""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime, timedelta

import aiosqlite

from db.codec import to_optional_seconds, to_seconds
from db.database import Database, fetch_one
from db.rows import from_row
from domain.challenges import Challenge, ChallengeEntry, Victory


async def start(
    connection: aiosqlite.Connection,
    *,
    guild_id: int,
    channel_id: int,
    themes: tuple[str, ...],
    created_by: int,
    starts_at: datetime,
    ends_at: datetime,
    repeat: timedelta | None = None,
) -> int:
    row = await fetch_one(
        connection,
        """INSERT INTO challenges (guild_id, channel_id, themes, created_by, starts_at, ends_at, repeat_seconds)
           VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id""",
        (
            guild_id,
            channel_id,
            json.dumps(themes, ensure_ascii=False),
            created_by,
            to_seconds(starts_at),
            to_seconds(ends_at),
            int(repeat.total_seconds()) if repeat else None,
        ),
    )
    assert row is not None
    return int(row["id"])


async def enter(
    connection: aiosqlite.Connection, challenge_id: int, user_id: int, job_id: int, now: datetime
) -> ChallengeEntry | None:
    """A member's picture gets the next number; None if the challenge is over or the member has an entry in it."""
    row = await fetch_one(
        connection,
        """INSERT INTO challenge_entries (challenge_id, number, user_id, job_id, entered_at)
           SELECT id, (SELECT coalesce(max(number), 0) + 1 FROM challenge_entries WHERE challenge_id = challenges.id),
                  :user_id, :job_id, :now
           FROM challenges WHERE id = :id AND status = 'open' AND ends_at > :now
           ON CONFLICT (challenge_id, user_id) DO NOTHING RETURNING *""",
        {"id": challenge_id, "user_id": user_id, "job_id": job_id, "now": to_seconds(now)},
    )
    return _entry(row) if row else None


async def withdraw(connection: aiosqlite.Connection, challenge_id: int, user_id: int) -> ChallengeEntry | None:
    """Take a member's entry back, with the votes for it; None if there is none."""
    row = await fetch_one(
        connection,
        "DELETE FROM challenge_entries WHERE challenge_id = ? AND user_id = ? RETURNING *",
        (challenge_id, user_id),
    )
    return _entry(row) if row else None


async def find_entry(connection: aiosqlite.Connection, entry_id: int) -> ChallengeEntry | None:
    row = await fetch_one(connection, "SELECT * FROM challenge_entries WHERE id = ?", (entry_id,))
    return _entry(row) if row else None


async def vote(connection: aiosqlite.Connection, entry: ChallengeEntry, user_id: int, now: datetime) -> bool:
    """Give the member's single vote to an entry; an earlier vote moves. False for the member's own entry."""
    try:
        await connection.execute(
            """INSERT INTO challenge_votes (challenge_id, user_id, entry_id, voted_at) VALUES (?, ?, ?, ?)
               ON CONFLICT (challenge_id, user_id) DO UPDATE SET entry_id = excluded.entry_id,
                                                                 voted_at = excluded.voted_at""",
            (entry.challenge_id, user_id, entry.id, to_seconds(now)),
        )
    except sqlite3.IntegrityError:  # a trigger refuses votes for the member's own entry
        return False
    return True


async def is_open(connection: aiosqlite.Connection, challenge_id: int, now: datetime) -> bool:
    """Whether entries and votes count now."""
    row = await fetch_one(
        connection,
        "SELECT 1 FROM challenges WHERE id = ? AND status = 'open' AND ends_at > ?",
        (challenge_id, to_seconds(now)),
    )
    return row is not None


async def end_due(connection: aiosqlite.Connection, now: datetime) -> list[int]:
    """End every challenge whose time has come, winners and next rounds included; the ended ones' ids."""
    rows = await connection.execute_fetchall(
        "SELECT id FROM challenges WHERE status = 'open' AND ends_at <= ? ORDER BY ends_at, id", (to_seconds(now),)
    )
    ids = [int(row["id"]) for row in rows]
    for challenge_id in ids:
        await _end(connection, challenge_id)
        await _repeat(connection, challenge_id, now)
    return ids


async def end_now(connection: aiosqlite.Connection, challenge_id: int, now: datetime) -> bool:
    """End one challenge before its time, for good (a recurring one does not come back)."""
    row = await fetch_one(
        connection,
        """UPDATE challenges SET ends_at = max(:now, starts_at + 1), repeat_seconds = NULL
           WHERE id = :id AND status = 'open' RETURNING id""",
        {"now": to_seconds(now), "id": challenge_id},
    )
    if row is not None:
        await _end(connection, challenge_id)
    return row is not None


async def cancel(connection: aiosqlite.Connection, challenge_id: int) -> bool:
    """Stop a challenge without winners."""
    row = await fetch_one(
        connection,
        """UPDATE challenges SET status = 'cancelled', repeat_seconds = NULL WHERE id = ? AND status = 'open'
           RETURNING id""",
        (challenge_id,),
    )
    return row is not None


async def _end(connection: aiosqlite.Connection, challenge_id: int) -> None:
    """Count, then name everybody who has the most votes (at least one) a winner."""
    await connection.execute(
        """UPDATE challenge_entries SET votes =
               (SELECT count(*) FROM challenge_votes WHERE entry_id = challenge_entries.id)
           WHERE challenge_id = ?""",
        (challenge_id,),
    )
    await connection.execute(
        """UPDATE challenge_entries SET is_winner = 1
           WHERE challenge_id = :id AND votes > 0
             AND votes = (SELECT max(votes) FROM challenge_entries WHERE challenge_id = :id)""",
        {"id": challenge_id},
    )
    await connection.execute("UPDATE challenges SET status = 'ended' WHERE id = ?", (challenge_id,))


async def _repeat(connection: aiosqlite.Connection, challenge_id: int, now: datetime) -> None:
    """The next round of a recurring challenge; rounds that passed while the bot was away are left out."""
    await connection.execute(
        """INSERT INTO challenges (guild_id, channel_id, themes, round, created_by, starts_at, ends_at,
                                   repeat_seconds, previous_id)
           SELECT guild_id, channel_id, themes, round + 1, created_by,
                  starts_at + turns * repeat_seconds, ends_at + turns * repeat_seconds, repeat_seconds, id
           FROM (SELECT *, 1 + CAST((:now - ends_at) / repeat_seconds AS INTEGER) AS turns FROM challenges
                 WHERE id = :id AND repeat_seconds IS NOT NULL)
           WHERE true ON CONFLICT (previous_id) DO NOTHING""",
        {"id": challenge_id, "now": to_seconds(now)},
    )


# ---- reading ---------------------------------------------------------------------------------------------------------


async def fetch(database: Database, challenge_id: int) -> Challenge | None:
    return await database.find_one(_challenge, "SELECT * FROM challenges WHERE id = ?", (challenge_id,))


async def fetch_open(database: Database, guild_id: int, now: datetime | None = None) -> list[Challenge]:
    """The challenges that are not over; with `now`, only those that have begun."""
    rows = await database.fetch_all(
        """SELECT * FROM challenges WHERE guild_id = :guild_id AND status = 'open'
             AND (:now IS NULL OR starts_at <= :now) ORDER BY ends_at, id""",
        {"guild_id": guild_id, "now": to_optional_seconds(now)},
    )
    return [_challenge(row) for row in rows]


async def fetch_unannounced(database: Database, now: datetime) -> list[Challenge]:
    """Open challenges that have begun and are not announced yet."""
    rows = await database.fetch_all(
        "SELECT * FROM challenges WHERE status = 'open' AND message_id IS NULL AND starts_at <= ? ORDER BY starts_at",
        (to_seconds(now),),
    )
    return [_challenge(row) for row in rows]


async def fetch_unreported(database: Database) -> list[Challenge]:
    """Ended challenges whose winners are not posted yet."""
    rows = await database.fetch_all(
        "SELECT * FROM challenges WHERE status = 'ended' AND results_message_id IS NULL ORDER BY id"
    )
    return [_challenge(row) for row in rows]


async def fetch_entries(database: Database, challenge_id: int) -> list[ChallengeEntry]:
    rows = await database.fetch_all(
        "SELECT * FROM challenge_entries WHERE challenge_id = ? ORDER BY number", (challenge_id,)
    )
    return [_entry(row) for row in rows]


async def fetch_unposted_entries(database: Database) -> list[ChallengeEntry]:
    rows = await database.fetch_all(
        """SELECT challenge_entries.* FROM challenge_entries JOIN challenges ON challenges.id = challenge_id
           WHERE challenge_entries.message_id IS NULL AND challenges.status = 'open' ORDER BY challenge_entries.id"""
    )
    return [_entry(row) for row in rows]


async def fetch_copies(database: Database, job_id: int) -> set[tuple[int, int]]:
    """(channel, message) of the entries that show a job."""
    rows = await database.fetch_all(
        """SELECT challenges.channel_id, challenge_entries.message_id FROM challenge_entries
           JOIN challenges ON challenges.id = challenge_id
           WHERE job_id = ? AND challenge_entries.message_id IS NOT NULL""",
        (job_id,),
    )
    return {(row["channel_id"], row["message_id"]) for row in rows}


async def fetch_victories(database: Database, guild_id: int, limit: int = 20) -> list[Victory]:
    """The server's winners, newest first."""
    rows = await database.fetch_all(
        """SELECT challenges.themes, challenges.round, challenges.ends_at, challenge_entries.*
           FROM challenge_entries JOIN challenges ON challenges.id = challenge_id
           WHERE guild_id = ? AND is_winner ORDER BY ends_at DESC, number LIMIT ?""",
        (guild_id, limit),
    )
    return [_victory(row) for row in rows]


async def mark_announced(connection: aiosqlite.Connection, challenge_id: int, message_id: int) -> None:
    await connection.execute("UPDATE challenges SET message_id = ? WHERE id = ?", (message_id, challenge_id))


async def mark_reported(connection: aiosqlite.Connection, challenge_id: int, message_id: int) -> None:
    await connection.execute("UPDATE challenges SET results_message_id = ? WHERE id = ?", (message_id, challenge_id))


async def mark_posted(connection: aiosqlite.Connection, entry_id: int, message_id: int) -> None:
    await connection.execute("UPDATE challenge_entries SET message_id = ? WHERE id = ?", (message_id, entry_id))


def _challenge(row: sqlite3.Row) -> Challenge:
    return from_row(Challenge, row, themes=json.loads(row["themes"]))


def _entry(row: sqlite3.Row) -> ChallengeEntry:
    return from_row(ChallengeEntry, row)


def _victory(row: sqlite3.Row) -> Victory:
    themes: list[str] = json.loads(row["themes"])
    return from_row(Victory, row, theme=themes[row["round"] % len(themes)], ended_at=row["ends_at"])
