"""Whatever is pressed under finished pictures, in any order, while the process dies: the messages tell the truth."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from scripts.misfortune.truth import untruths
from scripts.misfortune.workshop import DATABASE, Workshop, opened
from tests.support.kills import until


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_messages_tell_the_truth_after_random_presses_and_kills(tmp_path: Path, tiny_model_dir: Path) -> None:
    async with opened(3000, tiny_model_dir, tmp_path) as workshop:
        assert await workshop.walk(6) == []
        assert await workshop.walk(6) == []


LIES = {
    "seed": "UPDATE pictures SET seed = seed + 1",
    "size": "UPDATE pictures SET width = width + 8",
    "price": "UPDATE jobs SET cost = cost + 1000",
    "parent": "UPDATE jobs SET parent_id = id",
    "steps": "UPDATE jobs SET request = json_set(request, '$.num_inference_steps', 77)",
    "upscale": "UPDATE jobs SET request = json_set(request, '$.upscale', 1.5)",
    "deleted picture": "UPDATE pictures SET month = NULL, blob_key = NULL WHERE position = 0",
    "deleted job": "UPDATE pictures SET month = NULL, blob_key = NULL",
}


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_each_kind_of_untruth_is_seen(tmp_path: Path, tiny_model_dir: Path) -> None:
    async with opened(1, tiny_model_dir, tmp_path) as workshop:
        await workshop.people[0].slash(workshop.channel, "imagine", prompt="tree", steps=4, images=3)
        await workshop.rest()
        workshop.bot.kill()
        await until(lambda: not workshop.bot.is_alive)
        assert untruths(workshop.server, workshop.database) == []
        unseen = [name for name, lie in LIES.items() if not _told(workshop, lie)]
        assert unseen == []


def _told(workshop: Workshop, lie: str) -> list[str]:
    """What is found when a copy of the database says something else than the message."""
    copy = workshop.database.parent / "lie" / DATABASE
    copy.parent.mkdir(exist_ok=True)
    copy.unlink(missing_ok=True)
    with closing(sqlite3.connect(workshop.database)) as real, closing(sqlite3.connect(copy)) as false:
        real.backup(false)
        false.execute(lie)
        false.commit()
    return untruths(workshop.server, copy)
