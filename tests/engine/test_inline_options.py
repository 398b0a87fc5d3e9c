"""What members are used to type at other bots is read into the options, never painted as words."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from domain import InvalidRequest, RequestOptions
from engine.prepare import complete
from engine.request.inline_options import read_inline, with_inline
from tests.support.requests import PROFILE, REQUEST


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


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ("1girl\nSteps: 20, Sampler: Nobody knows", "There is no sampler “Nobody knows” here. There are: ddim, "),
        ("1girl --preset lightning", "There is no preset “lightning” here"),
        ("1girl --seed many", "--seed needs a whole number"),
        ("1girl\nSteps: 20, Denoising strength: 0.4", "A strength needs a start picture"),
    ],
)
def test_what_would_be_painted_otherwise_is_said_instead(prompt: str, sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(sentence)):
        complete(RequestOptions(prompt=prompt), PROFILE)


def test_a_sampler_or_preset_that_the_member_chose_counts_more_than_an_unknown_one() -> None:
    unknown = "1girl\nSteps: 20, Sampler: Nobody knows, Preset: lightning"
    request = complete(RequestOptions(prompt=unknown, scheduler="euler", preset="fast"), PROFILE)
    assert (request.prompt, request.scheduler, request.preset) == ("1girl", "euler", "fast")


def test_what_has_no_meaning_here_is_kept_to_be_told() -> None:
    request = complete(RequestOptions(prompt="1girl --q 2 --tile"), PROFILE)
    assert (request.prompt, request.left_out) == ("1girl", ("--q 2", "--tile"))


def test_a_block_of_another_model_is_told_and_one_of_this_model_is_not() -> None:
    own = f"1girl\nSteps: 5, Model hash: {PROFILE.identity.sha256[:10]}, Model: {PROFILE.identity.name}"
    assert complete(RequestOptions(prompt=own), PROFILE).left_out == ()
    other = complete(RequestOptions(prompt="1girl\nSteps: 5, Model hash: abcdef, Model: sd"), PROFILE)
    assert other.left_out == ("Model hash: abcdef", "Model: sd")


def test_a_form_reads_a_pasted_block_over_what_it_was_opened_with() -> None:
    pasted = "1girl\nNegative prompt: hat\nSteps: 20, Sampler: Euler a, Seed: 5, Size: 128x192, Clip skip: 2"
    request = with_inline(replace(REQUEST, prompt=pasted, images=3, clip_skip=1), PROFILE)
    assert (request.prompt, request.negative_prompt.endswith("hat")) == ("1girl", True)
    assert (request.num_inference_steps, request.scheduler, request.seed) == (20, "euler_a", 5)
    assert (request.width, request.height, request.images, request.clip_skip) == (128, 192, 3, 2)
    assert request.guidance_scale == REQUEST.guidance_scale
    assert with_inline(replace(REQUEST, prompt="a --ar 1:1"), PROFILE).width == 512
