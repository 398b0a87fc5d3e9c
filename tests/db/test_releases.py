"""A database of each released schema comes to the newest one with everything that was in it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from db import auto_vacuum, jobs, pictures
from db.codec import encode_request
from db.database import SCHEMA, Database
from tests.support.people import CHANNEL, GUILD, MEMBER
from tests.support.requests import NOW, REQUEST

SCRIPTS = sorted(SCHEMA.glob("*.sql"))
PNG = b"\x89PNG of an older bot" * 1000


def make_released(path: Path, version: int) -> None:
    """A file as the bot of that schema left it: no auto_vacuum, and one delivered job with its picture."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for script in SCRIPTS[:version]:
            connection.executescript(script.read_text(encoding="utf-8"))
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute(
            """INSERT INTO jobs (user_id, guild_id, channel_id, request, images, created_at, finished_at, delivered_at,
                                 status) VALUES (?, ?, ?, ?, 1, ?, ?, ?, 'delivered')""",
            (MEMBER, GUILD, CHANNEL, encode_request(REQUEST), *[NOW.timestamp()] * 3),
        )
        connection.execute(
            """INSERT INTO pictures (job_id, position, seed, width, height, png, verdict, scores)
               VALUES (1, 0, 7, 64, 64, ?, 'safe', '{}')""",
            (PNG,),
        )
        if version >= 3:
            connection.execute("INSERT INTO erasures (user_id, asked_at) VALUES (5, 6)")
        if version >= 6:
            connection.execute("UPDATE erasures SET erased_at = 6")


async def schema_of(database: Database) -> list[tuple[str, str]]:
    """Every table with its columns, index and trigger."""
    rows = await database.fetch_all("SELECT name, type FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name")
    found = [(row["name"], row["type"]) for row in rows]
    for name in [name for name, kind in found if kind == "table"]:
        columns = await database.fetch_all(f"PRAGMA table_info({name})")
        found += [(f"{name}.{column['name']}", column["type"]) for column in columns]
    return found


@pytest.mark.parametrize("version", range(1, len(SCRIPTS)))
async def test_a_database_of_a_released_schema_comes_to_the_newest(tmp_path: Path, version: int) -> None:
    make_released(tmp_path / "old.sqlite3", version)
    async with Database(tmp_path / "old.sqlite3") as old, Database(tmp_path / "new.sqlite3") as new:
        assert await old.fetch_schema_version() == len(SCRIPTS)
        assert await schema_of(old) == await schema_of(new)
        job = await jobs.fetch(old, 1)
        assert job is not None
        assert job.request == REQUEST
        assert await pictures.fetch_picture(old, 1, 0) == PNG
        if version >= 3:
            row = await old.fetch_one("SELECT asked_at, erased_at FROM erasures")
            assert row is not None
            assert tuple(row) == (6.0, 6.0)  # an older bot's erasures were whole


async def test_an_older_file_gives_space_back_from_its_next_start_on(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite3"
    make_released(path, 4)
    async with Database(path) as database:
        row = await database.fetch_one("PRAGMA auto_vacuum")
        assert row is not None
        assert row[0] == auto_vacuum.INCREMENTAL
        assert await pictures.fetch_picture(database, 1, 0) == PNG


async def test_without_room_an_older_file_stays_as_it_is_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "old.sqlite3"
    make_released(path, 4)
    monkeypatch.setattr(auto_vacuum, "ROOM", 1e12)
    async with Database(path) as database:
        row = await database.fetch_one("PRAGMA auto_vacuum")
        assert row is not None
        assert row[0] == 0
        assert await jobs.fetch(database, 1) is not None
    assert "can't give erased space back yet" in caplog.text
