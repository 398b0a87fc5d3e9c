"""No statement of db/ reads a whole table that grows: every plan is read, of every statement that is really sent."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from db import appeals, batches, challenges, decisions, erasure, jobs, picture_sweep, quotas, retention, strikes
from db.database import Database
from db.picture_files import month_of
from domain import Action, Verdict
from domain.quotas import Asker, QuotaDefaults, QuotaRule
from domain.settings import GuildSettings
from tests.support.people import CHANNEL, GUILD, MEMBER, MODERATOR, OTHER
from tests.support.requests import NOW, ORIGIN, REQUEST
from tests.support.statements import VALUES, Recording, call, public_functions, recorded, sending_places
from tests.support.traces import live, paint

REFUSAL = Verdict(action=Action.REFUSE, clause="adult")
# One row a server, a channel, a value, or an erasure under way (of a member, or of bytes).
SMALL_TABLES = {
    "meta", "place_settings", "guild_agreements", "approval_channels", "prompt_channels", "starboards", "departures",
    "erasures", "audit_posts", "erased_blobs",
}  # fmt: skip
# Partial indexes of what is waiting: reading all of it is what the statement is for.
WORK_LISTS = {
    "jobs_open", "jobs_undelivered", "cases_unshown", "cases_untold", "cases_held", "decisions_unstored",
    "challenges_due", "challenges_unreported", "challenge_entries_unposted", "starred_open", "pictures_in_rows",
    "jobs_to_announce",
}  # fmt: skip


async def tour(database: Database) -> Recording:
    """Everything in db/ that sends statements, on a database in which people have left every kind of trace."""
    await live(database, MEMBER)
    async with database.transaction() as connection:
        await quotas.set_rule(connection, VALUES[QuotaRule])
        decision_id = await decisions.record_prompt(connection, REFUSAL, REQUEST, ORIGIN, NOW - timedelta(days=2))
        await connection.execute("INSERT INTO blocks VALUES (?, ?, 'x', ?, 0, NULL)", (GUILD, MEMBER, MODERATOR))
        await connection.execute(
            "INSERT INTO strikes (guild_id, user_id, decision_id, created_at, expires_at) VALUES (?, ?, ?, 0, 9e9)",
            (GUILD, MEMBER, decision_id),
        )
    with recorded() as recording:
        for function in public_functions():
            for with_options in (False, True):
                await call(function, database, with_options=with_options)
        await tell_the_rest(database)
    return recording


async def tell_the_rest(database: Database) -> None:
    """What needs a story: start pictures, strikes, a recurring challenge that ends, sweeps that find something."""
    from_picture = replace(REQUEST, init_image=b"picture", mask_image=b"mask")
    defaults = VALUES[QuotaDefaults]
    async with database.transaction() as connection:
        await jobs.enqueue(
            connection, from_picture, replace(ORIGIN, user_id=OTHER), NOW, cost=1, defaults=defaults, max_queue=10
        )
        await quotas.fetch_standing(connection, VALUES[Asker], defaults, NOW)
        await appeals.set_approval(connection, GUILD, CHANNEL, False, MODERATOR, NOW)
        decision_id = await decisions.record_prompt(connection, REFUSAL, REQUEST, ORIGIN, NOW)
        settings = GuildSettings(strike_free_refusals=0)
        await strikes.record(connection, decision_id, settings, NOW, is_moderator=False)
        await connection.execute("UPDATE challenges SET repeat_seconds = 86400")
        assert await challenges.end_due(connection, NOW + timedelta(days=2))
        await connection.execute("UPDATE cases SET status = 'upheld', resolved_at = 0, told_at = 0")
        await erasure.note_erasure(connection, OTHER, NOW)
    await live(database, OTHER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "MAX_BYTES", 1)  # so that each job is too large for one batch
        await erasure.erase_member(database, OTHER, NOW)
    await retention.forget_old(database, NOW + timedelta(days=400))
    async with database.transaction() as connection:
        await erasure.note_departure(connection, GUILD, NOW)
    await erasure.erase_departed(database, NOW + timedelta(days=400))
    await tell_of_picture_files(database)


async def tell_of_picture_files(database: Database) -> None:
    """An erased picture beside one that stays, one in its row, and a blob that a stop left over."""
    gone = await paint(database, MEMBER)
    await paint(database, OTHER)
    await paint(database, OTHER, in_row=True)
    async with database.transaction() as connection:
        await jobs.erase_pictures(connection, gone)
    await picture_sweep.collect(database)
    await picture_sweep.move_some(database)
    database.pictures.release(await database.pictures.write(month_of(NOW), [b"left over"]))
    database.pictures.unswept.add(month_of(NOW))
    assert await picture_sweep.sweep(database) == 1
    async with database.transaction() as connection:
        await connection.execute("UPDATE pictures SET blob_key = 1 WHERE job_id = ?", (gone + 1,))
    assert [one.png for one in await jobs.fetch_pictures(database, gone + 1)] == [None]
    database.pictures.release(await database.pictures.write("2001-01", [b"the first of its file"]))


def whole_reads(connection: sqlite3.Connection, sql: str, values: object, growing: set[str]) -> list[str]:
    """The lines of a statement's plan that read a growing table from end to end."""
    aliases = {alias: table for table, alias in re.findall(r"(\w+|\)) AS (\w+)", sql)}
    lines = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]  # type: ignore[call-overload]
    found: list[str] = []
    for line in lines:
        scan = re.match(r"SCAN (\S+)(?: USING (?:COVERING )?INDEX (\S+))?", line)
        if scan and scan[2] not in WORK_LISTS and aliases.get(scan[1], scan[1]) in growing:
            found.append(line)
    return found


