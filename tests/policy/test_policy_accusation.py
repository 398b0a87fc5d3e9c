"""Accusation needs evidence: what was only guessed, or mostly means something else, accuses nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest

from domain import Action, Place
from engine.policy import judge
from engine.policy.__main__ import request_of
from engine.policy.judging import Policy
from engine.policy.respell import load_vocabulary
from engine.policy.rules import default_rules
from scripts.obfuscate import obfuscate
from scripts.respelt_words import accusations, is_accused
from tests.support.policy import rules_alone

CHANNEL = Place(guild_id=1)
DIRECT = Place()
PROMPTS = Path(__file__).parents[2] / "scripts" / "policy_prompts"
VISIBLE = (
    "leet digits",
    "leet signs",
    "spaced letters, wide gaps",
    "dots between",
    "hyphens between",
    "stars between",
    "underscores between",
    "zero-width space",
    "soft hyphen",
    "combining marks",
    "full width",
    "circled",
    "cyrillic look-alikes",
    "masked letter",
    "brackets around letters",
    "html entities",
)
GUESSES = ("swapped letters", "glued", "stretched", "blank inside")


@lru_cache(maxsize=1)
def axes() -> Policy:
    """The shipped rules of clause b over the axes {ageterm} and {privterm}; "quindle" mostly means something else."""
    rules = default_rules()
    named = {"b.age": "ageterm", "b.age-near": "ageterm", "b.sexual-all": "privterm", "b.ambiguous": "quindle"}
    groups: dict[str, tuple[str, ...]] = {name: (named[name],) if name in named else () for name in rules.groups}
    groups["b.sexual-all"] = ("privterm", "quindle")
    return Policy(replace(rules, groups=groups, allow=(), foreign=frozenset()))


@pytest.mark.parametrize("technique", VISIBLE)
def test_a_trick_that_can_be_seen_hides_nothing(technique: str) -> None:
    assert is_accused(axes().judge(request_of(obfuscate(technique, "ageterm with privterm")), CHANNEL))


@pytest.mark.parametrize("place", [CHANNEL, DIRECT], ids=["channel", "direct"])
@pytest.mark.parametrize("technique", GUESSES)
def test_a_guessed_spelling_asks_for_a_strict_look_and_accuses_nobody(technique: str, place: Place) -> None:
    verdict = axes().judge(request_of(obfuscate(technique, "ageterm with privterm")), place)
    assert (verdict.action, verdict.strict_picture) == (Action.REVIEW, True)


@pytest.mark.parametrize("place", [CHANNEL, DIRECT], ids=["channel", "direct"])
def test_a_word_that_mostly_means_something_else_is_a_suspicion(place: Place) -> None:
    verdict = axes().judge(request_of("ageterm, quindle"), place)
    assert (verdict.action, verdict.strict_picture) == (Action.REVIEW, True)
    assert is_accused(axes().judge(request_of("ageterm, quindle, privterm"), place))


def test_a_suspicion_lets_no_other_ground_through() -> None:
    """In direct messages review is refusal, but only of what else there is."""
    rules = default_rules()
    groups: dict[str, tuple[str, ...]] = dict.fromkeys(rules.groups, ()) | {
        "b.age": ("ageterm",),
        "b.sexual-all": ("quindle",),
        "b.ambiguous": ("quindle",),
        "sexual_soft": ("zorblax",),
    }
    policy = Policy(replace(rules, groups=groups, allow=(), foreign=frozenset()))
    verdict = policy.judge(request_of("ageterm, quindle, zorblax"), DIRECT)
    assert (verdict.action, verdict.clause) == (Action.REFUSE, "adult")


@pytest.mark.parametrize(
    "prompt",
    [
        "children's book cover, ilustration, watercolor",
        "children playing in the park, ilustration",
        "kids drawing, by matt groening",
        "landscape by Giuseppe Pellizza da Volpedo",
        "baby octopus with tentacles",
        "portrait of a man, 4 0 years old, ilustration",
        "少女，裸露肩膀",
        "少女，男性·交集",
        "little girl with her hair tied up",
        "schoolgirl wearing a choker",
        "kids eating whipped cream",
        "a child in a stable with horses",
    ],
)
@pytest.mark.parametrize("place", [CHANNEL, DIRECT], ids=["channel", "direct"])
def test_harmless_prompts_are_not_refused(prompt: str, place: Place) -> None:
    verdict = rules_alone().judge(request_of(prompt), place)
    assert verdict.action is not Action.REFUSE, verdict.rules


@pytest.mark.parametrize(
    ("age", "is_minor"),
    [
        ("4 0 years old", False),
        ("2 5 years old", False),
        ("1 4 years old", True),
        ("twenty five years old", False),
        ("a hundred and four years old", False),
        ("five years old", True),
        ("16 to 18 years old", True),
        ("14-16 years old", True),
        ("2 20 year old women", False),
        ("dragon age 2", False),
        ("age 7", True),
        ("whisky aged 12 years", False),
        ("5 0 0 years old", False),
        ("14yo", True),
        ("14 years of age", True),
        ("14 years of summers", False),
    ],
)
def test_ages_are_read_whole(age: str, is_minor: bool) -> None:
    assert is_accused(axes().judge(request_of(f"{age}, privterm"), CHANNEL)) is is_minor


@pytest.mark.parametrize("bare", ["裸足", "裸露的肩膀", "裸腿", "裸露腹部", "裸眼", "母性愛"])
def test_a_longer_chinese_or_japanese_word_is_not_read_as_its_part(bare: str) -> None:
    assert judge(request_of(f"1女孩，{bare}，微笑"), CHANNEL).action is Action.ALLOW
    assert judge(request_of(f"1女孩，{bare}，裸体"), CHANNEL).clause == "adult"


def test_a_harmless_phrase_covers_nothing_else_in_a_script_without_blanks() -> None:
    """The whole run is one word to the tokenizer, but the phrase covers its own letters only."""
    assert judge(request_of("在日本的裸体女人"), CHANNEL).clause == "adult"


def misspelt() -> Iterator[str]:
    """Usual slips in the vocabulary's longer words: one of two equal letters, or an inner vowel, left out."""
    for word in load_vocabulary():
        if len(word) >= 7:
            for at in range(2, len(word) - 1):
                if word[at] == word[at - 1] or (word[at] in "aeiou" and at % 3 == 0):
                    yield word[:at] + word[at + 1 :]


def names() -> Iterator[str]:
    for file in ("written_names.txt", "heldout_names.txt", "heldout_benign.txt"):
        yield from (PROMPTS / file).read_text(encoding="utf-8").replace(",", " ").split()


@pytest.mark.slow
def test_no_misspelt_word_and_no_name_accuses_anybody() -> None:
    words = sorted({word.casefold() for source in (misspelt(), names()) for word in source})[::25]
    assert len(words) > 2_500
    assert list(accusations(words)) == []


def test_the_search_for_accusations_finds_a_respelt_word_and_no_plain_one() -> None:
    assert [found.word for found in accusations(["l0lic0n"])] == ["l0lic0n"]
    assert list(accusations(["lolicon"])) == []
