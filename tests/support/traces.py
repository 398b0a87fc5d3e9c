"""What a member leaves behind in the database, and where it can still be found."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from db import (
    allowances,
    appeals,
    audit,
    challenges,
    decisions,
    erasure,
    guild_settings,
    jobs,
    kept_pictures,
    member_settings,
    prompt_channels,
    retention,
    space,
    starboard,
)
from db.codec import encode_request
from db.database import Database, fetch_one
from db.picture_files import month_of
from db.picture_sweep import written
from domain import Action, ModelIdentity, Origin, Picture, Place, Request, Result, SafetyReport, SafetyVerdict, Verdict
from domain.audit import AuditAction
from domain.cases import CaseKind
from domain.places import EVERYWHERE
from tests.support.people import CHANNEL, GUILD, MEMBER, MODERATOR
from tests.support.requests import NOW
from tests.support.requests import REQUEST as PLAIN_REQUEST

WORDS = "an unmistakable zebra-striped lighthouse"
REQUEST = replace(PLAIN_REQUEST, prompt=WORDS, negative_prompt=f"without {WORDS}")
PNG = b"\x89PNG picture bytes nobody else has" * 400


def in_files(database: Database | Path, wanted: str | bytes) -> bool:
    """Whether the bytes are anywhere in the files of the database (or of the one at this path), or of its pictures."""
    needle = wanted.encode() if isinstance(wanted, str) else wanted
    path = database if isinstance(database, Path) else database.path
    files = [*path.parent.glob(f"{path.name}*"), *path.parent.glob("*pictures/*")]
    return any(needle in file.read_bytes() for file in files)


def origin(user_id: int) -> Origin:
    return Origin(user_id=user_id, place=Place(guild_id=GUILD, channel_id=CHANNEL))


async def paint(
    database: Database, user_id: int, request: Request = REQUEST, png: bytes = PNG, *, in_row: bool = False
) -> int:
    """A delivered job with its picture in the month's file, or (`in_row`) where older bots kept it; the job's id."""
    verdict = Verdict(action=Action.ALLOW)
    async with database.transaction() as connection:
        row = await fetch_one(
            connection,
            """INSERT INTO jobs (user_id, guild_id, channel_id, request, images, created_at)
               VALUES (?, ?, ?, ?, 1, ?) RETURNING id""",
            (user_id, GUILD, CHANNEL, encode_request(request), NOW.timestamp()),
        )
        assert row is not None
        job_id = int(row["id"])
        await decisions.record_prompt(connection, verdict, request, origin(user_id), NOW, job_id)
    async with written(database, month_of(NOW), [png], job_id) as (place,), database.transaction() as connection:
        painting = Picture(seed=7, width=64, height=64, png=png, safety=SafetyReport(verdict=SafetyVerdict.SAFE))
        model = ModelIdentity(name="tiny", sha256="00")
        result = Result(job_id=job_id, request=request, model=model, pictures=(painting,), seconds=1.0)
        await jobs.finish(connection, result, NOW, {} if in_row else {0: place})
        await jobs.mark_delivered(connection, job_id, 55, NOW)
    return job_id


async def live(database: Database, user_id: int) -> None:
    """Leave a trace in every table that can hold one."""
    job_id = await paint(database, user_id)
    channel = prompt_channels.PromptChannel(channel_id=CHANNEL, guild_id=GUILD, opened_by=user_id)
    verdict = Verdict(action=Action.REFUSE, clause="adult")
    async with database.transaction() as connection:
        decision_id = await decisions.record_prompt(connection, verdict, REQUEST, origin(user_id), NOW)
        await appeals.keep_refused(connection, decision_id, REQUEST, origin(user_id), NOW)
        case = {"guild_id": GUILD, "channel_id": CHANNEL, "opened_by": user_id, "now": NOW, "statement": WORDS}
        await appeals.open_case(connection, CaseKind.APPEAL, user_id=user_id, decision_id=decision_id, **case)
        await allowances.allow(connection, GUILD, "hash", user_id, NOW, user_id=user_id)
        await allowances.allow(connection, GUILD, "placeholder", user_id, NOW)
        await prompt_channels.save(connection, channel, NOW)
        await prompt_channels.take_message(connection, channel, user_id + 1, user_id, NOW)
        challenge_id = await challenges.start(
            connection,
            guild_id=GUILD,
            channel_id=CHANNEL,
            themes=("snow",),
            created_by=user_id,
            starts_at=NOW,
            ends_at=NOW + timedelta(days=1),
        )
        await challenges.enter(connection, challenge_id, user_id, job_id, NOW)
        await kept_pictures.keep(connection, user_id, job_id, [0], NOW)
        await member_settings.change(connection, user_id, notices=False)
        direct = prompt_channels.PromptChannel(channel_id=user_id + 2, guild_id=EVERYWHERE, opened_by=user_id)
        await prompt_channels.save(connection, direct, NOW)
        await starboard.save(connection, GUILD, CHANNEL, 1, user_id, NOW)
        await guild_settings.change(connection, GUILD, user_id, NOW, max_images=2)
        await audit.record_about_job(connection, job_id, MODERATOR, AuditAction.JOB_DELETE, NOW)


def people_left(path: Path, user_id: int) -> set[str]:
    """`table.column` of every place in which the member's id still is."""
    found: set[str] = set()
    with sqlite3.connect(path) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for column in [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]:
                sql = f"SELECT 1 FROM {table} WHERE CAST({column} AS TEXT) LIKE ?"
                if connection.execute(sql, (f"%{user_id}%",)).fetchone():
                    found.add(f"{table}.{column}")
    connection.close()
    return found


async def forget(deed: str, database: Database) -> None:
    """Retention, the member's erasure or a server's departure, as the bot does it."""
    if deed == "erasure":
        async with database.transaction() as connection:
            await erasure.note_erasure(connection, MEMBER, NOW)
    await resume_forgetting(database)


async def resume_forgetting(database: Database) -> None:
    """What a start of the bot does about erasures, retention and departures."""
    later = NOW + timedelta(days=40)
    for user_id in await erasure.fetch_unfinished(database):
        await erasure.erase_member(database, user_id, NOW)
    await retention.forget_old(database, later)
    await erasure.erase_departed(database, later)
    await space.give_back(database)
