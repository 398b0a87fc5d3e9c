"""The shipped rules: every example fires, every counter-example passes, and the files fit together."""

from __future__ import annotations

from typing import cast

import pytest

from domain import Action, Place, SafetyLevel
from engine.policy.__main__ import request_of
from engine.policy.judging import Policy
from engine.policy.rules import RULE_SET, Rule, RuleSet, Tier, assemble, default_rules
from engine.policy.semantic import NO_OPINION, Opinion, SemanticModel
from engine.policy.tokens import Token
from tests.support.policy import CHANNEL, GROWN_UP, rules_alone

WITH_EXAMPLE = [rule for rule in default_rules().rules if rule.example]


def texts(entry: str) -> tuple[str, str]:
    """`prompt ### negative prompt` as two texts."""
    prompt, _, negative = entry.partition(" ### ")
    return prompt, negative


@pytest.mark.parametrize("rule", WITH_EXAMPLE, ids=lambda rule: rule.id)
def test_example_fires_and_counter_example_passes(rule: Rule) -> None:
    policy = rules_alone()
    assert rule.id in policy.judge(request_of(*texts(rule.example)), CHANNEL).rules
    counter = policy.judge(request_of(*texts(rule.counter_example)), CHANNEL)
    assert counter.action is Action.ALLOW, counter.rules


def test_every_rule_but_those_on_minors_has_an_example() -> None:
    assert all(rule.clause == "b" for rule in default_rules().rules if not rule.example)


def test_every_clause_and_house_rule_has_a_rule() -> None:
    assert {rule.clause for rule in default_rules().rules} >= {
        *"abcdefghijk",
        "adult",
        "gore",
        "self_harm",
        "real_person",
    }


def test_version_is_the_files_version() -> None:
    assert default_rules().version == RULE_SET


def test_unknown_tier_is_hard() -> None:
    rules = assemble([{"rule": [{"id": "x", "clause": "a", "tier": "gentle", "terms": ["zorblax"]}]}])
    assert rules.rules[0].tier is Tier.HARD