def tables_of(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


async def test_no_statement_reads_a_growing_table_from_end_to_end(database: Database) -> None:
    recording = await tour(database)
    with closing(sqlite3.connect(database.path)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        # Those of a month's file.
        connection.execute("CREATE TEMP TABLE blobs (key INTEGER PRIMARY KEY, png BLOB NOT NULL)")
        connection.execute("CREATE TEMP TABLE newest (id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL)")
        growing = {*tables_of(connection), "blobs"} - SMALL_TABLES
        sent = {
            sql: values
            for sql, values in recording.statements.items()
            if sql.partition(" ")[0] in ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")
        }
        bad = {sql: found for sql, values in sent.items() if (found := whole_reads(connection, sql, values, growing))}
    assert len(sent) > 150
    assert bad == {}, "\n\n".join(f"{sql}\n  {found}" for sql, found in bad.items())


async def test_every_place_that_sends_a_statement_was_visited(database: Database) -> None:
    recording = await tour(database)
    missed = [
        f"{name}:{first}"
        for (name, first), last in sending_places().items()
        if not any(file == name and first <= line <= last for file, line in recording.sites)
    ]
    assert missed == []


async def test_a_plan_that_reads_everything_is_noticed(database: Database) -> None:
    with closing(sqlite3.connect(database.path)) as connection:
        growing = tables_of(connection) - SMALL_TABLES
        assert whole_reads(connection, "SELECT * FROM jobs WHERE seconds > 1", (), growing)
        assert whole_reads(connection, "SELECT 1 FROM ledger AS entry WHERE amount = 1", (), growing)
        assert whole_reads(connection, "SELECT * FROM meta WHERE value = 1", (), growing) == []
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("DROP INDEX allowances_by_job")
        assert whole_reads(connection, "DELETE FROM jobs WHERE id = 1", (), growing)


async def test_every_foreign_key_has_an_index_on_its_child_side(database: Database) -> None:
    with closing(sqlite3.connect(database.path)) as connection:
        for table in sorted(tables_of(connection)):
            columns = sorted((row[5], row[1]) for row in connection.execute(f"PRAGMA table_info({table})") if row[5])
            indexes = [[name for _, name in columns]]
            for (index,) in connection.execute("SELECT name FROM pragma_index_list(?)", (table,)).fetchall():
                indexes.append([row[2] for row in connection.execute(f"PRAGMA index_info({index})")])
            keys: dict[int, set[str]] = {}
            for row in connection.execute(f"PRAGMA foreign_key_list({table})"):
                keys.setdefault(row[0], set()).add(row[3])
            for key in keys.values():
                assert any(set(index[: len(key)]) == key for index in indexes), f"{table}: {sorted(key)}"
