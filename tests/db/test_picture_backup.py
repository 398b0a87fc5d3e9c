"""Backups with their pictures: whole, cheap where nothing changed, and back again without mixing two states."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from db import backup, ids, jobs, picture_backup, picture_folder, picture_sweep, pictures
from db.database import Database, DatabaseError
from db.picture_files import month_of
from tests.support.people import MEMBER, OTHER
from tests.support.requests import NOW
from tests.support.traces import PNG, in_files, paint

START = NOW + timedelta(days=300)
MONTH = f"{month_of(NOW)}.sqlite3"
LATER_PNG = b"\x89PNG painted after the backup" * 300


async def made(folder: Path) -> tuple[Path, Path, int]:
    """A database, its backup in another folder, and the id of the job in both."""
    path, copy = folder / "bot.sqlite3", folder / "backups" / "copy.sqlite3"
    async with Database(path) as database:
        job_id = await paint(database, MEMBER)
        async with database.pictures.undisturbed():
            backup.make_backup(path, copy)
    return path, copy, job_id


def names_in(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


async def shown(path: Path) -> dict[int, bytes | None]:
    """Job → its picture, after the sweeps of a start."""
    async with Database(path) as database:
        await picture_sweep.collect(database)
        await picture_sweep.sweep(database)
        rows = await database.fetch_all("SELECT id FROM jobs ORDER BY id")
        return {row["id"]: await pictures.fetch_picture(database, row["id"], 0) for row in rows}


async def test_a_restore_brings_erased_pictures_back_and_sets_later_ones_aside(tmp_path: Path) -> None:
    path, copy, kept = await made(tmp_path)
    async with Database(path) as database:
        later = await paint(database, OTHER, png=LATER_PNG)
        async with database.transaction() as connection:
            await jobs.erase_pictures(connection, kept)
        await picture_sweep.collect(database)
    done = backup.restore(path, copy, START)
    assert (done.jobs, done.months) == (1, 1)
    assert await shown(path) == {kept: PNG}
    assert done.set_aside is not None
    assert await shown(done.set_aside) == {kept: None, later: LATER_PNG}
    # And there again: what was set aside is a backup like any other.
    backup.restore(path, done.set_aside, START + timedelta(seconds=1))
    assert await shown(path) == {kept: None, later: LATER_PNG}


async def test_a_restore_to_a_new_machine_brings_the_pictures(tmp_path: Path) -> None:
    _path, copy, kept = await made(tmp_path)
    new = tmp_path / "new" / "bot.sqlite3"
    backup.restore(new, copy, START)
    assert await shown(new) == {kept: PNG}
    assert (new.parent / "pictures" / MONTH).exists()


async def test_a_copied_data_folder_is_a_backup_too(tmp_path: Path) -> None:
    path, _copy, kept = await made(tmp_path)
    old = shutil.copytree(tmp_path, tmp_path.with_suffix(".old"))
    async with Database(path) as database:
        await paint(database, OTHER)
    backup.restore(path, old / "bot.sqlite3", START)
    assert await shown(path) == {kept: PNG}


async def test_without_its_folder_a_backup_keeps_the_pictures_that_are_there(tmp_path: Path) -> None:
    path, copy, kept = await made(tmp_path)
    alone = Path(shutil.copy(copy, tmp_path / "alone.sqlite3"))
    assert backup.restore(path, alone, START).months is None
    assert await shown(path) == {kept: PNG}


async def test_a_damaged_database_gets_its_pictures_from_the_backup(tmp_path: Path) -> None:
    path, copy, kept = await made(tmp_path)
    path.write_bytes(b"no database at all" * 1000)
    (tmp_path / "pictures" / MONTH).write_bytes(b"no pictures at all" * 1000)
    backup.restore(path, copy, START)
    assert await shown(path) == {kept: PNG}


async def test_a_backup_with_damaged_pictures_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    path, copy, kept = await made(tmp_path)
    (copy.with_suffix(".pictures") / MONTH).write_bytes(b"no pictures at all" * 1000)
    with pytest.raises(DatabaseError):
        backup.restore(path, copy, START)
    assert names_in(tmp_path) == ["backups", "bot.sqlite3", "pictures"]
    assert await shown(path) == {kept: PNG}


@pytest.mark.parametrize("step", ["pictures aside", "pictures back"])
async def test_a_restore_that_stops_half_way_is_refused_until_it_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path, copy, kept = await made(tmp_path)
    original = Path.replace

    def stop(self: Path, target: Path) -> Path:
        if (step == "pictures aside" and self.name == "pictures.partial") or self.name == "bot.sqlite3.partial":
            raise KeyboardInterrupt
        return original(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            backup.restore(path, copy, START)
    with pytest.raises(DatabaseError, match="stopped half-way"):
        await shown(path)
    backup.restore(path, copy, START + timedelta(seconds=1))
    assert await shown(path) == {kept: PNG}


async def test_what_did_not_change_is_shared_with_the_backup_before(tmp_path: Path) -> None:
    path, copy, kept = await made(tmp_path)
    month, second = tmp_path / "pictures" / MONTH, copy.with_name("second.sqlite3")
    third, fourth = copy.with_name("third.sqlite3"), copy.with_name("fourth.sqlite3")
    os.utime(month, (1e9, 1e9))  # not written since long ago
    backup.make_backup(path, second)
    backup.make_backup(path, third)
    async with Database(path) as database:
        later = await paint(database, OTHER, png=LATER_PNG)
    backup.make_backup(path, fourth)
    files = [one.with_suffix(".pictures") / MONTH for one in (second, third, fourth)]
    assert files[0].samefile(files[1])
    assert not files[1].samefile(files[2])
    assert not files[1].samefile(month)
    assert await shown(fourth) == {kept: PNG, later: LATER_PNG}
    # A backup that is opened where it lies changes no other one.
    async with Database(third) as database:
        async with database.transaction() as connection:
            await jobs.erase_pictures(connection, kept)
        await picture_sweep.collect(database)
    assert await shown(second) == {kept: PNG}


async def test_a_backup_of_before_month_files_comes_back_without_the_files_of_now(tmp_path: Path) -> None:
    path, copy = tmp_path / "bot.sqlite3", tmp_path / "copy.sqlite3"
    async with Database(path) as database:
        kept = await paint(database, MEMBER, in_row=True)
    backup.make_backup(path, copy)
    async with Database(path) as database:
        later = await paint(database, OTHER, png=LATER_PNG)
    done = backup.restore(path, copy, START)
    assert await shown(path) == {kept: PNG}
    assert done.set_aside is not None
    assert await shown(done.set_aside) == {kept: PNG, later: LATER_PNG}


async def test_a_backup_without_room_for_its_pictures_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, copy, _kept = await made(tmp_path)
    target = copy.with_name("second.sqlite3")

    def refuse(*_: object) -> None:
        raise DatabaseError("There is no room")

    monkeypatch.setattr(picture_backup, "require_room", refuse)
    with pytest.raises(DatabaseError, match="no room"):
        backup.make_backup(path, target)
    assert names_in(copy.parent) == ["copy.pictures", "copy.sqlite3"]


async def test_a_restore_and_a_start_leave_a_persons_own_folder_of_that_name_alone(tmp_path: Path) -> None:
    """`pictures/` beside the database may hold somebody's holidays."""
    holidays = tmp_path / "pictures" / "beach.jpg"
    holidays.parent.mkdir()
    holidays.write_bytes(b"sand")
    async with Database(tmp_path / "bot.sqlite3") as database:
        job_id = await paint(database, MEMBER)
        assert database.pictures.folder != holidays.parent
    backup.make_backup(tmp_path / "bot.sqlite3", tmp_path / "saved.sqlite3")
    backup.restore(tmp_path / "bot.sqlite3", tmp_path / "saved.sqlite3", NOW)
    async with Database(tmp_path / "bot.sqlite3") as database:
        assert await pictures.fetch_picture(database, job_id, 0) is not None
    assert [*holidays.parent.iterdir()] == [holidays]


