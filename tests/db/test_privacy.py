"""Erasure, retention and departures: what is erased is in no byte of the database's files any more."""

import json
from datetime import timedelta

from db import (
    appeals,
    decisions,
    guild_settings,
    jobs,
    privacy,
)
from db.database import Database
from domain import Action, Verdict
from domain.cases import CaseKind
from tests.support.people import CHANNEL, GUILD, MEMBER, MODERATOR, OTHER
from tests.support.requests import NOW
from tests.support.traces import PNG, REQUEST, WORDS, in_files, live, origin, paint, people_left

PEOPLE_COLUMNS = ("user_id", "opened_by", "resolved_by", "granted_by", "set_by", "created_by", "actor_id", "lifted_by")


async def erase(database: Database, user_id: int) -> None:
    async with database.transaction() as connection:
        await privacy.erase_member(connection, user_id, NOW)
    await database.scrub()


async def test_what_a_member_erased_is_in_no_byte_of_the_files(database: Database) -> None:
    await live(database, MEMBER)
    assert in_files(database, WORDS)
    assert in_files(database, PNG[:64])
    await erase(database, MEMBER)
    assert not in_files(database, WORDS)
    assert not in_files(database, PNG[:34])
    assert people_left(database.path, MEMBER) <= {"erasures.user_id", "ledger.subject_id", "ledger.actor_id"}


async def test_a_day_later_not_even_the_id_is_left(database: Database) -> None:
    await live(database, MEMBER)
    await erase(database, MEMBER)
    async with database.transaction() as connection:
        await privacy.forget_old(connection, NOW + timedelta(hours=26))
    assert people_left(database.path, MEMBER) == set()


async def test_other_members_data_stays(database: Database) -> None:
    await live(database, MEMBER)
    other_job = await paint(database, OTHER)
    await erase(database, MEMBER)
    assert (await privacy.summarise(database, OTHER))["pictures you asked for"] == 1
    assert await privacy.fetch_picture(database, other_job, 0) == PNG


async def test_an_erasure_lifts_no_block_and_no_live_strike(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO blocks (guild_id, user_id, reason, actor_id, created_at) VALUES (2, ?, 'x', ?, 0)",
            (MEMBER, MODERATOR),
        )
        expiry = NOW + timedelta(days=1)
        await connection.executemany(
            "INSERT INTO strikes (guild_id, user_id, created_at, expires_at) VALUES (2, ?, 0, ?)",
            [(MEMBER, expiry.timestamp()), (MEMBER, 5.0)],
        )
    await erase(database, MEMBER)
    assert await privacy.summarise(database, MEMBER) == {"strikes": 1, "blocks": 1, "erasures under way": 1}
    async with database.transaction() as connection:
        await privacy.forget_old(connection, NOW + timedelta(days=2))
    assert await privacy.summarise(database, MEMBER) == {"blocks": 1}


async def test_the_export_holds_every_row_and_lists_every_picture(database: Database) -> None:
    await live(database, MEMBER)
    rows = json.loads(json.dumps(await privacy.export(database, MEMBER)))
    counts = {privacy.HELD[table][0]: len(found) for table, found in rows.items() if found}
    assert counts == await privacy.summarise(database, MEMBER)
    assert WORDS in rows["jobs"][0]["request"]
    assert [size for _, _, size in await privacy.list_pictures(database, MEMBER)] == [len(PNG)]


async def test_every_table_with_a_member_in_it_is_known(database: Database) -> None:
    rows = await database.fetch_all("SELECT name FROM sqlite_master WHERE type = 'table'")
    known = {*privacy.HELD, *(table for table, _ in privacy._ACTORS)}
    for table in [row["name"] for row in rows]:
        columns = {row["name"] for row in await database.fetch_all(f"PRAGMA table_info({table})")}
        if columns & set(PEOPLE_COLUMNS):
            assert table in known, f"{table} holds people, but db/privacy.py does not know it"


async def test_retention_takes_words_and_pictures_of_the_servers_that_chose_it(database: Database) -> None:
    old = await paint(database, MEMBER)
    async with database.transaction() as connection:
        assert await privacy.forget_old(connection, NOW + timedelta(days=365)) == 0
        await guild_settings.change(connection, GUILD, MODERATOR, NOW, retention_days=30)
        assert await privacy.forget_old(connection, NOW + timedelta(days=29)) == 0
        await privacy.forget_old(connection, NOW + timedelta(days=31))
    await database.scrub()
    assert not in_files(database, WORDS)
    assert not in_files(database, PNG[:34])
    job = await jobs.fetch(database, old)
    assert job is not None
    assert (job.request.prompt, job.request.seed, job.user_id) == ("", 7, MEMBER)


async def test_retention_takes_refused_requests_too_unless_an_appeal_is_running(database: Database) -> None:
    verdict = Verdict(action=Action.REFUSE, clause="adult")
    async with database.transaction() as connection:
        await guild_settings.change(connection, GUILD, MODERATOR, NOW, retention_days=2)
        ids = [await decisions.record_prompt(connection, verdict, REQUEST, origin(MEMBER), NOW) for _ in range(2)]
        for decision_id in ids:
            await appeals.keep_refused(connection, decision_id, REQUEST, origin(MEMBER), NOW)
        case = {"guild_id": GUILD, "channel_id": CHANNEL, "opened_by": MEMBER, "now": NOW}
        await appeals.open_case(connection, CaseKind.APPEAL, user_id=MEMBER, decision_id=ids[1], **case)
        await privacy.forget_old(connection, NOW + timedelta(days=3))
    kept = [await appeals.fetch_refused(database, decision_id) is not None for decision_id in ids]
    assert kept == [False, True]


async def test_a_server_that_was_left_is_erased_in_time(database: Database) -> None:
    await live(database, MEMBER)
    async with database.transaction() as connection:
        await privacy.note_departure(connection, GUILD, NOW)
        assert await privacy.erase_departed(connection, NOW + timedelta(days=29)) == []
        assert await privacy.erase_departed(connection, NOW + timedelta(days=31)) == [GUILD]
    await database.scrub()
    assert not in_files(database, WORDS)
    assert await privacy.fetch_guild_ids(database) == set()
    assert people_left(database.path, MEMBER) <= {"agreements.user_id"}


async def test_a_server_that_came_back_is_not_erased(database: Database) -> None:
    await live(database, MEMBER)
    async with database.transaction() as connection:
        await privacy.note_departure(connection, GUILD, NOW)
        await privacy.note_return(connection, GUILD)
        assert await privacy.erase_departed(connection, NOW + timedelta(days=90)) == []
    assert GUILD in await privacy.fetch_guild_ids(database)
