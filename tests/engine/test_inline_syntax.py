"""Other bots' syntax inside a prompt: split before anything is judged or painted."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine.request.inline_syntax as inline_syntax
from domain import Action, Place
from engine.policy import approve, judge
from engine.policy.__main__ import request_of
from engine.request.inline_syntax import split, split_request
from tests.support.pattern_steps import pattern_steps
from tests.support.work import growth

CHANNEL = Place(guild_id=1)
PIECES = ["a cat", " ### ", " --no ", "dog", " --ar 16:9", "\n", "Negative prompt: ", ", ", " Steps: 5"]


@pytest.mark.parametrize(
    ("text", "prompt", "negative"),
    [
        ("a cat ### dog", "a cat", "dog"),
        ("a cat###dog", "a cat", "dog"),
        ("a cat ### dog ### bird", "a cat", "dog, bird"),
        ("a cat --no dog, bird", "a cat", "dog, bird"),
        ("a cat --no dog --ar 2:3 --no bird", "a cat", "dog, bird"),
        ("a cat \u2014no dog", "a cat", "dog"),
        ("a cat, negative prompt: dog, bird", "a cat", "dog, bird"),
        ("a cat Negative Prompts: dog", "a cat", "dog"),
        ("a cat (negative prompt: dog)", "a cat", "dog"),
        ("a cat [neg: dog]", "a cat", "dog"),
        ("a cat\nNegative prompt: dog\nSteps: 20, Seed: 5", "a cat", "dog"),
        ("a cat ### dog --seed 7", "a cat", "dog"),
        ("### a heading", "### a heading", ""),
        ("negative space, a cat", "negative space, a cat", ""),
        ("photo negative: a cat", "photo negative: a cat", ""),
        ("a cat \n\n \n neg: dog", "a cat", "dog"),
        ("\nneg: dog", "", "dog"),
        ("a well--known cat --nofoo", "a well--known cat", ""),
        ("steps: 5 of a ladder", "steps: 5 of a ladder", ""),
        ("minus -3 degrees", "minus -3 degrees", ""),
    ],
)
def test_what_is_pushed_away_leaves_the_prompt(text: str, prompt: str, negative: str) -> None:
    found = split(text)
    assert (found.prompt, found.negative_prompt) == (prompt, negative)


def test_a_parameter_block_gives_its_settings() -> None:
    found = split("a cat\nSteps: 28, Sampler: DPM++ 2M Karras, CFG scale: 7.5, Seed: 1234, Size: 512x768, Model: wd13")
    assert found.prompt == "a cat"
    assert found.values.settings == {
        "num_inference_steps": 28,
        "sampler": "DPM++ 2M Karras",
        "guidance_scale": 7.5,
        "seed": 1234,
        "width": 512,
        "height": 768,
    }


def test_flags_give_their_settings_and_those_without_meaning_go() -> None:
    found = split("a cat --ar 16:9 --seed 7 --v 5 --tile")
    assert found.prompt == "a cat"
    assert found.values.settings == {"aspect_ratio": "16:9", "seed": 7}
    assert found.values.left_out == ("--v 5", "--tile")
    assert split("a cat -W 640 -H 512 -C 7").values.settings == {"width": 640, "height": 512, "guidance_scale": 7.0}


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("--ar 16:9 a cat --tile on a roof", "a cat on a roof"),
        ("a cat --seed dog running", "a cat dog running"),
        ("a cat --chaos dragon", "a cat dragon"),
        ("a cat --q 2 dog", "a cat dog"),
        ("a cat --style raw dog", "a cat dog"),
        ("a cat --style gothic dog", "a cat gothic dog"),
        ("a cat --v 6.1 dog", "a cat dog"),
        ("a cat --sref https://example.com/a.png dog", "a cat dog"),
        ("a cat\nSteps: 20, Seed: 5\non a roof", "a cat\non a roof"),
        ("a cat, Steps: 3, then a dog climbs up", "a cat\nthen a dog climbs up"),
        ("a cat\nSteps: 20, Mood: a happy dog", "a cat\nMood: a happy dog"),
        ('a cat\nSteps: 20, Lora hashes: "a: 1, b: 2", Version: v1.6.0', "a cat"),
    ],
)
def test_words_behind_settings_stay_in_the_prompt(text: str, prompt: str) -> None:
    assert split(text).prompt == prompt


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("a cat --steps 12 --cfg 5.5 --images 2", {"num_inference_steps": 12, "guidance_scale": 5.5, "images": 2}),
        ("a cat --guidance 4 --scheduler euler_a on a roof", {"guidance_scale": 4.0, "sampler": "euler_a"}),
        ("a cat --size 128x192 --preset fast", {"width": 128, "height": 192, "preset": "fast"}),
        ("a cat --seed random", {}),
        ("a cat\nSteps: 5, Sampler: DPM++ 2M, Schedule type: Karras", {"sampler": "DPM++ 2M Karras"}),
        ("a cat\nSteps: 5, Sampler: Euler a, Schedule type: Automatic", {"sampler": "Euler a"}),
        ("a cat\nSteps: 5, Clip skip: 2, Denoising strength: 0.4", {"clip_skip": 2, "strength": 0.4}),
    ],
)
def test_our_own_options_are_understood_in_the_prompt(text: str, settings: dict[str, object]) -> None:
    found = split(text)
    assert found.prompt.startswith("a cat")
    assert "--" not in found.prompt
    assert {**found.values.settings, **settings} == found.values.settings
    assert (found.values.left_out, found.values.wrong) == ((), ())


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        ("a cat --q 2 --chaos 20 --tile", ("--q 2", "--chaos 20", "--tile")),
        ("a cat --foobar 3", ("--foobar 3",)),
        ("a cat --personalize abc", ("--personalize",)),
        ("a cat --stylize 100", ("--stylize 100",)),
        ("a cat\nSteps: 5, VAE: kl-f8, Version: v1.6.0", ("VAE: kl-f8",)),
        ("a cat\nSteps: 5, Hires upscale: 1.5, Denoising strength: 0.4", ("Denoising strength: 0.4",)),
        ("a cat — sitting", ()),
        ("a cat —sitting", ()),
    ],
)
def test_what_has_no_meaning_here_is_named_as_typed(text: str, left_out: tuple[str, ...]) -> None:
    found = split(text)
    assert (found.values.left_out, found.values.wrong) == (left_out, ())
    assert not any(option.split(" ")[0] in found.prompt for option in left_out)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a cat --seed dog", "--seed needs a whole number."),
        ("a cat --seed 1.5", "--seed needs a whole number; “1.5” is none."),
        ("a cat --ar 0:3", "--ar needs two numbers such as 2:3; “0:3” is none."),
        ("a cat --sead 5", "There is no option --sead. Did you mean --seed?"),
        ("a cat --aspct 2:3", "There is no option --aspct. Did you mean --aspect?"),
        ("a cat\nSteps: 5, CFG scale: high", "CFG scale needs a number such as 1.5; “high” is none."),
    ],
)
def test_an_option_that_can_not_be_done_has_its_sentence(text: str, sentence: str) -> None:
    assert split(text).values.wrong == (sentence,)


@given(st.lists(st.sampled_from(PIECES)))
@settings(max_examples=200, deadline=None)
def test_splitting_twice_changes_nothing(pieces: list[str]) -> None:
    once = split("".join(pieces)).prompt
    assert split(once).prompt == once


@pytest.mark.parametrize("unit", ["--no ", "--no a ", "Steps: 1, ", "-W 5 ", "--seed 7 ", "###a "])
def test_work_grows_no_faster_than_the_text(unit: str) -> None:
    assert growth(split, unit, size=1_000, times=4) < 5


SEARCHED = (
    inline_syntax._HASHES,
    inline_syntax._NEGATIVE,
    inline_syntax._BLOCK,
    inline_syntax._FLAG,
    inline_syntax._DREAM_FLAG,
)
UNITS = [" ", "\n", " \n", "#", " #", "--no ", "negative ", "neg", "Steps: 1, ", "-W 5 ", ",", ", ", "--", "1", "-W 1"]


@pytest.mark.parametrize("unit", UNITS)
def test_no_mark_is_looked_for_longer_than_the_text_is(unit: str) -> None:
    for pattern in SEARCHED:
        short, long = (pattern_steps(pattern, (unit * size)[:size]) for size in (100, 400))
        assert long < 5 * short, pattern.pattern


def test_the_policy_judges_what_is_asked_for_and_what_is_pushed_away() -> None:
    assert judge(request_of("1girl, smile ### nude, gore"), CHANNEL).action is Action.ALLOW
    assert judge(request_of("1girl, nude ### smile"), CHANNEL).clause == "adult"
    assert judge(request_of("a woman on the beach --no clothes"), CHANNEL).clause == "adult"


def test_the_pipeline_gets_what_was_judged() -> None:
    request = approve(request_of("1girl, smile ### nude, gore", "lowres"), CHANNEL).request
    assert (request.prompt, request.negative_prompt) == ("1girl, smile", "lowres, nude, gore")


def test_a_plain_request_stays_the_very_one() -> None:
    request = request_of("1girl, smile", "lowres")
    assert split_request(request) is request
