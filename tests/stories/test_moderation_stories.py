"""Longer stories of moderators and the owner: strikes climbed, a restart, a kill in the middle, a drained queue."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from db.database import Database
from domain import JobStatus
from engine.safety import FixedScores
from engine.worker.local_backend import LocalBackend
from tests.support.cards import everything_in, text_of, told
from tests.support.refusals import LICENSED
from tests.support.stage import Stage, running_bot


async def test_repeated_refusals_climb_the_ladder_that_moderators_see_and_lift(stage: Stage) -> None:
    await stage.agree(stage.ana, stage.mira)
    heard = [await told(stage, "ana", "imagine", prompt=f"{LICENSED}, number {number}") for number in range(6)]
    assert "strike" not in heard[0] + heard[1]
    assert "This counts as strike 1. Nothing else happens yet" in heard[2]
    assert "strike 2" in heard[3]
    assert "one picture at a time" in heard[3]
    assert "strike 3. You can ask again" in heard[4]
    assert "After 3 refused prompts" in heard[5]
    seen = [everything_in(one) for channel in stage.server.world.channels.values() for one in stage.ben.sees(channel)]
    assert "passport" not in "".join(seen)  # ana alone reads her words again
    own = await told(stage, "ana", "strikes")
    assert "3 live strikes" in own
    assert "A pause" in own
    assert "server's moderators" in await told(stage, "ben", "strikes", member=stage.ana.id)

    for number in range(4):  # a moderator may try the filter as often as they like
        assert "strike" not in await told(stage, "mira", "imagine", prompt=f"{LICENSED}, {number}")
    replayed = await told(stage, "mira", "strike dry-run")
    assert "5 refused prompts by 1 member; 1 member would have had strikes" in replayed
    gentler = await told(stage, "mira", "strike dry-run", free_refusals=50)
    assert "0 members would have had strikes" in gentler
    assert "7 refused prompts a day" in await told(stage, "mira", "strike ladder", free_refusals=7)
    assert "3 live strikes" in await told(stage, "mira", "strikes", member=stage.ana.id)

    assert "3 strikes of" in await told(stage, "mira", "strike lift", member=stage.ana.id, reason="a class on crime")
    assert "no live strikes" in await told(stage, "mira", "strike lift", member=stage.ana.id, reason="again")
    assert "0 live strikes" in await told(stage, "ana", "strikes")
    await stage.picture(stage.ana, steps=4)
    log = await told(stage, "mira", "audit", member=stage.ana.id)
    assert log.count("strike.add") == 3
    assert "a class on crime" in log


async def test_the_last_rung_tells_the_moderators_once_in_their_review_channel(stage: Stage) -> None:
    await stage.agree(stage.ana)
    review = stage.channel("mod-review")
    await stage.change_settings(review_channel_id=review.id, strike_tell_at=2)
    for number in range(4):
        await told(stage, "ana", "imagine", prompt=f"{LICENSED}, number {number}")
    for _ in range(2):
        await stage.bot.background.run_all()
    (news,) = [one for one in stage.mira.sees(review) if "live strikes" in one.content]
    assert f"<@{stage.ana.id}> has 2 live strikes" in news.content
    assert news.mentions == []
    assert "passport" not in news.content


async def test_settings_quotas_and_a_pause_outlive_a_restart_and_old_buttons_still_work(stage: Stage) -> None:
    await stage.agree(stage.ana)
    panel = stage.mira.answer(await stage.mira.slash(stage.paintings, "settings panel"))
    await told(stage, "mira", "quota set", member=stage.ana.id, per_hour=3.0)
    owner = stage.owner
    await owner.slash(stage.paintings, "owner pause")
    waiting = stage.ana.answer(await stage.ana.slash(stage.paintings, "imagine", prompt="1girl", steps=4))
    before = await told(stage, "ana", "quota me")
    await stage.running.aclose()
    backend = LocalBackend(stage.backend._model, FixedScores())  # pyright: ignore[reportPrivateUsage]
    async with running_bot(stage.server, stage.settings, backend) as bot:
        after = replace(stage, bot=bot, backend=backend)
        assert after.service.queue.report().paused
        form = await after.mira.click(panel, "Painting")
        await after.mira.submit(form, max_images="1")
        assert "at most 1" in text_of(panel)
        assert await told(after, "ana", "quota me") == before
        await owner.slash(after.paintings, "owner resume")
        await after.ana.until(lambda: bool(waiting.attachments))


async def test_the_owner_drains_is_told_and_announces(stage: Stage) -> None:
    await stage.agree(stage.ana)
    owner = stage.owner
    stage.backend.pause()
    waiting = stage.ana.answer(await stage.ana.slash(stage.paintings, "imagine", prompt="1girl", steps=4))
    drained = owner.answer(await owner.slash(stage.paintings, "owner drain"))
    assert "1 picture in work" in drained.content
    await stage.ana.until(lambda: bool(waiting.attachments))
    await stage.until_status(1, JobStatus.DELIVERED)
    await stage.bot.background.run_all()
    assert any("The queue is empty" in one.content for one in owner.sees(owner.dm()))
    said = owner.answer(await owner.slash(stage.paintings, "owner announce", text="Back at eight."))
    await owner.until(lambda: "Said in 1 of 1 server" in said.content)
    assert any("Back at eight." in text_of(one) for one in stage.ana.sees(stage.paintings))


SPENDER = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
sys.path.insert(0, ".")
from tests.support.requests import ORIGIN, REQUEST
from db import jobs
from db.database import Database
from domain import JobStatus, Outcome, OutcomeCode
from domain.quotas import QuotaDefaults

async def main():
    defaults = QuotaDefaults(per_hour=10**9, per_day=10**9, max_jobs=10**6)
    async with Database(Path(sys.argv[1])) as database:
        number = 0
        while True:
            number += 1
            now = datetime.now(UTC)
            async with database.transaction() as connection:
                job_id = await jobs.enqueue(
                    connection, REQUEST, ORIGIN, now, cost=1000, defaults=defaults, max_queue=10**6
                )
            if number % 2:
                async with database.transaction() as connection:
                    await jobs.end(connection, job_id, JobStatus.FAILED, Outcome(OutcomeCode.FAILED), now)
            print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_a_kill_in_the_middle_never_parts_a_job_from_its_ledger_rows(tmp_path: Path) -> None:
    path = tmp_path / "bot.sqlite3"
    for stop_after in (7, 30, 61):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SPENDER, str(path), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        assert process.stdout is not None
        while int(await process.stdout.readline()) < stop_after:
            continue
        process.kill()
        await process.wait()
        async with Database(path) as database:
            wrong = await database.fetch_all(
                """SELECT jobs.id FROM jobs LEFT JOIN ledger ON ledger.job_id = jobs.id GROUP BY jobs.id
                   HAVING coalesce(sum(amount), 0) <> CASE status WHEN 'failed' THEN 0 ELSE -cost END"""
            )
            strays = await database.fetch_all("SELECT id FROM ledger WHERE job_id NOT IN (SELECT id FROM jobs)")
        assert wrong == []
        assert strays == []
