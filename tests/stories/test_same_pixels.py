"""What Details says about a picture gives the very pixels again, wherever it is pasted."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from PIL import Image

from engine.__main__ import main
from engine.safety import FixedScores
from engine.sampling.model import LoadedModel
from engine.worker.local_backend import LocalBackend
from tests.support.cards import labels_of
from tests.support.stage import Stage, is_delivered, make_stage

SECOND = 1


@pytest.fixture
async def stage(tmp_path: Path, tiny_model: LoadedModel) -> AsyncGenerator[Stage]:
    async with make_stage(tmp_path, tiny_model, FixedScores(), reproducible=True) as stage:
        await stage.agree(stage.ana, stage.ben)
        yield stage


async def paint_three(stage: Stage) -> tuple[bytes, str]:
    """Three pictures with nothing at its default; the pixels and the Details of the second."""
    options = {"negative_prompt": "hat", "preset": "fast", "guidance_scale": 3.5, "shape": "portrait"}
    message = await stage.picture(stage.ana, prompt="1girl, (smile:1.2)", images=3, seed=7, steps=5, **options)
    await stage.ana.click(message, "2")
    await stage.ana.until(lambda: "Details 2" in labels_of(message))
    details = stage.ana.answer(await stage.ana.click(message, "Details 2"))
    block = re.search(r"```\n(.*)\n```", details.content, re.DOTALL)
    assert block is not None
    return await stored(stage, 1, SECOND), block[1]


def pixels(file: bytes) -> bytes:
    with Image.open(io.BytesIO(file)) as image:
        return image.convert("RGB").tobytes()


async def stored(stage: Stage, job_id: int, index: int = 0) -> bytes:
    """A stored picture's pixels: the demo's are shown enlarged."""
    png = (await stage.service.jobs.fetch_pictures(job_id))[index].png
    assert png is not None
    return pixels(png)


async def test_pasted_into_imagine(stage: Stage) -> None:
    wanted, details = await paint_three(stage)
    await stage.picture(stage.ben, prompt=details)
    assert await stored(stage, 2) == wanted


async def test_pasted_into_the_form_of_another_picture(stage: Stage) -> None:
    wanted, details = await paint_three(stage)
    other = await stage.picture(stage.ben, prompt="tree", steps=3, scheduler="euler", images=2, upscale=1.5)
    opened = await stage.ben.click(other, "Edit")
    mine = stage.ben.answer(await stage.ben.submit(opened, prompt=details, images="1", then="more"))
    again = await stage.ben.click(mine, "More settings")
    painted = stage.ben.answer(await stage.ben.submit(again, numbers=_without_upscale(again.modal)))
    await stage.ben.until(lambda: is_delivered(painted))
    assert await stored(stage, 3) == wanted


def _without_upscale(modal: object) -> str:
    """The numbers as the second page shows them, without the other picture's second pass."""
    found = re.search(r"Steps: [^']*", str(modal))
    assert found is not None
    assert "Upscale: 1.5" in found[0]
    return found[0].replace("Upscale: 1.5", "Upscale: 1")


async def test_pasted_into_the_command_line(stage: Stage, tiny_model: LoadedModel, tmp_path: Path) -> None:
    wanted, details = await paint_three(stage)
    file = tmp_path / "again.png"

    def paint() -> int:
        return main([details, "-o", str(file)], lambda _: LocalBackend(tiny_model, FixedScores(), reproducible=True))

    assert await asyncio.to_thread(paint) == 0
    assert pixels(file.read_bytes()) == wanted
