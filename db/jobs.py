"""The job table: the truth about every request from the moment it is accepted until its message shows the end.

Every rule that must hold is one statement: `enqueue` counts and inserts at once, a state change names the states
it may start from. Functions that write take an open transaction's connection, so that callers can join them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime

import aiosqlite

from db import pictures
from db.codec import (
    decode_model,
    decode_request,
    encode_model,
    encode_request,
    to_seconds,
)
from db.database import Database, fetch_one
from db.notices import ANNOUNCED_AFTER
from db.picture_files import BlobPlace
from db.quota_sql import AFFORDABLE, NOT_BLOCKED, SPLIT, STANDING, parameters
from db.rows import from_row, read_all
from domain import (
    Job,
    JobStatus,
    Origin,
    Outcome,
    OutcomeCode,
    Picture,
    Place,
    Request,
    Result,
)
from domain.quotas import Asker, QuotaDefaults

_SELECT = """
SELECT jobs.*, job_inputs.init_image, job_inputs.mask_image
FROM jobs LEFT JOIN job_inputs ON job_inputs.job_id = jobs.id
"""
_BY_ID = f"{_SELECT} WHERE jobs.id = ?"

# Limits and sums are part of the insert: a quota that is read first and written later lets concurrent requests through.
_ENQUEUE = f"""
WITH {STANDING}
INSERT INTO jobs (user_id, guild_id, channel_id, message_id, request, images, age_restricted, adult_opt_in, is_strict,
                  source, locale, parent_id, parent_number, filesize_limit, created_at, cost, spend, weight,
                  guild_weight, request_id)
SELECT :user_id, nullif(:guild_id, 0), :place_id, :message_id, :request, :images, :age_restricted, :adult_opt_in,
       :is_strict, :source, :locale, :parent_id, :parent_number, :filesize_limit, :now, :cost, {SPLIT},
       standing.weight * :weight_factor, standing.guild_weight, :request_id
FROM standing, guild
WHERE (SELECT count(*) FROM jobs WHERE status IN ('queued', 'running')) < :max_queue
  AND {AFFORDABLE} AND {NOT_BLOCKED}
  AND NOT EXISTS (SELECT 1 FROM jobs WHERE request_id = :request_id)
