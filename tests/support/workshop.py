"""A finished message of several pictures, and what its files say."""

from __future__ import annotations

from collections.abc import Sequence

from engine.images.metadata import read_png
from sandbox.world.things import Attachment, Message
from tests.support.stage import Stage


async def three(stage: Stage) -> Message:
    """Three pictures of ana's, as job 1 with the seeds 7, 8 and 9; ben has agreed, too."""
    await stage.agree(stage.ana, stage.ben)
    return await stage.picture(stage.ana, prompt="1girl, smile", steps=4, images=3, seed=7)


def seeds_of(files: Sequence[Attachment]) -> list[int]:
    infos = [read_png(file.data) for file in files]
    return [info.seed for info in infos if info is not None]
