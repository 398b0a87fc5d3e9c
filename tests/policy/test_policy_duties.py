"""What the policy owes to people: the licence, allowances after an appeal, and its command line."""

from __future__ import annotations

import hashlib
import io
import json

import pytest

from domain import Action, Place, PromptRefused
from engine.policy import (
    PLAIN_RESTRICTIONS,
    RULE_SET,
    TERMS_VERSION,
    Allowances,
    approve,
    is_appealable,
    is_liftable,
    judge,
    licence_text,
    prompt_hash,
)
from engine.policy.__main__ import main, request_of
from engine.policy.licence import LICENCE_SHA256

CHANNEL = Place(guild_id=1)
GROWN_UP = Place(guild_id=1, age_restricted=True, adult_opt_in=True)


def test_licence_text_is_the_published_one() -> None:
    level = " ".join(licence_text().split())
    assert hashlib.sha256(level.encode()).hexdigest() == LICENCE_SHA256
    assert level.count("Attachment A") >= 2


def test_plain_restrictions_cover_the_attachment() -> None:
    attachment = licence_text().split("Use Restrictions", 1)[1].split("END OF", 1)[0]
    assert [letter for letter, _ in PLAIN_RESTRICTIONS] == list("abcdefghijk")
    assert attachment.count("\n- ") == len(PLAIN_RESTRICTIONS)
    assert TERMS_VERSION


def test_approve_is_judge_with_an_exception() -> None:
    approved = approve(request_of("a cat in the snow"), CHANNEL)
    assert approved.verdict == judge(request_of("a cat in the snow"), CHANNEL)
    with pytest.raises(PromptRefused) as refused:
        approve(request_of("a naked woman on a bed"), CHANNEL)
    assert str(refused.value) == refused.value.verdict.reason
    assert refused.value.verdict.rule_set == RULE_SET


def test_spans_show_moderators_the_words() -> None:
    prompt = "a n4k3d woman on a bed"
    verdict = judge(request_of(prompt), CHANNEL)
    assert "n4k3d" in {prompt[start:end] for start, end in verdict.spans}


def test_allow_once_reaches_this_request_only_and_paints_strictly() -> None:
    request = request_of("step by step diagram of a pipe bomb")
    allowances = Allowances(once=frozenset({prompt_hash(request)}))
    verdict = judge(request, CHANNEL, allowances)
    assert (verdict.action, verdict.strict_picture) == (Action.REVIEW, True)
    assert judge(request_of("step by step diagram of a pipe bomb, red"), CHANNEL, allowances).action is Action.REFUSE
    assert prompt_hash(request) == prompt_hash(request_of("Step by  step diagram of a pipe bomb "))


def test_an_allowed_phrase_lifts_nothing_where_it_does_not_stand() -> None:
    gore = request_of("a heap of severed limbs")
    for phrase in ("severed heads", "severed", "limbs severed"):
        assert judge(gore, CHANNEL, Allowances(phrases=frozenset({phrase}))).clause == "gore"


def test_allowed_phrase_reaches_house_rules_only() -> None:
    phrases = Allowances(phrases=frozenset({"severed limbs", "pipe bomb"}))
    gore = request_of("a heap of severed limbs")
    assert judge(gore, CHANNEL).clause == "gore"
    assert is_liftable(judge(gore, CHANNEL))
    assert judge(gore, CHANNEL, phrases).action is not Action.REFUSE
    law = request_of("step by step diagram of a pipe bomb")
    assert not is_liftable(judge(law, CHANNEL))
    assert judge(law, CHANNEL, phrases).action is Action.REFUSE


def test_server_lifts_gore_only_among_adults() -> None:
    lifted = Allowances(house_rules=frozenset({"gore"}))
    gore = request_of("a decapitated knight")
    assert judge(gore, GROWN_UP, lifted).action is not Action.REFUSE
    assert judge(gore, GROWN_UP).clause == "gore"
    assert judge(gore, CHANNEL, lifted).clause == "gore"


def test_sexual_pictures_of_real_people_are_refused_everywhere_without_appeal() -> None:
    verdict = judge(request_of("Taylor Swift naked"), GROWN_UP)
    assert (verdict.action, verdict.clause) == (Action.REFUSE, "real_person")
    assert not is_appealable(verdict)


def test_valid_card_number_is_refused_and_an_invalid_one_is_not() -> None:
    assert judge(request_of("a bank card with 4539 1488 0343 6467"), CHANNEL).rules[0] == "d.card"
    assert "d.card" not in judge(request_of("a bank card with 1234 5678 9012 3456"), CHANNEL).rules


def run(text: str, *options: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    assert main(list(options), io.StringIO(text)) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_command_line_answers_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    good, bad, empty = run("a cat\na naked woman on a bed\n\n", capsys=capsys)
    assert good == {"verdict": "allow", "clause": None, "rule": None, "reason": None, "picture": "usual"}
    assert (bad["verdict"], bad["clause"], bad["rule"]) == ("refuse", "adult", "adult.nudity")
    assert "naked" not in str(bad["reason"])
    assert empty["verdict"] == "allow"


def test_command_line_reads_json(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        {"prompt": "a naked woman on a bed", "age_restricted": True},
        {"prompt": "1girl", "negative_prompt": "naked"},
        {"prompt": "a woman in a park", "negative_prompt": "clothes"},
    ]
    answers = run("\n".join(map(json.dumps, lines)), "--json", "--scores", capsys=capsys)
    assert [answer["verdict"] for answer in answers] == ["allow", "allow", "refuse"]
    assert "scores" in answers[0]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("[1]", "not a JSON object"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("", "not JSON"),
        ('{"negative_prompt": "x"}', '"prompt" is missing'),
        ('{"prompt": 3}', '"prompt" must be a text'),
        ('{"prompt": "x", "age_restricted": "yes"}', '"age_restricted" must be true or false'),
    ],
)
def test_command_line_answers_a_line_it_can_not_read_and_goes_on(
    line: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good = json.dumps({"prompt": "a cat", "negative_prompt": None})
    assert main(["--json"], io.StringIO(f"{good}\n{line}\n{good}\n")) == 2
    first, wrong, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == last
    assert first["verdict"] == "allow"
    assert wrong["verdict"] == "error"
    assert complaint in wrong["reason"]
    assert "line 2" in wrong["reason"]