RETURNING id
"""
NO_CAP = 1_000_000


async def enqueue(
    connection: aiosqlite.Connection,
    request: Request,
    origin: Origin,
    now: datetime,
    *,
    cost: int,
    defaults: QuotaDefaults,
    max_queue: int,
    jobs_cap: int = NO_CAP,
    weight_factor: float = 1.0,
) -> int | None:
    """Accept the request and spend its `cost` (millicredits): its id, or None if a limit or a block does not allow it.

    `jobs_cap` and `weight_factor` are what a member's strikes leave of the jobs at a time and of the share.
    """
    row = await fetch_one(
        connection,
        _ENQUEUE,
        {
            **parameters(Asker.of(origin), defaults, now, cost),
            "place_id": origin.place.channel_id,
            "message_id": origin.message_id,
            "request": encode_request(request),
            "images": request.images,
            "age_restricted": origin.place.age_restricted,
            "adult_opt_in": origin.place.adult_opt_in,
            "is_strict": origin.place.is_strict,
            "source": origin.source,
            "locale": origin.locale,
            "parent_id": origin.parent_id,
            "parent_number": origin.parent_number,
            "filesize_limit": origin.filesize_limit,
            "max_queue": max_queue,
            "jobs_cap": jobs_cap,
            "weight_factor": weight_factor,
            "request_id": origin.request_id,
        },
    )
    if row is None:
        return None
    job_id = int(row["id"])
    if request.init_image is not None:
        await connection.execute(
            "INSERT INTO job_inputs (job_id, init_image, mask_image) VALUES (?, ?, ?)",
            (job_id, request.init_image, request.mask_image),
        )
    return job_id


async def find_by_request(connection: aiosqlite.Connection, request_id: int | None) -> int | None:
    """The id of the job that this interaction or message became already."""
    row = await fetch_one(connection, "SELECT id FROM jobs WHERE request_id = ?", (request_id,))
    return int(row["id"]) if row else None


async def fetch_new(connection: aiosqlite.Connection, job_id: int) -> Job:
    """The job that was inserted in this transaction."""
    row = await fetch_one(connection, _BY_ID, (job_id,))
    if row is None:
        raise LookupError(f"job {job_id} is not in the table")
    return _job(row)


async def attach_message(connection: aiosqlite.Connection, job_id: int, message_id: int) -> None:
    """Remember which Discord message shows the job."""
    await connection.execute("UPDATE jobs SET message_id = ? WHERE id = ?", (message_id, job_id))


async def start(connection: aiosqlite.Connection, job_id: int, now: datetime) -> bool:
    """queued → running; False if the job is in another state."""
    row = await fetch_one(
        connection,
        "UPDATE jobs SET status = 'running', started_at = ? WHERE id = ? AND status = 'queued' RETURNING id",
        (to_seconds(now), job_id),
    )
    return row is not None


async def finish(
    connection: aiosqlite.Connection, result: Result, now: datetime, places: Mapping[int, BlobPlace]
) -> bool:
    """Write the result and its pictures: done, or withheld if the picture check let none through.

    One that took long is to be announced to its member; direct messages do that by themselves.
    `places` says by position which pictures' bytes are in a month's file; others stay in their rows until moved.
    """
    status = JobStatus.DONE if result.released else JobStatus.WITHHELD
    row = await fetch_one(
        connection,
        """UPDATE jobs SET status = :status, finished_at = :now, model = :model, seconds = :seconds, request = :request,
                           notice = CASE WHEN :status = 'done' AND guild_id IS NOT NULL
                                           AND :now - created_at > :announced_after THEN 'due' END
           WHERE id = :id AND status IN ('queued', 'running') RETURNING id""",
        {
            "status": status,
            "now": to_seconds(now),
            "model": encode_model(result.model),
            "seconds": result.seconds,
            "request": encode_request(result.request),
            "announced_after": ANNOUNCED_AFTER.total_seconds(),
            "id": result.job_id,
        },
    )
    if row is None:
        return False
    await pictures.insert(connection, result, places)
    return True


async def end(
    connection: aiosqlite.Connection, job_id: int, status: JobStatus, outcome: Outcome, now: datetime
) -> bool:
    """An open job ends without pictures: failed, refused, withheld or cancelled. False if it was not open any more."""
    row = await fetch_one(
        connection,
        """UPDATE jobs SET status = ?, outcome = ?, outcome_detail = ?, finished_at = ?
           WHERE id = ? AND status IN ('queued', 'running') RETURNING id""",
        (status, outcome.code, outcome.detail, to_seconds(now), job_id),
    )
    return row is not None


async def withhold(connection: aiosqlite.Connection, job_id: int, outcome: Outcome) -> bool:
    """A finished job whose place has become stricter than its pictures: done → withheld."""
    row = await fetch_one(
        connection,
        """UPDATE jobs SET status = 'withheld', outcome = ?, outcome_detail = ? WHERE id = ? AND status = 'done'
           RETURNING id""",
        (outcome.code, outcome.detail, job_id),
    )
    return row is not None


async def mark_delivered(
    connection: aiosqlite.Connection, job_id: int, message_id: int | None, now: datetime, stored: int | None = None
) -> None:
    """Its message shows the end: a done job becomes delivered, another end keeps its name.

    With `stored` only if that many pictures are stored still: else the message shows one that was erased meanwhile.
    """
    await connection.execute(
        f"""UPDATE jobs SET delivered_at = :now, message_id = coalesce(:message_id, message_id),
                            status = CASE status WHEN 'done' THEN 'delivered' ELSE status END
            WHERE id = :id AND delivered_at IS NULL AND status NOT IN ('queued', 'running')
              AND (:stored IS NULL
                   OR :stored = (SELECT count(*) FROM pictures WHERE job_id = :id AND {pictures.IS_STORED}))""",
        {"now": to_seconds(now), "message_id": message_id, "id": job_id, "stored": stored},
    )


async def show_again(connection: aiosqlite.Connection, job_id: int) -> int | None:
    """Let the delivered job be delivered once more whose message this one took over; its id, None if there is none."""
    row = await fetch_one(
        connection,
        f"""UPDATE jobs SET status = 'done', delivered_at = NULL
           WHERE id = (SELECT earlier.id FROM jobs AS later
                       JOIN jobs AS earlier ON earlier.message_id = later.message_id AND earlier.id < later.id
                       WHERE later.id = ? AND earlier.status = 'delivered'
                         AND EXISTS (SELECT 1 FROM pictures WHERE job_id = earlier.id AND {pictures.IS_STORED})
                       ORDER BY earlier.id DESC LIMIT 1)
           RETURNING id""",
        (job_id,),
    )
    return int(row["id"]) if row else None


async def deliver_again(connection: aiosqlite.Connection, job_id: int) -> bool:
    """Let a painted job be delivered (once more), for some or all of its pictures are erased; False for another end."""
    cursor = await connection.execute(
        "UPDATE jobs SET status = 'done', delivered_at = NULL WHERE id = ? AND status IN ('done', 'delivered')",
        (job_id,),
    )
    return cursor.rowcount > 0


async def requeue_interrupted(connection: aiosqlite.Connection) -> None:
    """What was being painted when the process ended is painted again from the start."""
    await connection.execute(
        # Both conditions: the index of open jobs serves the first only.
        """UPDATE jobs SET status = 'queued', started_at = NULL
           WHERE status IN ('queued', 'running') AND status = 'running'"""
    )


async def fetch(database: Database, job_id: int) -> Job | None:
    return await database.find_one(_job, _BY_ID, (job_id,))


async def fetch_by_message(database: Database, message_id: int) -> Job | None:
    return await database.find_one(_job, f"{_SELECT} WHERE jobs.message_id = ?", (message_id,))


async def fetch_shown(database: Database, message_id: int) -> Job | None:
    """The job that a message shows: its own, or as a challenge's entry, or on the starboard."""
    return await database.find_one(
        _job,
        f"""{_SELECT} WHERE jobs.message_id = :id
              OR jobs.id IN (SELECT job_id FROM starred WHERE message_id = :id
                             UNION ALL SELECT job_id FROM challenge_entries WHERE message_id = :id)
            ORDER BY jobs.message_id = :id DESC LIMIT 1""",
        {"id": message_id},
    )


