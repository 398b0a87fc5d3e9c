"""Erasing a member or a server, in small transactions that a stop of the process may interrupt anywhere.

What drives an erasure is a row: `erasures` until its `erased_at` is set, `departures` until it is deleted last. Blocks
and live strikes outlast it, because otherwise erasing would undo a moderator's decision; refusals of the last day stay
as numbers without words, because otherwise erasing between two refusals would always keep strikes away; ledger rows
and the audit log's names stay as long as they count (db/retention.py), and then lose the person.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import aiosqlite

from db.batches import Interrupted, Sweep, delete, update
from db.codec import to_seconds
from db.database import Database
from db.quota_sql import CLOCK_AHEAD
from db.strikes import WINDOW

# How long a server's data outlives the bot's removal from it.
DEPARTED_KEPT = timedelta(days=30)

# What an erased refusal's prompt is remembered by: different from every other one, and from every hash.
_NO_PROMPT = "'erased ' || id"
_COUNTS = "subject = 'prompt' AND action = 'refuse' AND decided_at > :refusals_since"


def _mine(time: str) -> str:
    """Rows of the member, but for what came after the erasure: one that is resumed later leaves that alone.

    Rows of a clock that was ahead are from before it, too.
    """
    return f"user_id = :user_id AND NOT ({time} > :asked_at AND {time} <= :present)"


_DECISIONS = _mine("decided_at")
_BEFORE_JOBS = (
    delete("challenge_votes", _mine("voted_at")),
    delete("challenge_entries", _mine("entered_at")),
    delete("stars", "user_id = :user_id"),
    delete("kept_pictures", _mine("kept_at")),
    delete("prompt_messages", _mine("taken_at")),
    delete("allowances", _mine("granted_at")),
    delete("cases", _mine("opened_at")),
    update("cases", "opened_by = 0, statement = ''", "opened_by = :user_id"),
    delete("pending_requests", _mine("created_at")),
    delete("drafts", _mine("created_at")),
    delete("refused_requests", f"decision_id IN (SELECT id FROM decisions WHERE {_DECISIONS})"),
    delete("decisions", f"{_DECISIONS} AND NOT ({_COUNTS})"),
    update(
        "decisions",
        f"prompt = NULL, negative_prompt = NULL, rules = '[]', scores = '{{}}', spans = '[]', job_id = NULL,"
        f" channel_id = 0, prompt_sha256 = {_NO_PROMPT}",
        f"{_DECISIONS} AND {_COUNTS} AND prompt_sha256 NOT LIKE 'erased %'",
    ),
)
_JOBS = _mine("created_at")
_ERASE_JOBS = ("DELETE FROM jobs WHERE id IN (SELECT value FROM json_each(:ids))",)
_AFTER_JOBS = (
    "DELETE FROM quota_rules WHERE subject = 'member' AND subject_id = :user_id",
    delete("strikes", "user_id = :user_id AND (lifted_at IS NOT NULL OR expires_at <= :now)"),
    update(
        "audit",
        "target = NULL, details = '{}'",
        "target = 'member:' || :user_id OR json_extract(details, '$.member') = :user_id",
    ),
)

# A moderator who erases their data: what they set up stays, without their name; in the audit log the name stays as
# long as db/retention.py says.
ACTORS = (
    ("guild_agreements", "user_id"),
    ("starboards", "set_by"),
    ("approval_channels", "set_by"),
    ("prompt_channels", "opened_by"),
    ("challenges", "created_by"),
    ("allowances", "granted_by"),
    ("cases", "resolved_by"),
    ("quota_rules", "actor_id"),
    ("blocks", "actor_id"),
    ("strikes", "lifted_by"),
)
_WITHOUT_ROWID = ("quota_rules", "blocks")
_FORGET_ACTOR = tuple(
    f"UPDATE {table} SET {column} = 0 WHERE {column} = :user_id"
    if table in _WITHOUT_ROWID
    else update(table, f"{column} = 0", f"{column} = :user_id")
    for table, column in ACTORS
)

_OF_CHALLENGES = "challenge_id IN (SELECT id FROM challenges WHERE guild_id = :guild_id)"
_ERASE_GUILD = (
    delete("prompt_messages", "guild_id = :guild_id"),
    delete("prompt_channels", "guild_id = :guild_id"),
    delete("approval_channels", "guild_id = :guild_id"),
    delete("challenge_votes", _OF_CHALLENGES),
    delete("challenge_entries", _OF_CHALLENGES),
    delete("challenges", "guild_id = :guild_id"),
    delete("starboards", "guild_id = :guild_id"),
    delete("allowances", "guild_id = :guild_id"),
    delete("cases", "guild_id = :guild_id"),
    delete("pending_requests", "json_extract(origin, '$.place.guild_id') = :guild_id"),
    delete("drafts", "json_extract(origin, '$.place.guild_id') = :guild_id"),
    delete("decisions", "guild_id = :guild_id"),
)
_ERASE_GUILD_AFTER_JOBS = (
    delete("guild_agreements", "guild_id = :guild_id"),
    "DELETE FROM place_settings WHERE guild_id = :guild_id",
    "DELETE FROM quota_rules WHERE guild_id = :guild_id",
    delete("strikes", "guild_id = :guild_id"),
    "DELETE FROM blocks WHERE guild_id = :guild_id AND user_id != 0",
    delete("audit_posts", "guild_id = :guild_id"),
    update(
        "audit",
        "actor_id = NULL, target = NULL, details = '{}'",
        "guild_id = :guild_id AND (actor_id IS NOT NULL OR target IS NOT NULL OR details <> '{}')",
    ),
    update(
        "ledger",
        "subject_id = NULL, actor_id = NULL, job_id = NULL, reason = ''",
        "guild_id = :guild_id AND subject_id IS NOT NULL",
    ),
    delete("departures", "guild_id = :guild_id"),
)


# ---- a member --------------------------------------------------------------------------------------------------------


async def note_erasure(connection: aiosqlite.Connection, user_id: int, now: datetime) -> None:
    """The member wants everything erased: from now on they have agreed to nothing and chosen nothing.

    `erase_member` does the rest.
    """
    await connection.execute("DELETE FROM agreements WHERE user_id = ?", (user_id,))
    await connection.execute("DELETE FROM member_settings WHERE user_id = ?", (user_id,))
    await connection.execute("DELETE FROM prompt_channels WHERE guild_id = 0 AND opened_by = ?", (user_id,))
    await connection.execute(
        """INSERT INTO erasures (user_id, asked_at) VALUES (?, ?)
           ON CONFLICT DO UPDATE SET asked_at = excluded.asked_at, erased_at = NULL""",
        (user_id, to_seconds(now)),
    )


async def fetch_unfinished(database: Database) -> list[int]:
    """The members whose erasure was noted and is not through."""
    rows = await database.fetch_all("SELECT user_id FROM erasures WHERE erased_at IS NULL ORDER BY asked_at")
    return [int(row["user_id"]) for row in rows]


async def erase_member(database: Database, user_id: int, now: datetime) -> None:
    """Erase what a noted erasure covers. Call `space.give_back` afterwards: files still hold the bytes."""
    row = await database.fetch_one("SELECT asked_at FROM erasures WHERE user_id = ?", (user_id,))
    if row is None:
        raise LookupError(f"no erasure of user {user_id} was noted")
    values = {
        "user_id": user_id,
        "asked_at": row["asked_at"],
        "now": to_seconds(now),
        "present": to_seconds(now + CLOCK_AHEAD),
        "refusals_since": to_seconds(now - WINDOW),
    }
    sweep = Sweep(database, values)
    await sweep.run(_BEFORE_JOBS)
    await sweep.run_over_jobs(_JOBS, _ERASE_JOBS)
    await sweep.run((*_AFTER_JOBS, *_FORGET_ACTOR))
    async with database.transaction() as connection:
        await connection.execute(
            "UPDATE erasures SET erased_at = :now WHERE user_id = :user_id AND asked_at = :asked_at",
            {"now": values["now"], "user_id": user_id, "asked_at": values["asked_at"]},
        )


# ---- a server --------------------------------------------------------------------------------------------------------


async def note_departure(connection: aiosqlite.Connection, guild_id: int, now: datetime) -> None:
    """The bot was removed from a server; a repeated note keeps the first time."""
    await connection.execute(
        "INSERT INTO departures (guild_id, left_at) VALUES (?, ?) ON CONFLICT DO NOTHING", (guild_id, to_seconds(now))
    )


async def note_return(connection: aiosqlite.Connection, guild_ids: Sequence[int]) -> None:
    """The bot is in these servers (again): nothing more of them is erased."""
    await connection.execute(
        "DELETE FROM departures WHERE guild_id IN (SELECT value FROM json_each(?))", (json.dumps(guild_ids),)
    )


async def erase_departed(database: Database, now: datetime) -> list[int]:
    """Erase the data of servers that have been left for `DEPARTED_KEPT`; their ids."""
    rows = await database.fetch_all(
        "SELECT guild_id FROM departures WHERE left_at <= ?", (to_seconds(now - DEPARTED_KEPT),)
    )
    return [guild_id for guild_id in (int(row["guild_id"]) for row in rows) if await _erase_guild(database, guild_id)]


async def _erase_guild(database: Database, guild_id: int) -> bool:
    """False if the server took the bot back meanwhile; what was not erased by then stays."""

    async def is_still_away(connection: aiosqlite.Connection) -> bool:
        rows = await connection.execute_fetchall("SELECT 1 FROM departures WHERE guild_id = ?", (guild_id,))
        return bool(list(rows))

    sweep = Sweep(database, {"guild_id": guild_id}, is_still_away)
    try:
        await sweep.run(_ERASE_GUILD)
        await sweep.run_over_jobs("guild_id = :guild_id", _ERASE_JOBS)
        await sweep.run(_ERASE_GUILD_AFTER_JOBS)
    except Interrupted:
        return False
    return True


def _guilds_of(table: str) -> str:
    """A loose index scan: one look-up for each server, not one for each row."""
    return f"""SELECT guild_id FROM (
        WITH RECURSIVE found(guild_id) AS (
            SELECT min(guild_id) FROM {table}
            UNION ALL
            SELECT (SELECT min(guild_id) FROM {table} WHERE guild_id > found.guild_id) FROM found
            WHERE found.guild_id IS NOT NULL)
        SELECT guild_id FROM found) WHERE guild_id IS NOT NULL"""


_GUILDS = " UNION ".join(
    [
        *(_guilds_of(table) for table in ("jobs", "decisions", "challenges")),
        *(f"SELECT guild_id FROM {table}" for table in ("place_settings", "guild_agreements", "prompt_channels")),
    ]
)


async def fetch_guild_ids(database: Database) -> set[int]:
    """Servers of which something is stored (0 stands for no server)."""
    return {int(row["guild_id"]) for row in await database.fetch_all(_GUILDS)} - {0}
