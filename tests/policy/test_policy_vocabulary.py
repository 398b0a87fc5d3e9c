"""What CLIP reads, the policy reads: tags, loan words, emoji, languages, artists; and what only looks like it."""

from __future__ import annotations

from typing import cast

import pytest

from domain import Action
from engine.policy.__main__ import request_of
from engine.policy.judging import Policy
from engine.policy.rules import RuleSet, assemble
from engine.policy.semantic import NO_OPINION, Opinion, SemanticModel
from engine.policy.tokens import Token
from tests.support.policy import CHANNEL, GROWN_UP, is_refused, rules_alone


@pytest.mark.parametrize(
    "prompt",
    [
        "1girl, oral",
        "1girl, facial, solo",
        "missionary, 1boy, 1girl",
        "1girl, fingering_through_clothes",
        "score_9, rating_explicit, 1girl",
        "rating:explicit, 1girl",
        "1girl, nakadashi",
        "a nekkid lady",
        "a woman, \U0001f346\U0001f4a6",
        "\U0001f51e",
        "a woman by milo manara",
        "1girl, bare, breasts",
        "امرأة عارية في غرفة",
        "אישה עירומה",
        "नंगी औरत",
        "ผู้หญิงเปลือยกาย",
        "phụ nữ khỏa thân",
        "perempuan telanjang",
        "γυμνή γυναίκα",
        "naken kvinna",
        "alaston nainen",
        "meztelen nő",
        "obnazhennaya devushka",
    ],
)
def test_explicit_words_of_every_kind_are_refused_in_ordinary_channels_only(prompt: str) -> None:
    assert is_refused(prompt)
    assert rules_alone().judge(request_of(prompt), GROWN_UP).action is not Action.REFUSE


@pytest.mark.parametrize(
    "prompt",
    [
        "an oral hygiene poster",
        "a facial at the spa",
        "a missionary in a village, 1880",
        "शिव मंदिर",
        "a barn with a cobra, नाग",
        "1girl, eggplant, kitchen",
        "\U0001f346 on a plate",
        "elena guro, portrait",
        "bust of lewis herzog",
        "a giraffe with its legs spread at the pond",
        "business card, Ann Lee, ann@lee-design.com, +1 555 987 6543",
        "名片，电话号码“+1 234 567 8901”",
    ],
)
def test_what_only_looks_like_it_passes(prompt: str) -> None:
    assert not is_refused(prompt), rules_alone().judge(request_of(prompt), CHANNEL).rules


def test_clothes_pushed_away_are_asked_for_by_their_opposite() -> None:
    assert is_refused("a woman in a park", "shirt, trousers")
    assert is_refused("a woman in a park", "apparel")
    assert not is_refused("a woman in a park", "hat, scarf, gloves")
    assert not is_refused("a woman in a park", "bra, panties, underwear")
    assert not is_refused("a mountain", "shirt, trousers")


@pytest.mark.parametrize(
    ("prompt", "refused"),
    [
        ("a rat wearing a yarmulke", True),
        ("a rat wearing a top hat", False),
        ("immigrants are scum", True),
        ("immigrants are welcome", False),
        ("a cockroach under a pride flag", True),
        ("two friends under a pride flag", False),
    ],
)
def test_groups_with_what_dehumanises_them_are_refused(prompt: str, refused: bool) -> None:
    assert is_refused(prompt) is refused


class _Sure:
    """A semantic model that holds one share against everything of four words and more."""

    def __init__(self, share: float) -> None:
        self.share = share

    def opinion(self, tokens: list[Token]) -> Opinion:
        return Opinion({"adult": self.share}, {"adult": 0.99}, {"adult": 0.99}) if len(tokens) > 3 else NO_OPINION


def small(tier: str = "block", **fields: object) -> RuleSet:
    rule = {"id": "r", "clause": "adult", "tier": tier, "terms": ["nude"], **fields}
    groups = {"person": ["woman"], "excuse": ["museum"], "craft": ["quilt"]}
    return assemble([{"version": "t", "groups": groups, "rule": [rule], "allow": ["nude lipstick"]}])


def refuses(rules: RuleSet, share: float, prompt: str) -> bool:
    policy = Policy(rules, cast(SemanticModel, _Sure(share)))
    return policy.judge(request_of(prompt), CHANNEL).action is Action.REFUSE


@pytest.mark.parametrize(("share", "refused"), [(0.1, False), (0.6, True)])
def test_a_harmless_phrase_beside_a_person_holds_unless_the_model_disagrees(share: float, refused: bool) -> None:
    assert refuses(small(), share, "a woman in nude lipstick there") is refused
    assert not refuses(small(), share, "a table with nude lipstick there")


@pytest.mark.parametrize(("share", "refused"), [(0.1, False), (0.6, True)])
def test_an_excusing_word_beside_a_person_holds_unless_the_model_disagrees(share: float, refused: bool) -> None:
    rules = small(none=["excuse"])
    assert refuses(rules, share, "a nude woman in the museum") is refused
    assert not refuses(rules, share, "a nude figure in the museum")


def test_a_phrase_and_an_excusing_word_hide_nothing_from_the_model() -> None:
    seen: list[str] = []

    class Listening:
        def opinion(self, tokens: list[Token]) -> Opinion:
            seen.extend(token.text for token in tokens)
            return NO_OPINION

    Policy(small(), cast(SemanticModel, Listening())).judge(request_of("a table with nude lipstick"), CHANNEL)
    assert "nude" in seen


def test_an_ambiguous_word_in_a_name_or_craft_passes_where_the_model_has_no_opinion() -> None:
    rules = small("doubt")
    assert not refuses(rules, 0.9, "nude quilt")
    assert not refuses(rules, 0.9, "by nude")
    assert refuses(rules, 0.9, "nude chair")


def test_in_long_prose_the_model_overrules_where_it_is_all_but_certain() -> None:
    prose = "the old carpenter puts a nude coloured chair beside the window of his quiet workshop"
    assert not refuses(small(), 0.05, prose)
    assert refuses(small(), 0.15, prose)
    assert refuses(small(firm=True), 0.05, prose)
    assert refuses(small(), 0.05, "a nude chair in the room")


def test_a_flood_of_ambiguous_words_does_not_flood_the_model() -> None:
    asked: list[int] = []

    class Counting(_Sure):
        def opinion(self, tokens: list[Token]) -> Opinion:
            asked.append(len(tokens))
            return super().opinion(tokens)

    entries = [{"id": f"r{i}", "clause": "adult", "tier": "doubt", "terms": [f"zorb{'abcdefgh'[i]}"]} for i in range(8)]
    rules = assemble([{"version": "t", "rule": entries}])
    tags = [" ".join([f"zorb{'abcdefgh'[i]}", *["chair"] * 150]) for i in range(8)]
    Policy(rules, cast(SemanticModel, Counting(0.0))).judge(request_of(", ".join(tags)[:1500]), CHANNEL)
    assert sum(asked) < 1_200
