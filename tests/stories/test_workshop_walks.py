"""Whatever is pressed under finished pictures, in any order, while the process dies: the messages tell the truth."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sandbox.world.layout import walk
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
    "mark": "INSERT INTO kept_pictures (user_id, job_id, position, kept_at) VALUES (1, 1, 3, 0)",
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


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_button_that_means_other_pictures_than_its_message_says_is_seen(
    tmp_path: Path, tiny_model_dir: Path
) -> None:
    async with opened(2, tiny_model_dir, tmp_path) as workshop:
        await workshop.people[0].slash(workshop.channel, "imagine", prompt="tree", steps=4, images=3)
        await workshop.rest()
        for label in ("2", "All"):
            (message,) = workshop.people[0].sees(workshop.channel)
            await workshop.people[0].click(message, label)
            (message,) = workshop.people[0].sees(workshop.channel)
            assert untruths(workshop.server, workshop.database) == []
            keep = next(one for one in walk(message.components) if str(one.get("label")).startswith("Keep"))
            true, keep["label"] = keep["label"], "Keep 1"
            assert len(untruths(workshop.server, workshop.database)) == 1
            keep["label"] = true
            said = next(one for one in walk(message.components) if "The buttons mean" in str(one.get("content")))
            true, said["content"] = said["content"], "The buttons mean **all 2 pictures**."
            assert len(untruths(workshop.server, workshop.database)) == 1
            said["content"] = true


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
