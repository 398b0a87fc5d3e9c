"""Pictures in files by month: before the row, gone after it, and never gone before it, wherever the process ends."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from db import erasure, jobs, picture_files, picture_sweep, pictures, privacy, retention, space
from db.codec import encode_request
from db.database import Database
from db.picture_files import BlobPlace, month_of
from db.problems import DatabaseError
from tests.support.people import CHANNEL, GUILD, MEMBER, OTHER
from tests.support.requests import NOW
from tests.support.traces import PNG, REQUEST, in_files, paint

ROOT = Path(__file__).parents[2]
MONTH = month_of(NOW)
KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from db.database import Database
from db.picture_files import PictureFiles
from tests.support.people import MEMBER
from tests.support.traces import paint
from db import picture_sweep

original, left = PictureFiles.write, int(sys.argv[3])

async def write(self, month, pngs, job_id):
    global left
    places = await original(self, month, pngs, job_id)
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)  # the blob is committed, its row is not
    return places

async def main():
    PictureFiles.write = write
    async with Database(Path(sys.argv[1])) as database:
        if sys.argv[2] == "paint":
            await paint(database, MEMBER)
        while await picture_sweep.move_some(database):
            pass

asyncio.run(main())
"""


def killed(path: Path, deed: str, at_write: int) -> None:
    """A process that is killed when it has written so many blobs, before the row of the last."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), deed, str(at_write)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL


def blobs_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM blobs").fetchone()[0]


async def erase(database: Database, job_id: int) -> None:
    async with database.transaction() as connection:
        await jobs.erase_pictures(connection, job_id)


async def test_a_picture_is_in_its_month_s_file_and_not_in_the_main_file(database: Database) -> None:
    job_id = await paint(database, MEMBER)
    assert [one.png for one in await jobs.fetch_pictures(database, job_id)] == [PNG]
    assert await privacy.list_pictures(database, MEMBER) == [(job_id, 0, len(PNG))]
    await database.close()
    assert blobs_in(database.pictures.path_of(MONTH)) == 1
    assert PNG[:64] not in database.path.read_bytes()


async def test_an_erased_picture_is_in_no_byte_of_any_file_and_others_stay(database: Database) -> None:
    kept_png = b"\x89PNG somebody else's" * 500
    kept = await paint(database, OTHER, png=kept_png)
    job_id = await paint(database, MEMBER)
    await erase(database, job_id)
    assert await picture_sweep.collect(database) == 1
    assert not in_files(database, PNG[:34])
    assert await pictures.fetch_picture(database, job_id, 0) is None
    assert await pictures.fetch_picture(database, kept, 0) == kept_png
    assert await picture_sweep.collect(database) == 0


async def test_a_member_s_erasure_leaves_no_byte_in_a_file(database: Database) -> None:
    await paint(database, OTHER, png=b"another" * 500)
    await paint(database, MEMBER)
    async with database.transaction() as connection:
        await erasure.note_erasure(connection, MEMBER, NOW)
    await erasure.erase_member(database, MEMBER, NOW)
    await space.give_back(database)
    assert not in_files(database, PNG[:34])


async def test_a_month_goes_as_a_whole_when_its_last_row_does(database: Database) -> None:
    await paint(database, MEMBER)
    await paint(database, OTHER)
    path = database.pictures.path_of(MONTH)
    later = await database.pictures.write("2099-01", [b"of another month"])
    assert path.exists()
    await retention.forget_old(database, NOW + timedelta(days=366))
    await space.give_back(database)
    assert [one for one in database.pictures.folder.iterdir() if one.name.startswith(MONTH)] == []
    assert await database.pictures.read(later) == {later[0]: b"of another month"}
    row = await database.fetch_one("SELECT count(*) FROM erased_blobs")
    assert row is not None
    assert row[0] == 0


async def test_a_blob_that_waits_for_its_row_is_neither_swept_nor_dropped(database: Database) -> None:
    async with picture_sweep.written(database, MONTH, [PNG]) as (place,):
        database.pictures.unswept.add(MONTH)
        assert await picture_sweep.sweep(database) == 0
        assert await database.pictures.read([place]) == {place: PNG}
    # Its row never came.
    assert await database.pictures.read([place]) == {}


async def test_a_blob_whose_commit_was_reported_as_failed_stays_with_its_row(database: Database) -> None:
    job_id = await paint(database, MEMBER)
    row = await database.fetch_one("SELECT month, blob_key FROM pictures")
    assert row is not None
    place = BlobPlace(row["month"], row["blob_key"])

    async def write() -> None:
        async with picture_sweep.written(database, MONTH, [b"again"]) as (second,):
            async with database.transaction() as connection:
                await connection.execute("UPDATE pictures SET blob_key = ?", (second.key,))
            raise sqlite3.OperationalError("disk I/O error")

    with pytest.raises(sqlite3.OperationalError):
        await write()
    assert await pictures.fetch_picture(database, job_id, 0) == b"again"
    await picture_sweep.collect(database)
    assert await database.pictures.read([place]) == {}


async def test_a_kill_between_blob_and_row_leaves_the_job_open_and_the_blob_is_swept(tmp_path: Path) -> None:
    path = tmp_path / "bot.sqlite3"
    async with Database(path) as database, database.transaction() as connection:
        await connection.execute(
            """INSERT INTO jobs (user_id, guild_id, channel_id, request, images, created_at, status)
               VALUES (?, ?, ?, ?, 1, ?, 'running')""",
            (MEMBER, GUILD, CHANNEL, encode_request(REQUEST), NOW.timestamp()),
        )
    killed(path, "paint", 1)
    async with Database(path) as database:
        assert in_files(database, PNG[:34])
        assert [job.id for job in await jobs.fetch_open(database)] == [1, 2]  # it is painted again
        await picture_sweep.sweep(database)
        assert not in_files(database, PNG[:34])
        await paint(database, OTHER)
        database.pictures.unswept.add(MONTH)
        assert await picture_sweep.sweep(database) == 0


async def test_a_move_that_is_killed_half_way_goes_on_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bot.sqlite3"
    async with Database(path) as database:
        ids = [await paint(database, MEMBER, png=PNG + bytes([number]), in_row=True) for number in range(6)]
    killed(path, "move", 3)
    async with Database(path) as database:
        moved = await database.fetch_all("SELECT job_id FROM pictures WHERE month IS NOT NULL ORDER BY job_id")
        assert [row["job_id"] for row in moved] == ids[:2]

        async def read() -> list[bytes | None]:
            return [await pictures.fetch_picture(database, job_id, 0) for job_id in ids]

        everything = [PNG + bytes([number]) for number in range(6)]
        assert await read() == everything  # from either place
        assert await picture_sweep.sweep(database) == 1
        while await picture_sweep.move_some(database):
            assert await read() == everything
        await space.give_back(database)
        assert PNG[:34] not in path.read_bytes()
    assert blobs_in(database.pictures.path_of(MONTH)) == 6


async def test_a_picture_that_is_erased_while_it_moves_is_gone(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await paint(database, MEMBER, in_row=True)
    original = picture_files.PictureFiles.write

    async def erase_first(
        self: picture_files.PictureFiles, month: str, pngs: list[bytes], owner_id: int
    ) -> list[BlobPlace]:
        places = await original(self, month, pngs, owner_id)
        await erase(database, job_id)
        return places

    monkeypatch.setattr(picture_files.PictureFiles, "write", erase_first)
    await picture_sweep.move_some(database)
    await space.give_back(database)
    assert not in_files(database, PNG[:34])


async def test_few_files_are_open_at_once(database: Database) -> None:
    months = [f"2026-{number:02}" for number in range(1, 9)]
    places = [(await database.pictures.write(month, [month.encode()]))[0] for month in months]
    assert len(database.pictures._open) <= picture_files.MAX_OPEN
    assert await database.pictures.read(places) == {place: place.month.encode() for place in places}
    assert len(database.pictures._open) <= picture_files.MAX_OPEN


async def test_closing_leaves_no_month_s_file_open(tmp_path: Path) -> None:
    async with Database(tmp_path / "bot.sqlite3") as database:
        await database.pictures.write(MONTH, [PNG])
        logs = list(database.pictures.folder.glob("*-wal"))
        assert logs
    # The last connection takes its write-ahead log away.
    assert [log for log in logs if log.exists()] == []


async def test_a_full_month_file_says_so_and_keeps_nothing_of_what_failed(database: Database) -> None:
    await paint(database, OTHER, png=b"before" * 100)
    await database.pictures._open[MONTH].execute("PRAGMA max_page_count = 4")
    with pytest.raises(DatabaseError, match=rf"{MONTH}.sqlite3 can't be written, because its disk is full"):
        await database.pictures.write(MONTH, [PNG])
    (place,) = await database.pictures.write(MONTH, [PNG])  # with space again
    database.pictures.release([place])
    assert await picture_sweep.sweep(database) == 1


async def test_a_month_that_can_t_be_deleted_from_keeps_no_other_month_from_it(database: Database) -> None:
    await paint(database, MEMBER)
    await paint(database, MEMBER, png=b"another" * 900)
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO erased_blobs VALUES ('2001-01', 1)")
        await jobs.erase_pictures(connection, 1)
    database.pictures.path_of("2001-01").mkdir()
    with pytest.raises(DatabaseError, match="2001-01"):
        await picture_sweep.collect(database)
    database.pictures.path_of("2001-01").rmdir()
    assert not in_files(database, PNG[:34])
    rows = await database.fetch_all("SELECT month FROM erased_blobs")
    assert [row["month"] for row in rows] == ["2001-01"]
    await picture_sweep.collect(database)


async def test_two_databases_in_one_folder_have_a_folder_each(tmp_path: Path) -> None:
    async with Database(tmp_path / "one.sqlite3") as one, Database(tmp_path / "two.sqlite3") as two:
        first, second = await paint(one, MEMBER), await paint(two, MEMBER, png=b"of the second" * 99)
    assert one.pictures.folder == tmp_path / "pictures"
    assert two.pictures.folder == tmp_path / "two.pictures"
    async with Database(tmp_path / "one.sqlite3") as one, Database(tmp_path / "two.sqlite3") as two:
        assert await picture_sweep.sweep(one) == await picture_sweep.sweep(two) == 0
        assert await pictures.fetch_picture(one, first, 0) == PNG
        assert await pictures.fetch_picture(two, second, 0) == b"of the second" * 99


async def test_a_file_that_somebody_removed_is_said_and_breaks_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Database(tmp_path / "bot.sqlite3") as database:
        job_id = await paint(database, MEMBER)
    database.pictures.path_of(MONTH).unlink()
    async with Database(tmp_path / "bot.sqlite3") as database:
        assert [one.png for one in await jobs.fetch_pictures(database, job_id)] == [None]
    assert "missing" in caplog.text