async def test_two_databases_whose_names_differ_in_their_ending_do_not_share_pictures(tmp_path: Path) -> None:
    async with Database(tmp_path / "bot.sqlite3") as first:
        await paint(first, MEMBER)
    async with Database(tmp_path / "bot.db") as second:
        job_id = await paint(second, MEMBER)
    async with Database(tmp_path / "bot.sqlite3") as first:
        await picture_sweep.sweep(first)
    async with Database(tmp_path / "bot.db") as second:
        assert await pictures.fetch_picture(second, job_id, 0) is not None


async def test_an_older_database_in_the_place_of_a_newer_one_deletes_no_picture_that_it_does_not_know(
    tmp_path: Path,
) -> None:
    """By --restore without the backup's folder, or by a copy in a file manager."""
    path, copy, kept = await made(tmp_path)
    async with Database(path) as database:
        later = await paint(database, OTHER, png=LATER_PNG)
    alone = Path(shutil.copy(copy, tmp_path / "alone.sqlite3"))
    newer = backup.restore(path, alone, START).set_aside
    assert newer is not None
    assert await shown(path) == {kept: PNG}
    async with Database(path) as database:
        # Ids are lifted at a start, and the mark stays all the same.
        async with database.transaction() as connection:
            await ids.lift(connection, START)
        assert "is older than the pictures" in (database.pictures.kept_because or "")
        again = await paint(database, OTHER, png=b"of the older one" * 99)
        async with database.transaction() as connection:
            await jobs.erase_pictures(connection, kept)
            await jobs.erase_pictures(connection, again)
        assert await picture_sweep.collect(database) == 2
    assert not in_files(path, PNG[:34])
    assert not in_files(path, b"of the older one")
    # The newer one again: it knows its own picture.
    backup.restore(path, newer, START + timedelta(seconds=1))
    assert await shown(path) == {kept: None, later: LATER_PNG}