@pytest.mark.parametrize(
    "document",
    [
        {"rule": [{"id": "x", "clause": "a", "all": ["missing"]}]},
        {"rule": [{"id": "x", "clause": "a", "all": []}]},
        {"rule": [{"id": "x", "clause": "a", "terms": ["t"], "scope": "galaxy"}]},
        {"rule": [{"id": "x", "clause": "a", "terms": ["t"]}, {"id": "x", "clause": "c", "terms": ["u"]}]},
        {"groups": {"one": ["@two"]}},
    ],
)
def test_rules_that_do_not_fit_together_are_refused(document: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        assemble([document])


def small_rules(*rules: dict[str, object], **groups: list[str]) -> RuleSet:
    return assemble([{"version": "t", "groups": groups, "rule": list(rules), "allow": ["zorblax fish"]}])


def test_worst_rule_gives_the_clause_whatever_the_order() -> None:
    policy = Policy(
        small_rules(
            {"id": "mild", "clause": "c", "tier": "review", "terms": ["quindle"]},
            {"id": "grave", "clause": "k", "tier": "block", "terms": ["zorblax"]},
        )
    )
    for prompt in ("quindle, zorblax", "zorblax, quindle"):
        verdict = policy.judge(request_of(prompt), CHANNEL)
        assert (verdict.action, verdict.clause, verdict.rules[0]) == (Action.REFUSE, "k", "grave")


@pytest.mark.parametrize(
    ("graver", "milder"),
    [("b", "real_person"), ("real_person", "i"), ("i", "a"), ("d", "e"), ("k", "a"), ("a", "e"), ("e", "gore")],
)
def test_the_graver_of_two_equally_hard_clauses_is_named(graver: str, milder: str) -> None:
    policy = Policy(
        small_rules(
            {"id": "first", "clause": milder, "tier": "block", "terms": ["quindle"]},
            {"id": "second", "clause": graver, "tier": "block", "terms": ["zorblax"]},
        )
    )
    for prompt in ("quindle, zorblax", "zorblax, quindle"):
        assert policy.judge(request_of(prompt), CHANNEL).clause == graver


def test_review_is_painted_with_a_strict_picture_check_except_in_direct_messages() -> None:
    policy = Policy(small_rules({"id": "mild", "clause": "c", "tier": "review", "terms": ["quindle"]}))
    verdict = policy.judge(request_of("a quindle"), CHANNEL)
    assert (verdict.action, verdict.strict_picture) == (Action.REVIEW, True)
    assert policy.judge(request_of("a quindle"), Place()).action is Action.REFUSE


def test_allow_phrase_covers_its_words_only() -> None:
    policy = Policy(small_rules({"id": "r", "clause": "a", "tier": "block", "terms": ["zorblax"]}))
    assert policy.judge(request_of("a zorblax fish"), CHANNEL).action is Action.ALLOW
    assert policy.judge(request_of("a zorblax fish, zorblax"), CHANNEL).action is Action.REFUSE


def test_words_match_whole_with_plural_and_open_ends() -> None:
    policy = Policy(small_rules({"id": "r", "clause": "a", "tier": "block", "terms": ["zorblax", "quin*", "*dlepot"]}))
    refused = {
        p
        for p in ("zorblax", "zorblaxes", "quintessence", "handlepot", "prezorblax", "zorblaxity")
        if _refused(policy, p)
    }
    assert refused == {"zorblax", "zorblaxes", "quintessence", "handlepot"}


def _refused(policy: Policy, prompt: str) -> bool:
    return policy.judge(request_of(prompt), CHANNEL).action is Action.REFUSE


def test_one_word_is_no_frame_and_near_means_near() -> None:
    policy = Policy(
        small_rules(
            {"id": "r", "clause": "a", "tier": "block", "scope": "near", "all": ["one", "two"]},
            one=["zorblax"],
            two=["zorblax", "quindle"],
        )
    )
    assert not _refused(policy, "zorblax")
    assert _refused(policy, "quindle of zorblax")
    assert not _refused(policy, "zorblax and then " + "very " * 12 + "late a quindle")
    assert not _refused(policy, "zorblax, quindle")


@pytest.mark.parametrize("scope", ["prompt", "tag", "near"])
def test_no_word_stands_for_two_parts_of_a_frame(scope: str) -> None:
    rule = {"id": "r", "clause": "a", "tier": "block", "scope": scope, "all": ["one", "two"]}
    policy = Policy(small_rules(rule, one=["zorblax"], two=["zorblax", "quindle"]))
    assert not _refused(policy, "a zorblax here")
    assert _refused(policy, "a quindle of zorblax here")


def test_a_short_term_in_katakana_counts_as_a_word_of_its_own_only() -> None:
    policy = Policy(small_rules({"id": "r", "clause": "a", "tier": "block", "terms": ["ゾルブ"]}))
    prompts = ("ゾルブ", "夏、ゾルブ", "夏のゾルブ", "アゾルブ", "ゾルブラ")
    assert [prompt for prompt in prompts if _refused(policy, prompt)] == ["ゾルブ", "夏、ゾルブ", "夏のゾルブ"]


def test_adult_words_pass_only_where_adults_opted_in() -> None:
    policy = rules_alone()
    prompt = request_of("a naked woman on a bed")
    assert policy.judge(prompt, GROWN_UP).action is not Action.REFUSE
    for place in (Place(), CHANNEL, Place(guild_id=1, age_restricted=True), Place(guild_id=1, adult_opt_in=True)):
        assert place.level is not SafetyLevel.ADULT
        assert policy.judge(prompt, place).clause == "adult"


@pytest.mark.parametrize("rule", [r for r in WITH_EXAMPLE if r.clause in set("acdefghijk")], ids=lambda rule: rule.id)
def test_no_place_lifts_a_clause_of_the_licence(rule: Rule) -> None:
    if rule.tier is not Tier.REVIEW:
        verdict = rules_alone().judge(request_of(*texts(rule.example)), GROWN_UP)
        assert verdict.action is Action.REFUSE


def test_refusal_names_the_clause_and_repeats_no_word() -> None:
    for rule in WITH_EXAMPLE:
        verdict = rules_alone().judge(request_of(*texts(rule.example)), CHANNEL)
        if verdict.action is Action.REFUSE:
            assert verdict.reason.startswith(("Licence, clause (", "House rule:"))
            assert all(f'"{word}"' not in verdict.reason for word in rule.example.split())


@pytest.mark.parametrize("rule", WITH_EXAMPLE, ids=lambda rule: rule.id)
def test_harmless_tags_beside_a_refused_prompt_excuse_nothing(rule: Rule) -> None:
    prompt, negative = texts(rule.example)
    tail = "cat, lego toy, museum, history, a window, snow, awareness, video game, festival, recipe, bandage"
    for dressed in (f"{prompt}, {tail}", f"{tail}, {prompt}"):
        assert rule.id in rules_alone().judge(request_of(dressed, negative), CHANNEL).rules


class _Sure:
    """A semantic model that knows one thing: how much it holds against words with "quindle" among them."""

    def __init__(self, score: float | None) -> None:
        self.score = score

    def opinion(self, tokens: list[Token]) -> Opinion:
        if self.score is None:
            return NO_OPINION
        score = self.score if any(token.text == "quindle" for token in tokens) else 0.0
        return Opinion({"c": score}, {"c": 0.99}, {"c": 0.99})


@pytest.mark.parametrize(("score", "refused"), [(0.0, False), (0.6, True), (None, True)])
def test_ambiguous_words_count_unless_the_model_is_sure_that_they_are_harmless(
    score: float | None, refused: bool
) -> None:
    rules = small_rules({"id": "r", "clause": "c", "tier": "doubt", "terms": ["zorblax"]})
    policy = Policy(rules, cast(SemanticModel, _Sure(score)))
    assert _refused(policy, "a quindle zorblax") is refused


def test_the_model_looks_only_at_the_ambiguous_words_own_tag() -> None:
    rules = small_rules({"id": "r", "clause": "c", "tier": "doubt", "terms": ["zorblax"]})
    policy = Policy(rules, cast(SemanticModel, _Sure(0.6)))
    assert not _refused(policy, "a zorblax, a quindle")
