"""The database file: opening, migrating, and one transaction at a time."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import aiosqlite
import pytest

from db import audit, ledger
from db import database as database_file
from db.database import Database, DatabaseError, migrate
from domain.audit import AuditAction
from domain.quotas import QuotaKind, QuotaSubject
from tests.support.people import GUILD, MEMBER, MODERATOR
from tests.support.requests import NOW

NOTE = "INSERT INTO meta (key, value) VALUES (?, ?)"


async def test_open_makes_the_folder_and_the_newest_schema(tmp_path: Path) -> None:
    async with Database(tmp_path / "new" / "bot.sqlite3") as database:
        version = await database.fetch_one("PRAGMA user_version")
        journal = await database.fetch_one("PRAGMA journal_mode")
        keys = await database.fetch_one("PRAGMA foreign_keys")
    assert version is not None
    assert version[0] >= 1
    assert journal is not None
    assert journal[0] == "wal"
    assert keys is not None
    assert keys[0] == 1


async def test_every_table_is_strict(tmp_path: Path) -> None:
    async with Database(tmp_path / "bot.sqlite3") as database:
        rows = await database.fetch_all(
            "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'"
        )
    assert rows
    assert [row["name"] for row in rows if not row["strict"]] == []


async def fail_inside(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(NOTE, ("a", "1"))
        raise ZeroDivisionError


async def test_a_failing_block_leaves_nothing_behind(tmp_path: Path) -> None:
    async with Database(tmp_path / "bot.sqlite3") as database:
        with pytest.raises(ZeroDivisionError):
            await fail_inside(database)
        assert await database.fetch_all("SELECT * FROM meta") == []


async def test_a_failing_writer_does_not_undo_another_ones_work(tmp_path: Path) -> None:
    async with Database(tmp_path / "bot.sqlite3") as database:
        inside = asyncio.Event()

        async def fails() -> None:
            async with database.transaction() as connection:
                await connection.execute(NOTE, ("lost", "1"))
                inside.set()
                await asyncio.sleep(0)
                raise ZeroDivisionError

        async def succeeds() -> None:
            await inside.wait()
            async with database.transaction() as connection:
                await connection.execute(NOTE, ("kept", "1"))

        outcomes = await asyncio.gather(fails(), succeeds(), return_exceptions=True)
        assert isinstance(outcomes[0], ZeroDivisionError)
        assert [row["key"] for row in await database.fetch_all("SELECT key FROM meta")] == ["kept"]


async def test_readers_never_see_half_done_work(tmp_path: Path) -> None:
    async with Database(tmp_path / "bot.sqlite3") as database:
        async with database.transaction() as connection:
            await connection.execute(NOTE, ("a", "1"))
            assert await database.fetch_all("SELECT * FROM meta") == []
        assert len(await database.fetch_all("SELECT * FROM meta")) == 1


async def test_a_slow_read_keeps_no_other_read_waiting(tmp_path: Path) -> None:
    async with Database(tmp_path / "bot.sqlite3") as database:
        release, busy = threading.Event(), threading.Event()

        def wait() -> int:
            busy.set()
            return int(release.wait(30))

        for reader in database._readers:
            await reader.create_function("wait", 0, wait)
        slow = asyncio.create_task(database.fetch_one("SELECT wait()"))
        try:
            await asyncio.to_thread(busy.wait, 30)
            quick = await database.fetch_one("SELECT 1")
            assert quick is not None
            assert not slow.done()
        finally:
            release.set()
        assert (await slow) is not None


@pytest.mark.parametrize("table", ["audit", "ledger"])
async def test_append_only_rows_can_t_be_replaced_or_deleted(tmp_path: Path, table: str) -> None:
    async with Database(tmp_path / "bot.sqlite3") as database:
        async with database.transaction() as connection:
            await audit.record(connection, GUILD, MODERATOR, AuditAction.QUOTA_SET, "server", {}, NOW)
            subject = QuotaSubject(QuotaKind.MEMBER, MEMBER)
            await ledger.grant(connection, GUILD, subject, 5, MODERATOR, NOW, reason="test")
        columns = [row["name"] for row in await database.fetch_all(f"PRAGMA table_info({table})")]
        values = ", ".join("guild_id + 1" if name == "guild_id" else name for name in columns)
        for statement in (f"REPLACE INTO {table} SELECT {values} FROM {table} LIMIT 1", f"DELETE FROM {table}"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                async with database.transaction() as connection:
                    await connection.execute(statement)


async def test_a_replace_is_refused_without_the_insert_trigger_too(tmp_path: Path) -> None:
    async with Database(tmp_path / "bot.sqlite3") as database, database.transaction() as connection:
        await connection.execute("DROP TRIGGER audit_is_never_replaced")
        await audit.record(connection, GUILD, MODERATOR, AuditAction.QUOTA_SET, "server", {}, NOW)
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            await connection.execute("REPLACE INTO audit SELECT * FROM audit")


async def test_an_emptied_log_is_said_to_be_and_one_that_a_reader_needs_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_file, "SCRUB_TRIES", 1)
    monkeypatch.setattr(database_file, "SCRUB_PAUSE_SECONDS", 0)
    path = tmp_path / "bot.sqlite3"
    log = tmp_path / "bot.sqlite3-wal"
    async with Database(path) as database:
        async with database.transaction() as connection:
            await connection.execute(NOTE, ("a", "1"))
        async with aiosqlite.connect(path, isolation_level=None) as reader:
            await reader.execute("BEGIN")
            await reader.execute_fetchall("SELECT * FROM meta")
            async with database.transaction() as connection:
                await connection.execute(NOTE, ("b", "2"))
            assert not await database.scrub()
            assert log.stat().st_size > 0
            await reader.execute("COMMIT")
        assert await database.scrub()
        assert log.stat().st_size == 0


async def test_a_failing_migration_leaves_version_and_schema_as_they_were(tmp_path: Path) -> None:
    schema = tmp_path / "schema"
    schema.mkdir()
    (schema / "0001_good.sql").write_text("CREATE TABLE good (id INTEGER) STRICT;")
    (schema / "0002_bad.sql").write_text("CREATE TABLE half (id INTEGER) STRICT; CREATE TABLE broken (;")
    connection = await aiosqlite.connect(tmp_path / "other.sqlite3", isolation_level=None)
    try:
        with pytest.raises(aiosqlite.OperationalError):
            await migrate(connection, schema)
        tables = [row[0] for row in await connection.execute_fetchall("SELECT name FROM sqlite_master")]
        version = next(iter(await connection.execute_fetchall("PRAGMA user_version")))[0]
    finally:
        await connection.close()
    assert tables == ["good"]
    assert version == 1


async def test_a_file_that_is_no_database_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(5000))
    with pytest.raises(DatabaseError, match=r"picture\.png can't be opened.*DATABASE"):
        async with Database(path):
            pass


async def test_a_database_of_a_newer_bot_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bot.sqlite3"
    async with Database(path) as database, database.transaction() as connection:
        await connection.execute("PRAGMA user_version = 9999")
    with pytest.raises(DatabaseError, match="newer version"):
        async with Database(path):
            pass
