"""Backups are one moment's state, come back whole, and give no id out twice."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from db import backup, jobs, pictures
from db.database import Database, DatabaseError
from db.ids import EPOCH, IDS_PER_SECOND
from db.opening import opened_alone
from db.picture_files import month_of
from tests.support.people import MEMBER, OTHER
from tests.support.requests import NOW
from tests.support.traces import PNG, live, paint

START = NOW + timedelta(days=300)


async def paint_once(path: Path, user_id: int, now: datetime = START) -> int:
    """One run of the bot in which one picture is painted; its job's id."""
    async with opened_alone(path, now) as database:
        return await paint(database, user_id)


def files_of(folder: Path) -> dict[str, bytes]:
    """The database's files in a folder, those of its pictures included."""
    files = [file for file in folder.iterdir() if file.name.startswith("bot")] + [*(folder / "pictures").iterdir()]
    return {file.name: file.read_bytes() for file in files}


async def job_ids(path: Path) -> list[int]:
    async with Database(path) as database:
        return [row["id"] for row in await database.fetch_all("SELECT id FROM jobs ORDER BY id")]


async def backed_up(folder: Path) -> tuple[Path, Path, int]:
    """A database, its backup, and the id of the job in both."""
    path, copy = folder / "bot.sqlite3", folder / "copy.sqlite3"
    kept = await paint_once(path, MEMBER)
    backup.make_backup(path, copy)
    return path, copy, kept


async def test_a_backup_of_a_running_database_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "backups" / "copy.sqlite3"
    async with Database(tmp_path / "bot.sqlite3") as database:
        await live(database, MEMBER)
        async with database.transaction() as connection:
            await connection.execute("UPDATE jobs SET seconds = 99")
            size = backup.make_backup(database.path, target)
    month = target.parent / "copy.pictures" / f"{month_of(NOW)}.sqlite3"
    assert size == target.stat().st_size + month.stat().st_size
    assert sorted(path.name for path in target.parent.iterdir()) == ["copy.pictures", "copy.sqlite3"]
    async with Database(target) as copy:
        assert await pictures.fetch_picture(copy, 1, 0) == PNG
        job = await jobs.fetch(copy, 1)
        assert job is not None
        assert job.seconds == 1.0  # what was not committed is not in it


async def test_a_restore_brings_the_backup_s_state_and_sets_aside_what_was_there(tmp_path: Path) -> None:
    path, copy, kept = await backed_up(tmp_path)
    lost = await paint_once(path, OTHER)
    done = backup.restore(path, copy, START)
    assert done.jobs == 1
    assert await job_ids(path) == [kept]
    assert done.set_aside is not None
    assert await job_ids(done.set_aside) == [kept, lost]


async def test_a_log_that_lies_there_still_does_not_undo_the_restore(tmp_path: Path) -> None:
    path, copy, kept = await backed_up(tmp_path)
    async with Database(path) as database:
        lost = await paint(database, OTHER)
        stopped = shutil.copytree(tmp_path, tmp_path.with_suffix(".stopped"))  # as a power cut leaves the files
    assert (stopped / "bot.sqlite3-wal").stat().st_size > 0
    done = backup.restore(stopped / "bot.sqlite3", copy, START)
    assert not (stopped / "bot.sqlite3-wal").exists()
    assert await job_ids(stopped / "bot.sqlite3") == [kept]
    assert done.set_aside is not None
    assert await job_ids(done.set_aside) == [kept, lost]


async def test_a_damaged_database_is_set_aside_as_it_is(tmp_path: Path) -> None:
    path, copy, kept = await backed_up(tmp_path)
    log = path.with_name(path.name + "-wal")
    path.write_bytes(b"no database at all" * 1000)
    log.write_bytes(b"its log")
    done = backup.restore(path, copy, START)
    assert not log.exists()
    assert await job_ids(path) == [kept]
    assert done.set_aside is not None
    assert done.set_aside.with_name(done.set_aside.name + "-wal").read_bytes() == b"its log"
    assert done.set_aside.read_bytes() == b"no database at all" * 1000


async def test_a_restore_to_a_new_machine_needs_no_database_there(tmp_path: Path) -> None:
    _path, copy, kept = await backed_up(tmp_path)
    done = backup.restore(tmp_path / "new" / "bot.sqlite3", copy, START)
    assert done.set_aside is None
    assert await job_ids(tmp_path / "new" / "bot.sqlite3") == [kept]


