"""What is stored of a member or a server: showing it, handing it out, erasing it, and forgetting it in time.

Every table with a person in it is named here once (a test compares the list with the schema). Blocks and live strikes
outlast an erasure, because otherwise erasing would undo a moderator's decision; ledger and audit rows stay without
identity, because balances and accountability are sums over them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import aiosqlite

from db.codec import to_seconds
from db.database import Database

# Ledger rows count for at most a day; before that an erasure would refill the member's allowance.
LEDGER_COUNTS = timedelta(hours=25)
REFUSED_KEPT = timedelta(days=7)
# How long a server's data outlives the bot's removal from it.
DEPARTED_KEPT = timedelta(days=30)

# Table → (what a member calls it, the rows that are theirs).
HELD: dict[str, tuple[str, str]] = {
    "jobs": ("pictures you asked for", "user_id = :user_id"),
    "decisions": ("decisions of the policy on your prompts", "user_id = :user_id"),
    "pending_requests": ("requests waiting for your agreement", "user_id = :user_id"),
    "agreements": ("agreements to the terms", "user_id = :user_id"),
    "cases": ("appeals, reports and approvals", "user_id = :user_id OR opened_by = :user_id"),
    "allowances": ("permissions after an appeal", "user_id = :user_id"),
    "prompt_messages": ("messages read in prompt channels", "user_id = :user_id"),
    "challenge_entries": ("entries in challenges", "user_id = :user_id"),
    "challenge_votes": ("votes in challenges", "user_id = :user_id"),
    "stars": ("stars you gave", "user_id = :user_id"),
    "ledger": ("credits granted, spent and given back", "subject = 'member' AND subject_id = :user_id"),
    "quota_rules": ("quotas set for you", "subject = 'member' AND subject_id = :user_id"),
    "strikes": ("strikes", "user_id = :user_id"),
    "blocks": ("blocks", "user_id = :user_id"),
    "audit": (
        "lines of the audit log",
        "actor_id = :user_id OR target = 'member:' || :user_id OR json_extract(details, '$.member') = :user_id",
    ),
    "erasures": ("erasures under way", "user_id = :user_id"),
}

# In this order; rows of other tables that hang on these go with them (ON DELETE CASCADE).
_ERASE_MEMBER = (
    "DELETE FROM challenge_votes WHERE user_id = :user_id",
    "DELETE FROM challenge_entries WHERE user_id = :user_id",
    "DELETE FROM stars WHERE user_id = :user_id",
    "DELETE FROM prompt_messages WHERE user_id = :user_id",
    "DELETE FROM allowances WHERE user_id = :user_id",
    "DELETE FROM cases WHERE user_id = :user_id",
    "UPDATE cases SET opened_by = 0, statement = '' WHERE opened_by = :user_id",
    "DELETE FROM pending_requests WHERE user_id = :user_id",
    "DELETE FROM decisions WHERE user_id = :user_id",
    "DELETE FROM jobs WHERE user_id = :user_id",
    "DELETE FROM agreements WHERE user_id = :user_id",
    "DELETE FROM quota_rules WHERE subject = 'member' AND subject_id = :user_id",
    "DELETE FROM strikes WHERE user_id = :user_id AND (lifted_at IS NOT NULL OR expires_at <= :now)",
    "UPDATE audit SET actor_id = NULL WHERE actor_id = :user_id",
    """UPDATE audit SET target = NULL, details = '{}'
       WHERE target = 'member:' || :user_id OR json_extract(details, '$.member') = :user_id""",
    "INSERT INTO erasures (user_id, asked_at) VALUES (:user_id, :now) ON CONFLICT DO UPDATE SET asked_at = :now",
)

# A moderator who erases their data: what they set up stays, without their name.
_ACTORS = (
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
_FORGET_ACTOR = tuple(f"UPDATE {table} SET {column} = 0 WHERE {column} = :user_id" for table, column in _ACTORS)

_ERASE_GUILD = (
    "DELETE FROM prompt_messages WHERE guild_id = :guild_id",
    "DELETE FROM prompt_channels WHERE guild_id = :guild_id",
    "DELETE FROM approval_channels WHERE guild_id = :guild_id",
    "DELETE FROM challenges WHERE guild_id = :guild_id",
    "DELETE FROM starboards WHERE guild_id = :guild_id",
    "DELETE FROM allowances WHERE guild_id = :guild_id",
    "DELETE FROM cases WHERE guild_id = :guild_id",
    "DELETE FROM pending_requests WHERE json_extract(origin, '$.place.guild_id') = :guild_id",
    "DELETE FROM decisions WHERE guild_id = :guild_id",
    "DELETE FROM jobs WHERE guild_id = :guild_id",
    "DELETE FROM guild_agreements WHERE guild_id = :guild_id",
    "DELETE FROM place_settings WHERE guild_id = :guild_id",
    "DELETE FROM quota_rules WHERE guild_id = :guild_id",
    "DELETE FROM strikes WHERE guild_id = :guild_id",
    "DELETE FROM blocks WHERE guild_id = :guild_id AND user_id != 0",
    "DELETE FROM audit_posts WHERE guild_id = :guild_id",
    "UPDATE audit SET actor_id = NULL, target = NULL, details = '{}' WHERE guild_id = :guild_id",
    "UPDATE ledger SET subject_id = NULL, actor_id = NULL, job_id = NULL, reason = '' WHERE guild_id = :guild_id",
    "DELETE FROM departures WHERE guild_id = :guild_id",
)

# A picture older than its server keeps them loses words and pixels; that there was one remains.
_OLD_JOBS = """SELECT jobs.id FROM jobs JOIN place_settings AS kept
                 ON kept.guild_id = jobs.guild_id AND kept.channel_id = 0 AND kept.name = 'retention_days'
               WHERE kept.value <> 'null' AND jobs.finished_at < :now - 86400.0 * kept.value"""
_RETAIN = (
    f"DELETE FROM picture_hashes WHERE job_id IN ({_OLD_JOBS})",
    f"DELETE FROM job_inputs WHERE job_id IN ({_OLD_JOBS})",
    f"UPDATE pictures SET png = NULL WHERE png IS NOT NULL AND job_id IN ({_OLD_JOBS})",
    f"""UPDATE jobs SET request = json_set(request, '$.prompt', '', '$.negative_prompt', '')
        WHERE json_extract(request, '$.prompt') || json_extract(request, '$.negative_prompt') <> ''
          AND id IN ({_OLD_JOBS})""",
    """UPDATE cases SET statement = ''
       WHERE statement <> '' AND resolved_at < :now - 86400.0 * (
           SELECT value FROM place_settings AS kept
           WHERE kept.guild_id = cases.guild_id AND kept.channel_id = 0 AND kept.name = 'retention_days'
             AND kept.value <> 'null')""",
    """UPDATE decisions SET prompt = NULL, negative_prompt = NULL
       WHERE prompt IS NOT NULL AND decided_at < :now - 86400.0 * (
           SELECT value FROM place_settings AS kept
           WHERE kept.guild_id = decisions.guild_id AND kept.channel_id = 0 AND kept.name = 'retention_days'
             AND kept.value <> 'null')""",
)

# A refused request outlives the decision about it for an appeal only.
_RETAIN_REFUSED = """DELETE FROM refused_requests WHERE decision_id IN (
        SELECT decisions.id FROM decisions JOIN place_settings AS kept
          ON kept.guild_id = decisions.guild_id AND kept.channel_id = 0 AND kept.name = 'retention_days'
        WHERE kept.value <> 'null' AND decisions.decided_at < :now - 86400.0 * kept.value)
      AND NOT EXISTS (SELECT 1 FROM cases WHERE cases.decision_id = refused_requests.decision_id
                        AND (cases.status = 'open' OR cases.told_at IS NULL))"""

_FORGET = (
    """UPDATE ledger SET subject_id = NULL, actor_id = NULL, job_id = NULL, reason = ''
       WHERE subject = 'member' AND subject_id IN (SELECT user_id FROM erasures WHERE asked_at <= :counted_since)
         AND created_at <= :counted_since""",
    """UPDATE ledger SET actor_id = NULL
       WHERE actor_id IN (SELECT user_id FROM erasures WHERE asked_at <= :counted_since)""",
    """DELETE FROM strikes WHERE user_id IN (SELECT user_id FROM erasures)
         AND (lifted_at IS NOT NULL OR expires_at <= :now)""",
    """DELETE FROM erasures WHERE asked_at <= :counted_since
         AND NOT EXISTS (SELECT 1 FROM strikes WHERE strikes.user_id = erasures.user_id)""",
    """DELETE FROM refused_requests WHERE created_at < :refused_since AND NOT EXISTS (
           SELECT 1 FROM cases WHERE cases.decision_id = refused_requests.decision_id
             AND (cases.status = 'open' OR cases.told_at IS NULL))""",
    "DELETE FROM pending_requests WHERE created_at < :now - 86400.0",
)


async def summarise(database: Database, user_id: int) -> dict[str, int]:
    """How many rows of each kind are stored of the member, only kinds that there are."""
    counts: dict[str, int] = {}
    for table, (words, theirs) in HELD.items():
        row = await database.fetch_one(f"SELECT count(*) FROM {table} WHERE {theirs}", {"user_id": user_id})
        if row is not None and row[0]:
            counts[words] = int(row[0])
    return counts


async def export(database: Database, user_id: int) -> dict[str, list[dict[str, Any]]]:
    """Every row of the member as JSON values; picture files are in `fetch_pictures`."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for table, (_, theirs) in HELD.items():
        found = await database.fetch_all(f"SELECT * FROM {table} WHERE {theirs}", {"user_id": user_id})
        rows[table] = [_without_files(dict(row)) for row in found]
    return rows


