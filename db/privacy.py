"""What is stored of a member: showing it and handing it out. Erasing it is in db/erasure.py.

Every table with a person in it is named here once (a test compares the list with the schema).
"""

from __future__ import annotations

from typing import Any

from db.database import Database
from db.pictures import IS_STORED

# Table → (what a member calls it, the rows that are theirs).
HELD: dict[str, tuple[str, str]] = {
    "jobs": ("pictures you asked for", "user_id = :user_id"),
    "decisions": ("decisions of the policy on your prompts", "user_id = :user_id"),
    "refused_requests": (
        "refused requests, kept for a week",
        "decision_id IN (SELECT id FROM decisions WHERE user_id = :user_id)",
    ),
    "pending_requests": ("requests waiting for your agreement", "user_id = :user_id"),
    "drafts": ("requests that were not accepted, kept for a day", "user_id = :user_id"),
    "agreements": ("agreements to the terms", "user_id = :user_id"),
    "cases": ("appeals, reports and approvals", "user_id = :user_id OR opened_by = :user_id"),
    "allowances": ("permissions after an appeal", "user_id = :user_id"),
    "prompt_messages": ("messages read in prompt channels", "user_id = :user_id"),
    "challenge_entries": ("entries in challenges", "user_id = :user_id"),
    "challenge_votes": ("votes in challenges", "user_id = :user_id"),
    "kept_pictures": ("pictures you keep", "user_id = :user_id"),
    "member_settings": ("settings of your own", "user_id = :user_id"),
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


async def summarise(database: Database, user_id: int) -> dict[str, int]:
    """How many rows of each kind are stored of the member, only kinds that there are."""
    counts: dict[str, int] = {}
    for table, (words, theirs) in HELD.items():
        row = await database.fetch_one(f"SELECT count(*) FROM {table} WHERE {theirs}", {"user_id": user_id})
        if row is not None and row[0]:
            counts[words] = int(row[0])
    return counts


async def export(database: Database, user_id: int) -> dict[str, list[dict[str, Any]]]:
    """Every row of the member as JSON values; picture files are in db/pictures.py."""
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
        f"""SELECT job_id, position, coalesce(bytes, length(png)) AS size
           FROM pictures JOIN jobs ON jobs.id = pictures.job_id
           WHERE jobs.user_id = ? AND {IS_STORED} ORDER BY job_id, position""",
        (user_id,),
    )
    return [(row["job_id"], row["position"], row["size"]) for row in rows]
