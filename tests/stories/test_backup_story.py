"""A backup from Discord to the way back: what was painted after it is unknown, and never somebody else's."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from db.database import DatabaseError
from engine.safety import SafetyChecker
from engine.sampling.model import LoadedModel
from tests.support.stage import Stage, make_stage, running_bot

ROOT = Path(__file__).parents[2]


def restore(stage: Stage, backup: str) -> subprocess.CompletedProcess[str]:
    """`python bot.py --restore FILE` in a process of its own."""
    env_file = stage.settings.database.with_name("test.env")
    env_file.write_text(f"DATABASE={stage.settings.database}\n")
    command = [sys.executable, "bot.py", "--env-file", str(env_file), "--restore", backup]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


async def backup_of(stage: Stage) -> str:
    """The path that `/owner backup` says."""
    said = stage.owner.answer(await stage.owner.slash(stage.paintings, "owner backup"))
    await stage.owner.until(lambda: "Backup written" in said.content)
    path = re.search(r"`([^`]+\.sqlite3)`", said.content)
    assert path is not None
    return path[1]


@pytest.mark.slow
async def test_a_restored_bot_never_shows_a_member_somebody_else_s_picture(
    tmp_path: Path, tiny_model: LoadedModel, checker: SafetyChecker
) -> None:
    async with make_stage(tmp_path, tiny_model, checker) as stage:
        await stage.agree(stage.ana, stage.ben)
        old = await stage.picture(stage.ana, prompt="1girl, before the backup")
        backup = await backup_of(stage)
        lost = await stage.picture(stage.ana, prompt="1girl, after the backup")
        refused = await asyncio.to_thread(restore, stage, backup)
        assert refused.returncode == 2
        assert "in use by another process" in refused.stderr
        world = stage.server.world
    done = await asyncio.to_thread(restore, stage, backup)
    assert done.returncode == 0, done.stderr
    assert "What was there before lies in" in done.stdout
    assert "Its pictures are back, too (month files: 1)." in done.stdout
    async with make_stage(tmp_path, tiny_model, checker, world) as stage:
        job = await stage.service.jobs.find_by_message(old.id)
        assert job is not None
        assert [one.png is not None for one in await stage.service.jobs.fetch_pictures(job.id)] == [True]
        await stage.picture(stage.ben, prompt="1boy, a secret of ben")
        answer = stage.ana.answer(await stage.ana.click(lost, "Again"))
        assert "not stored any more" in answer.content
        again = stage.ana.answer(await stage.ana.click(old, "Again"))
        assert "not stored" not in again.content


async def test_a_second_bot_on_the_database_is_refused(stage: Stage) -> None:
    with pytest.raises(DatabaseError, match="in use by another process"):
        async with running_bot(stage.server, stage.settings, stage.backend):
            pass