async def fetch_enterable(database: Database, guild_id: int, user_id: int, limit: int) -> list[Job]:
    """A member's delivered jobs in a server of which pictures are stored, newest first."""
    rows = await database.fetch_all(
        f"""{_SELECT} WHERE jobs.user_id = ? AND jobs.guild_id = ? AND jobs.status = 'delivered'
              AND EXISTS (SELECT 1 FROM pictures WHERE job_id = jobs.id AND {pictures.IS_STORED})
            ORDER BY jobs.id DESC LIMIT ?""",
        (user_id, guild_id, limit),
    )
    return [_job(row) for row in rows]


async def fetch_open(database: Database, user_id: int | None = None) -> list[Job]:
    """Jobs that the engine still owes work for, oldest first."""
    rows = await database.fetch_all(
        f"""{_SELECT} WHERE jobs.status IN ('queued', 'running') AND (:user_id IS NULL OR user_id = :user_id)
            ORDER BY jobs.id""",
        {"user_id": user_id},
    )
    return read_all(_job, rows)


async def fetch_open_ids(database: Database) -> list[int]:
    """The ids of all open jobs, oldest first: also of rows that can't be read."""
    rows = await database.fetch_all("SELECT id FROM jobs WHERE status IN ('queued', 'running') ORDER BY id")
    return [int(row["id"]) for row in rows]


async def fetch_open_some(database: Database, ids: Sequence[int], *, with_files: bool = True) -> list[Job]:
    """Those of these jobs that are still open and can be read, oldest first; start pictures only `with_files`."""
    select = _SELECT if with_files else "SELECT jobs.*, NULL AS init_image, NULL AS mask_image FROM jobs"
    rows = await database.fetch_all(
        f"""{select} WHERE jobs.id IN (SELECT value FROM json_each(?)) AND jobs.status IN ('queued', 'running')
            ORDER BY jobs.id""",
        (json.dumps(list(ids)),),
    )
    return read_all(_job, rows)


async def is_open(database: Database, job_id: int) -> bool:
    """Whether the engine still owes work for it."""
    row = await database.fetch_one("SELECT 1 FROM jobs WHERE id = ? AND status IN ('queued', 'running')", (job_id,))
    return row is not None


async def fetch_undelivered(database: Database) -> list[Job]:
    """Ended jobs whose message does not show it yet, oldest end first."""
    rows = await database.fetch_all(
        f"""{_SELECT} WHERE delivered_at IS NULL AND finished_at IS NOT NULL ORDER BY finished_at, jobs.id"""
    )
    return read_all(_job, rows)


async def fetch_pictures(database: Database, job_id: int) -> list[Picture]:
    """The finished pictures; one that was withheld or erased has no file."""
    return await pictures.fetch(database, job_id)


async def erase_pictures(connection: aiosqlite.Connection, job_id: int) -> None:
    """Forget a job's pictures for good (its owner or a moderator deleted the message)."""
    await pictures.erase(connection, job_id)
    await connection.execute("DELETE FROM job_inputs WHERE job_id = ?", (job_id,))
    await connection.execute("DELETE FROM picture_hashes WHERE job_id = ?", (job_id,))


async def erase_picture(connection: aiosqlite.Connection, job_id: int, position: int) -> bool:
    """Forget one of a job's pictures for good; whether others are stored."""
    await connection.execute("DELETE FROM picture_hashes WHERE job_id = ? AND position = ?", (job_id, position))
    return await pictures.erase_one(connection, job_id, position)


async def count_open(connection: aiosqlite.Connection) -> int:
    row = await fetch_one(connection, "SELECT count(*) FROM jobs WHERE status IN ('queued', 'running')")
    return int(row[0]) if row else 0


def _job(row: sqlite3.Row) -> Job:
    outcome = Outcome(OutcomeCode(row["outcome"]), row["outcome_detail"]) if row["outcome"] else None
    return from_row(
        Job,
        row,
        request=decode_request(row["request"], row["init_image"], row["mask_image"]),
        place=from_row(Place, row),
        model=decode_model(row["model"]),
        outcome=outcome,
    )
