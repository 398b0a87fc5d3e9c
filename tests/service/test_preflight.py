"""What `--check` finds out: damage in the database, room on the disk, the seconds of a picture."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import namedtuple
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from db import appeals
from db.database import Database
from db.integrity import find_damage
from db.opening import opened_alone
from domain import ModelUnavailable, PaintingFailed, Result, Task
from domain.cases import CaseKind
from domain.findings import Health
from engine.sampling.device import describe_device
from service import preflight
from service.preflight import LOW_DISK_BYTES, check_database, check_disk, check_model, estimate_seconds
from tests.support.requests import NOW, PROFILE


async def made(path: Path) -> Path:
    async with Database(path) as database, database.transaction() as connection:
        await connection.execute("CREATE TABLE filler (number INTEGER PRIMARY KEY, words TEXT)")
        await connection.executemany("INSERT INTO filler VALUES (?, ?)", [(n, "x" * 500) for n in range(2_000)])
        await connection.execute("CREATE INDEX filler_words ON filler (words)")
    return path


async def test_a_whole_database_is_fine(tmp_path: Path) -> None:
    path = await made(tmp_path / "a folder?" / "bot #1.sqlite3")
    found = {finding.name: finding for finding in await check_database(path, NOW)}
    assert set(found) == {"database", "integrity", "disk"}
    assert {finding.health for finding in found.values()} == {Health.OK}


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
async def test_zeroed_pages_are_found(tmp_path: Path, share: float) -> None:
    path = await made(tmp_path / "bot.sqlite3")
    data = bytearray(path.read_bytes())
    at = int(len(data) * share) // 4096 * 4096
    data[at : at + 8192] = bytes(8192)
    path.write_bytes(data)
    assert await asyncio.to_thread(find_damage, path)
    # Depending on the page, the file no longer opens or opens and is found damaged.
    (finding,) = [one for one in await check_database(path, NOW) if one.health is Health.FAIL]
    assert "damaged" in finding.words
    assert "backup" in finding.words


async def test_a_database_that_is_older_than_its_pictures_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "bot.sqlite3"
    async with Database(path) as database:
        database.pictures.release(await database.pictures.write("2026-01", [b"of another time"], job_id=12))
    found = {finding.name: finding for finding in await check_database(path, NOW)}
    assert found["pictures"].health is Health.WARN
    assert "older-database" in found["pictures"].words


async def test_a_check_before_the_first_start_leaves_the_ids_to_count_from_one(tmp_path: Path) -> None:
    path = tmp_path / "bot.sqlite3"
    await check_database(path, NOW)
    async with opened_alone(path, NOW) as database, database.transaction() as connection:
        assert (
            await appeals.open_case(
                connection, CaseKind.REPORT, guild_id=1, channel_id=1, user_id=1, opened_by=1, now=NOW
            )
            == 1
        )


async def test_a_reference_to_nothing_is_found(tmp_path: Path) -> None:
    path = await made(tmp_path / "bot.sqlite3")
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a INTEGER REFERENCES a (id));")
    connection.executescript("INSERT INTO b VALUES (7);")
    connection.close()
    assert find_damage(path) == ["row 1 of b names a row of a that is not there"]


def test_what_is_no_database_is_damage(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello " * 1000)
    assert find_damage(tmp_path / "text")
    assert find_damage(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(("free", "state"), [(LOW_DISK_BYTES - 1, Health.WARN), (LOW_DISK_BYTES, Health.OK)])
def test_little_room_is_a_warning(monkeypatch: pytest.MonkeyPatch, free: int, state: Health) -> None:
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda _place: Usage(0, 0, free))
    assert check_disk(Path("not/there/yet")).health is state


class TimedBackend:
    """A backend whose pictures take `fixed` seconds and `step` seconds a step of a clock of its own."""

    def __init__(self, fixed: float, step: float, error: Exception | None = None) -> None:
        self.profile = replace(PROFILE, num_inference_steps=20)
        self._fixed, self._step, self._error = fixed, step, error
        self.now = 0.0
        self.painted: list[int] = []

    def submit(self, task: Task, _on_progress: object) -> Future[Result]:
        steps = task.approved.request.num_inference_steps
        # What is done for the first time takes longer.
        self.now += self._fixed + self._step * steps + (0 if self.painted else 100)
        self.painted.append(steps)
        future: Future[Result] = Future()
        if self._error is None:
            request = task.approved.request
            future.set_result(Result(job_id=1, request=request, model=PROFILE.identity, pictures=(), seconds=0))
        else:
            future.set_exception(self._error)
        return future


@pytest.mark.parametrize(("fixed", "step", "expected"), [(2.0, 0.5, 12.0), (0.1, 0.0, 0.1), (5.0, 10.0, 205.0)])
def test_a_pictures_seconds_are_told_from_short_runs(fixed: float, step: float, expected: float) -> None:
    backend: Any = TimedBackend(fixed, step)
    assert estimate_seconds(backend, lambda: backend.now) == pytest.approx(expected)
    assert sum(backend.painted) <= 5


def test_a_trial_that_fails_is_a_finding() -> None:
    backend: Any = TimedBackend(1, 1, PaintingFailed("The device is gone."))
    speed = check_model(backend)[-1]
    assert (speed.name, speed.health) == ("speed", Health.FAIL)
    assert "The device is gone." in speed.words


def test_the_device_is_named_with_the_reason() -> None:
    assert "because DEVICE=cpu" in describe_device("cpu")
    automatic = describe_device("auto")
    assert "DEVICE=auto" in automatic
    if automatic.startswith("cpu"):
        with pytest.raises(ModelUnavailable, match="no CUDA device"):
            describe_device("cuda")