def _without_files(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not isinstance(value, bytes)}


async def list_pictures(database: Database, user_id: int) -> list[tuple[int, int, int]]:
    """(job, position, bytes) of every stored picture of the member, oldest first."""
    rows = await database.fetch_all(
        """SELECT job_id, position, length(png) AS size FROM pictures JOIN jobs ON jobs.id = pictures.job_id
           WHERE jobs.user_id = ? AND png IS NOT NULL ORDER BY job_id, position""",
        (user_id,),
    )
    return [(row["job_id"], row["position"], row["size"]) for row in rows]


async def fetch_picture(database: Database, job_id: int, position: int) -> bytes | None:
    row = await database.fetch_one("SELECT png FROM pictures WHERE job_id = ? AND position = ?", (job_id, position))
    return row["png"] if row else None


async def erase_member(connection: aiosqlite.Connection, user_id: int, now: datetime) -> None:
    """Erase everything of the member that `HELD` names, but for what the module's first lines except.

    Call `Database.scrub` after the transaction: until then the write-ahead log still holds the erased bytes.
    """
    await _run(connection, (*_ERASE_MEMBER, *_FORGET_ACTOR), {"user_id": user_id, "now": to_seconds(now)})


async def note_departure(connection: aiosqlite.Connection, guild_id: int, now: datetime) -> None:
    """The bot was removed from a server; a repeated note keeps the first time."""
    await connection.execute(
        "INSERT INTO departures (guild_id, left_at) VALUES (?, ?) ON CONFLICT DO NOTHING", (guild_id, to_seconds(now))
    )


