"""Stages that several files of this folder tell their stories on."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from engine.safety import FixedScores
from engine.sampling.model import LoadedModel
from tests.support.prompt_channels import open_channel
from tests.support.stage import Stage, make_stage


@pytest.fixture
async def open_stage(tmp_path: Path, tiny_model: LoadedModel) -> AsyncGenerator[Stage]:
    """A stage with an open prompt channel and the Message Content intent."""
    async with make_stage(tmp_path, tiny_model, FixedScores(), message_content_intent=True) as stage:
        await stage.agree(stage.ana, stage.ben, stage.mira)
        await open_channel(stage)
        yield stage
