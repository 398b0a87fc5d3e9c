"""Real parts for every test: a tiny model of the real classes, SQLite on disk, the bot on the loopback Discord."""

from __future__ import annotations

import gc
import logging
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path

import pytest

from db.database import Database
from domain import Place, Request
from engine.policy import judge
from engine.safety import FixedScores, SafetyChecker
from engine.sampling.model import LoadedModel, load_model
from scripts.random_model import build_random_model
from settings import Settings
from tests.support.stage import Stage, StartStage, make_stage

logging.getLogger("discord").setLevel(logging.WARNING)


NEEDS = {
    "stage": "loopback",
    "start_stage": "loopback",
    "discord_server": "loopback",
    "tiny_model": "pipeline",
    "tiny_model_dir": "pipeline",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by what its fixtures need, for `make quick`; the slow ones come first, so that no core idles."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        for marker in sorted({NEEDS[name] for name in fixtures if name in NEEDS}):
            item.add_marker(marker)
        if "tiny_model" in fixtures and hasattr(getattr(item, "module", None), "make_stage"):
            item.add_marker("loopback")
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """Keep what the libraries hold out of every later garbage collection, which would only read it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model of random weights."""
    return build_random_model(tmp_path_factory.mktemp("models") / "tiny", "tiny")


@pytest.fixture(scope="session")
def tiny_model(tiny_model_dir: Path) -> LoadedModel:
    return load_model(str(tiny_model_dir))


@pytest.fixture
def checker() -> SafetyChecker:
    """A picture check that finds every picture safe; tests inject other scores."""
    return FixedScores()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    """An empty database of the newest schema, on disk."""
    async with Database(tmp_path / "bot.sqlite3") as opened:
        yield opened


@pytest.fixture
async def stage(tmp_path: Path, tiny_model: LoadedModel, checker: SafetyChecker) -> AsyncGenerator[Stage]:
    """A running bot on a loopback Discord; at the end nothing may have broken Discord's rules."""
    async with make_stage(tmp_path, tiny_model, checker) as made:
        yield made


@pytest.fixture
def start_stage(tmp_path: Path, tiny_model: LoadedModel, checker: SafetyChecker) -> StartStage:
    """For tests that start the bot more than once on the same files: `async with start_stage() as before`, and in the
    same world `async with start_stage(before.server.world) as after`."""
    return partial(make_stage, tmp_path, tiny_model, checker)


@pytest.fixture(scope="session", autouse=True)
def _policy_is_loaded() -> None:
    """Read the rules once and beforehand, as bot.py does: nobody's first answer waits for them."""
    request = Request(
        prompt="1girl", width=64, height=64, num_inference_steps=1, guidance_scale=1.0, scheduler="ddim", seed=0
    )
    judge(request, Place())


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own environment must not change what the tests run."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