@pytest.mark.parametrize("suffixes", [("",), ("", "-wal", "-shm")])
async def test_a_file_copied_back_by_hand_deletes_no_newer_picture(tmp_path: Path, suffixes: tuple[str, ...]) -> None:
    path, _copy, kept = await made(tmp_path)
    older = tmp_path / "older"
    older.mkdir()
    async with Database(path) as database:
        for suffix in suffixes:
            shutil.copy(tmp_path / f"bot.sqlite3{suffix}", older)
        later = await paint(database, OTHER, png=LATER_PNG)
    for suffix in suffixes:
        shutil.copy(older / f"bot.sqlite3{suffix}", tmp_path)
    assert await shown(path) == {kept: PNG}
    assert in_files(path, LATER_PNG[:28])
    # The owner decides that they are not needed; by then ids were lifted, as every start does.
    async with Database(path) as database, database.transaction() as connection:
        await ids.lift(connection, START)
    (tmp_path / "pictures" / picture_folder.OLDER_FILE).unlink()
    assert await shown(path) == {kept: PNG}
    assert not in_files(path, LATER_PNG[:28])
    assert later > kept


async def test_a_database_that_a_kill_left_sweeps_as_ever(tmp_path: Path) -> None:
    path, _copy, _kept = await made(tmp_path)
    async with Database(path) as database:
        row = await database.fetch_one("SELECT max(id) FROM jobs")
        assert row is not None
        await database.pictures.write(month_of(NOW), [LATER_PNG], int(row[0]))  # and no row: the process ended
    async with Database(path) as database:
        assert database.pictures.kept_because is None
        assert await picture_sweep.sweep(database) == 1
    assert not in_files(path, LATER_PNG[:28])


async def test_what_was_painted_while_a_backup_was_made_does_not_look_newer_after_the_restore(tmp_path: Path) -> None:
    path, copy, kept = await made(tmp_path)
    async with Database(path) as database:
        await paint(database, OTHER, png=LATER_PNG)
    shutil.copy(tmp_path / "pictures" / MONTH, copy.with_suffix(".pictures") / MONTH)
    backup.restore(path, copy, START)
    async with Database(path) as database:
        assert database.pictures.kept_because is None
        assert await picture_sweep.sweep(database) == 1
    assert await shown(path) == {kept: PNG}


async def test_a_copy_beside_its_database_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path, copy, kept = await made(tmp_path)
    twin = Path(shutil.copy(path, tmp_path / "test.sqlite3"))
    with pytest.raises(DatabaseError, match=r"test\.sqlite3 is a copy of bot\.sqlite3"):
        await shown(twin)
    with pytest.raises(DatabaseError, match=r"other\.sqlite3 is a copy of bot\.sqlite3"):
        backup.restore(tmp_path / "other.sqlite3", copy, START)
    assert await shown(path) == {kept: PNG}


async def test_a_database_that_was_renamed_keeps_its_pictures(tmp_path: Path) -> None:
    path, _copy, kept = await made(tmp_path)
    renamed = path.rename(tmp_path / "paint.sqlite3")
    assert await shown(renamed) == {kept: PNG}
    # A new one of the old name has nothing to do with it.
    async with Database(path) as database:
        job_id = await paint(database, OTHER, png=LATER_PNG)
    assert await shown(renamed) == {kept: PNG}
    assert await shown(path) == {job_id: LATER_PNG}


async def test_an_owner_that_a_power_cut_lost_leaves_the_pictures_to_their_database(tmp_path: Path) -> None:
    path, _copy, kept = await made(tmp_path)
    owner = tmp_path / "pictures" / picture_folder.OWNER_FILE
    name = owner.read_text(encoding="utf-8")
    owner.write_text("", encoding="utf-8")
    async with Database(tmp_path / "new.sqlite3") as database:
        await picture_sweep.sweep(database)
    assert await shown(path) == {kept: PNG}
    assert owner.read_text(encoding="utf-8") == name
