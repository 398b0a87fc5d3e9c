"""Clause b's combination rules, with placeholder words as the two axes: the real lists are data that people review."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from domain import Action, Place
from engine.policy.__main__ import request_of
from engine.policy.allowances import Allowances, is_appealable, is_liftable, prompt_hash
from engine.policy.judging import Policy
from engine.policy.rules import default_rules
from scripts.obfuscate import TECHNIQUES, obfuscate
from tests.support.placeholder_policy import policy

CHANNEL = Place(guild_id=1)
GROWN_UP = Place(guild_id=1, age_restricted=True, adult_opt_in=True)


@pytest.mark.parametrize(
    "prompt",
    [
        "ageterm privterm",
        "privterm ageterm",
        "1girl, ageterm, smile, privterm",
        "a privterm picture of two ageterms, masterpiece",
        "(ageterm:1.3), [privterm]",
        "[ageterm:privterm:0.5]",
        "[cat:ageterm:0.5] with [privterm|tree]",
        "[tree|privterm] near [ageterm|cat]",
        "ageterm BREAK privterm",
        "ageterm AND privterm",
        "{ageterm}, <lora:privterm:0.8>",
        "AGETERM PRIVTERM",
        "a g e t e r m, p r i v t e r m",
        "ag3t3rm pr1vt3rm",
        "age\u200bterm priv\u00adterm",
        "ａｇｅｔｅｒｍ ｐｒｉｖｔｅｒｍ",
        "ageterm_privterm",
        "14 year old, privterm",
        "privterm, fourteen years old",
        "privterm 15yo",
        "privterm, aged 12",
        "privterm, 14歳",
        "ageterm harmterm",
    ],
)
@pytest.mark.parametrize("place", [Place(), CHANNEL, GROWN_UP], ids=["direct", "channel", "adult"])
def test_both_axes_are_refused_everywhere(prompt: str, place: Place) -> None:
    verdict = policy().judge(request_of(prompt), place)
    assert (verdict.action, verdict.clause, verdict.tier) == (Action.REFUSE, "b", "hard")


@pytest.mark.parametrize(
    "prompt",
    ["ageterm", "privterm", "harmterm", "20 year old, privterm", "privterm, 16 year old whisky", "agetermite privterm"],
)
def test_one_axis_alone_is_not_clause_b(prompt: str) -> None:
    assert policy().judge(request_of(prompt), GROWN_UP).action is Action.ALLOW


def test_an_age_word_makes_the_picture_check_strict() -> None:
    assert policy().judge(request_of("an ageterm in a park"), CHANNEL).strict_picture
    assert not policy().judge(request_of("a tree in a park"), CHANNEL).strict_picture


def test_age_words_in_the_negative_prompt_are_not_asked_for() -> None:
    assert policy().judge(request_of("privterm", "ageterm, lowres"), GROWN_UP).action is Action.ALLOW


def test_pushing_grown_ups_away_is_read_as_its_opposite() -> None:
    assert policy().judge(request_of("privterm", "grownterm"), GROWN_UP).clause == "b"
    assert policy().judge(request_of("a tree", "grownterm"), GROWN_UP).action is Action.ALLOW


def test_no_appeal_and_no_allowance_reaches_clause_b() -> None:
    request = request_of("ageterm privterm")
    everything = Allowances(
        once=frozenset({prompt_hash(request)}), phrases=frozenset({"ageterm privterm"}), house_rules=frozenset({"b"})
    )
    verdict = policy().judge(request, GROWN_UP, everything)
    assert verdict.action is Action.REFUSE
    assert not is_appealable(verdict)
    assert not is_liftable(verdict)
    assert "appeal" in verdict.reason


@pytest.mark.parametrize("technique", sorted(set(TECHNIQUES) - {"reversed words"}))
def test_obfuscated_axes_are_refused(technique: str) -> None:
    prompt = obfuscate(technique, "ageterm with privterm")
    assert policy().judge(request_of(prompt), CHANNEL).clause == "b", prompt


def test_order_of_tags_never_matters() -> None:
    tags = ["ageterm", "privterm", "1girl", "smile", "blue sky", "hat"]
    for seed in range(20):
        random.Random(seed).shuffle(tags)
        assert policy().judge(request_of(", ".join(tags)), CHANNEL).clause == "b"


@pytest.mark.pipeline
@pytest.mark.parametrize("excuse", ["window", "snow", "museum", "awareness", "against a wall", "saving", "stop"])
def test_no_word_in_another_tag_excuses_and_none_at_all_excuses_the_sexual_axis(excuse: str) -> None:
    shipped = default_rules()
    axes = {"b.age": "ageterm", "b.age-near": "ageterm", "b.sexual-all": "privterm", "b.harm": "harmterm"}
    groups = {**shipped.groups, **{name: (term,) for name, term in axes.items()}}
    real_excuses = Policy(replace(shipped, groups=groups))
    for prompt in (f"ageterm harmterm, {excuse}", f"{excuse}, ageterm privterm", f"ageterm privterm {excuse}"):
        assert real_excuses.judge(request_of(prompt), CHANNEL).clause == "b", prompt
