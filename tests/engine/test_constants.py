"""What is known in one place stands in one place."""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from engine.checkpoint.published import FILES, KNOWN_NAMES
from engine.request import passes
from engine.request.cost import millicredits_for
from engine.request.schedulers import SCHEDULERS
from engine.sampling import model
from engine.sampling.sample import tables_of
from tests.support.requests import PROFILE
from tests.support.requests import USUAL_REQUEST as GOOD

ENGINE = Path(__file__).parents[2] / "engine"
COINCIDENCES = {"SIDE"}  # the input size of each network of the safety checker


def constants(path: Path) -> dict[str, str]:
    """The public constants of a module, as source text."""
    found: dict[str, str] = {}
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name = statement.targets[0].id
            if name.isupper() and not name.startswith("_"):
                found[name] = ast.unparse(statement.value)
    return found


def test_no_constant_of_the_engine_is_written_twice() -> None:
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in ENGINE.rglob("*.py"):
        for name, value in constants(path).items():
            places[name, value].append(path.name)
    assert len(places) > 100
    assert {name: files for (name, _), files in places.items() if len(files) > 1}.keys() == COINCIDENCES


@pytest.mark.parametrize("name", ["SCHEDULERS", "UPSCALE_STRENGTH", "TOO_LARGE", "KNOWN_NAMES"])
def test_one_module_defines(name: str) -> None:
    assert len([path for path in ENGINE.rglob("*.py") if name in constants(path)]) == 1


def test_the_second_pass_is_charged_for_the_steps_that_it_paints() -> None:
    plain, upscaled = GOOD, replace(GOOD, upscale=2.0)
    (table,) = tables_of(upscaled, PROFILE, {})[1:]
    assert table.calls == passes.calls_for(upscaled, PROFILE) - passes.calls_for(plain, PROFILE) == 7
    # 1024 pixels are three windows of 512 each way. The VAE takes four of 384 each way, after it has read the whole to
    # measure it; between the passes two each way.
    steps = 9 * 7 + (4 + 16 * 0.75**2) * (0.695 + 1.56) + (1 + 4 * 0.75**2 - 1) * 1.56
    extra = millicredits_for(upscaled, PROFILE) - millicredits_for(plain, PROFILE)
    assert extra == pytest.approx(1000 * steps / (20 + 1.56), rel=0.001)


def test_a_second_pass_never_begins_with_more_noise_than_its_strength_means() -> None:
    for steps in range(1, 12):
        _, second = passes.passes_of(replace(GOOD, upscale=1.5, num_inference_steps=steps), PROFILE)
        assert second.painted_steps / second.num_inference_steps <= passes.UPSCALE_STRENGTH


def test_the_demo_models_pictures_are_enlarged_without_a_second_pass_and_cost_no_more() -> None:
    demo = replace(PROFILE, identity=replace(PROFILE.identity, is_demo=True))
    upscaled = replace(GOOD, upscale=2.0)
    assert passes.passes_of(upscaled, demo) == passes.passes_of(GOOD, demo)
    assert millicredits_for(upscaled, demo) == millicredits_for(GOOD, demo)


def test_a_models_default_scheduler_is_in_the_table() -> None:
    assert set(model.DEFAULT_SCHEDULERS.values()) <= set(SCHEDULERS)


def test_every_published_file_has_a_name_of_its_own() -> None:
    names = [KNOWN_NAMES[file.sha256] for file in FILES.values()]
    assert len(set(names)) == len(FILES)