async def note_return(connection: aiosqlite.Connection, guild_id: int) -> None:
    await connection.execute("DELETE FROM departures WHERE guild_id = ?", (guild_id,))


async def fetch_guild_ids(database: Database) -> set[int]:
    """Servers of which something is stored."""
    rows = await database.fetch_all(
        """SELECT guild_id FROM jobs WHERE guild_id IS NOT NULL UNION SELECT guild_id FROM place_settings
           UNION SELECT guild_id FROM guild_agreements UNION SELECT guild_id FROM prompt_channels
           UNION SELECT guild_id FROM decisions WHERE guild_id IS NOT NULL UNION SELECT guild_id FROM challenges"""
    )
    return {int(row["guild_id"]) for row in rows}


async def erase_departed(connection: aiosqlite.Connection, now: datetime) -> list[int]:
    """Erase the data of servers that have been left for `DEPARTED_KEPT`; their ids."""
    rows = await connection.execute_fetchall(
        "SELECT guild_id FROM departures WHERE left_at <= ?", (to_seconds(now - DEPARTED_KEPT),)
    )
    guild_ids = [int(row["guild_id"]) for row in rows]
    for guild_id in guild_ids:
        await _run(connection, _ERASE_GUILD, {"guild_id": guild_id})
    return guild_ids


async def forget_old(connection: aiosqlite.Connection, now: datetime) -> int:
    """Apply every server's retention and the bot's own periods; returns how many rows changed."""
    moments = {
        "now": to_seconds(now),
        "counted_since": to_seconds(now - LEDGER_COUNTS),
        "refused_since": to_seconds(now - REFUSED_KEPT),
    }
    return await _run(connection, (*_RETAIN, _RETAIN_REFUSED, *_FORGET), moments)


async def _run(connection: aiosqlite.Connection, statements: Iterable[str], values: dict[str, Any]) -> int:
    changed = 0
    for sql in statements:
        cursor = await connection.execute(sql, {name: value for name, value in values.items() if f":{name}" in sql})
        changed += max(cursor.rowcount, 0)
        await cursor.close()
    return changed