async def test_what_can_t_be_restored_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    path, copy, kept = await backed_up(tmp_path)
    (tmp_path / "cut.sqlite3").write_bytes(copy.read_bytes()[:8192])
    (tmp_path / "text.sqlite3").write_text("hello" * 500)
    with closing(sqlite3.connect(tmp_path / "empty.sqlite3")) as connection:
        connection.execute("CREATE TABLE another (id INTEGER)")
    newer = shutil.copy(copy, tmp_path / "newer.sqlite3")
    with closing(sqlite3.connect(newer)) as connection:
        connection.execute("PRAGMA user_version = 999")
    refusals = {
        "cut.sqlite3": "can't be restored",
        "text.sqlite3": "no whole database",
        "empty.sqlite3": "schema is 0",
        "newer.sqlite3": "schema is 999",
        "missing.sqlite3": "There is no file",
        "bot.sqlite3": "the database itself",
    }
    before = files_of(tmp_path)
    for name, words in refusals.items():
        with pytest.raises(DatabaseError, match=words):
            backup.restore(path, tmp_path / name, START)
    assert files_of(tmp_path) == before
    assert await job_ids(path) == [kept]


async def test_a_backup_without_room_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bot.sqlite3"
    await paint_once(path, MEMBER)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 10))  # type: ignore[attr-defined]
    with pytest.raises(DatabaseError, match="no room"):
        backup.make_backup(path, tmp_path / "backups" / "copy.sqlite3")
    assert list((tmp_path / "backups").iterdir()) == []


# ---- ids -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["restored", "copied by hand", "deleted", "cut off"])
async def test_ids_of_after_a_backup_are_never_given_out_again(tmp_path: Path, lost: str) -> None:
    path, copy = tmp_path / "bot.sqlite3", tmp_path / "copy.sqlite3"
    await paint_once(path, MEMBER, START)
    backup.make_backup(path, copy)
    async with opened_alone(path, START + timedelta(seconds=10)) as database:
        given = [await paint(database, MEMBER) for _ in range(3)]
        stopped = shutil.copytree(tmp_path, tmp_path.with_suffix(".stopped"))  # as a power cut leaves the files
    if lost == "restored":
        backup.restore(path, copy, START + timedelta(seconds=20))
    elif lost == "copied by hand":
        shutil.copy(copy, path)
    elif lost == "deleted":
        path.unlink()
    else:
        path = stopped / "bot.sqlite3"
        (stopped / "bot.sqlite3-wal").unlink()
    new = await paint_once(path, OTHER, START + timedelta(seconds=20))
    assert new > max(given)
    async with Database(path) as database:
        assert [await jobs.fetch(database, job_id) for job_id in given] == [None] * 3


async def test_a_backup_copied_to_a_new_machine_by_hand_gives_out_new_ids(tmp_path: Path) -> None:
    path, copy = tmp_path / "bot.sqlite3", tmp_path / "new" / "bot.sqlite3"
    await paint_once(path, MEMBER)
    backup.make_backup(path, copy)
    lost = await paint_once(path, MEMBER)
    assert await paint_once(copy, OTHER, START + timedelta(days=1)) > lost


async def test_ids_count_on_from_one_start_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "bot.sqlite3"
    assert [await paint_once(path, MEMBER, START + timedelta(days=day)) for day in range(3)] == [1, 2, 3]


async def test_ids_grow_with_the_time_and_never_shrink(tmp_path: Path) -> None:
    path = tmp_path / "bot.sqlite3"
    await paint_once(path, MEMBER)
    crashed(path)
    first = await paint_once(path, MEMBER, START)
    assert first == int((START - EPOCH).total_seconds()) * IDS_PER_SECOND + 1
    crashed(path)
    assert await paint_once(path, MEMBER, START - timedelta(days=200)) == first + 1  # the clock went back


def crashed(path: Path) -> None:
    """No orderly end wrote down the last ids."""
    path.with_name(path.name + ".ids").unlink()


async def test_every_table_with_ids_is_lifted(tmp_path: Path) -> None:
    path = tmp_path / "bot.sqlite3"
    await paint_once(path, MEMBER)
    crashed(path)
    async with opened_alone(path, START) as database:
        rows = await database.fetch_all("SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'")
        lifted = await database.fetch_all("SELECT name FROM sqlite_sequence WHERE seq > 1000")
    assert {row["name"] for row in rows} == {row["name"] for row in lifted} >= {"jobs", "cases", "decisions", "audit"}
