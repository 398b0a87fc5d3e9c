"""What members are used to type at other bots is read into the options, never painted as words."""

from __future__ import annotations

from typing import Any

import pytest

from domain import RequestOptions
from engine.prepare import complete
from engine.request.inline_syntax import read_inline
from tests.support.requests import PROFILE


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("1girl, smile --ar 2:3 --seed 5 --no hat", {"shape": "portrait", "seed": 5, "negative_prompt": "hat"}),
        ("1girl --ar 16:9", {"shape": "landscape"}),
        ("1girl --ar 1:1", {"shape": "square"}),
        (
            "1girl\nNegative prompt: hat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5",
            {
                "negative_prompt": "hat",
                "num_inference_steps": 20,
                "scheduler": "euler_a",
                "guidance_scale": 7,
                "seed": 5,
            },
        ),
        ("1girl, smile ### hat, umbrella", {"negative_prompt": "hat, umbrella"}),
    ],
)
def test_other_bots_syntax_is_read_into_the_options(prompt: str, expected: dict[str, Any]) -> None:
    options = read_inline(RequestOptions(prompt=prompt))
    assert options.prompt.startswith("1girl")
    assert not any(mark in options.prompt for mark in ("--", "#", "Steps", "Negative"))
    assert {name: getattr(options, name) for name in expected} == expected


def test_the_commands_own_options_count_more() -> None:
    options = read_inline(RequestOptions(prompt="1girl --ar 16:9 --seed 5", seed=9, shape="portrait"))
    assert (options.seed, options.shape) == (9, "portrait")


def test_words_without_such_syntax_stay_as_they_are() -> None:
    options = RequestOptions(prompt="1girl, a sign that says steps: up, #1 fan", negative_prompt="hat")
    assert read_inline(options) == options


def test_an_unknown_sampler_is_left_to_the_preset() -> None:
    request = complete(RequestOptions(prompt="1girl\nSteps: 20, Sampler: Nobody knows"), PROFILE)
    assert (request.prompt, request.scheduler) == ("1girl", PROFILE.scheduler)
