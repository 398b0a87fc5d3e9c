"""What people type besides tags: numbers in brackets, emoji, mentions, Markdown, and prompts of nothing."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import DEFAULT_STRENGTH, InvalidRequest, Place, RequestOptions
from domain.settings import GuildSettings
from engine.policy import Allowances
from engine.prepare import prepare
from engine.request.chat_markup import without_markup
from engine.request.prompt import TokenReport, is_blank, normalise, parse
from tests.support.idle_backend import IdleBackend
from tests.support.requests import USUAL_REQUEST as GOOD

SHORT = TokenReport(3, 75, "")


@pytest.mark.parametrize(
    ("text", "words", "weight"),
    [
        ("(cat:1.)", "cat", 1.0),
        ("(cat:.5)", "cat", 0.5),
        ("(cat:+1.2)", "cat", 1.2),
        ("(cat: 1.3 )", "cat", 1.3),
        ("(cat :1.3)", "cat ", 1.3),
        ("(cat:2)", "cat", 2.0),
        ("(cat:0)", "cat", 0.0),
        ("(cat:00000000000000000000000000001.5)", "cat", 1.5),
        ("(re:zero:1.2)", "re:zero", 1.2),
        ("(16:9, wide)", "16:9, wide", 1.1),
        ("(cat girl, :3, smile)", "cat girl, :3, smile", 1.1),
        ("(time 10:30, 5)", "time 10:30, 5", 1.1),
    ],
)
def test_numbers_at_the_end_of_a_bracket_weigh(text: str, words: str, weight: float) -> None:
    (fragment,) = parse(text)
    assert fragment.text == words
    assert fragment.weight == pytest.approx(weight)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("(cat girl, :3)", "could be a weight or an emoticon"),
        ("(chibi, :0)", "could be a weight or an emoticon"),
        ("(:1)", "could be a weight or an emoticon"),
        ("smile, (:3)", "could be a weight or an emoticon"),
        ("(clock, 10:30)", "goes from 0 to 2; 30 is outside"),
        ("(16:9)", "9 is outside"),
        ("(score 3:10)", "10 is outside"),
        ("(hat:-1)", "-1 is outside"),
        ("(hat:-0.5)", "-0.5 is outside"),
        ("(hat:−1)", "−1 is outside"),
        ("(hat:1.2.3)", "1.2.3 is no number"),
        ("(hat:..5)", "..5 is no number"),
        ("(hat:1,3)", "with a point"),
        ("(hat:1, 3)", "with a point"),
        ("(hat:0,75)", "with a point"),
    ],
)
def test_what_is_no_clear_weight_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(sentence)):
        parse(normalise(text))


@given(st.from_regex(r"\(cat ?:[ ]?[+\-]?[0-9.]{1,6}[ ]?\)", fullmatch=True))
def test_a_weight_is_never_painted_as_digits(text: str) -> None:
    try:
        read = "".join(fragment.text for fragment in parse(normalise(text)))
    except InvalidRequest:
        return
    assert not any(character.isdigit() for character in read)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("1girl <:blobcat:1234567890123456789> smile", "1girl smile"),
        ("1girl, <a:wave:12>, smile", "1girl, smile"),
        ("<@123> 1girl <@!45> <@&6> <#7>", "1girl"),
        ("1girl <t:1700000000:R> night <t:5>", "1girl night"),
        ("</imagine:99> cat </quota show:1>", "cat"),
        ("<id:customize> cat", "cat"),
        ("@everyone cat @here", "cat"),
        ("cat \U0001f600, dog\U0001f44d\U0001f3fd", "cat, dog"),
        ("family \U0001f468\u200d\U0001f469 \U0001f1ef\U0001f1f5 1\ufe0f\u20e3 \u2764\ufe0f \u2b50", "family"),
        ("**bold** ||hidden|| ~~gone~~ `code`", "bold hidden gone code"),
        ("♥, ☆, ♪, lucky☆star", "♥, ☆, ♪, lucky☆star"),
        ("<lora, 3 < 4 > 2, a@b, :smile", "<lora, 3 < 4 > 2, a@b, :smile"),
        (">_<, o_o, ^_^, :3", ">_<, o_o, ^_^, :3"),
    ],
)
def test_emoji_mentions_and_markdown_are_taken_out(typed: str, read: str) -> None:
    assert normalise(without_markup(typed)) == read


def test_what_is_taken_out_joins_no_words() -> None:
    assert without_markup("ab<:x:1>cd").split() == ["ab", "cd"]
    assert normalise(without_markup("ab\U0001f600cd **ef**gh")) == "ab cd ef gh"


@given(st.text(alphabet="<>:@#!&/at123*|~`\U0001f600\ufe0f\u200d ", max_size=40))
def test_reading_twice_changes_nothing(typed: str) -> None:
    read = normalise(without_markup(typed))
    assert normalise(without_markup(read)) == read


def test_the_policy_judges_and_the_row_keeps_what_will_be_painted() -> None:
    wanted = replace(GOOD, prompt="tree <:naked:1> <@5>", negative_prompt="hat \U0001f600")
    prepared = prepare(IdleBackend(), wanted, GuildSettings(), Place(guild_id=1, channel_id=2), Allowances())
    assert (prepared.request.prompt.split(), prepared.request.negative_prompt) == (["tree"], "hat")
    assert prepared.approved is not None
    assert prepared.approved.request == prepared.request


@pytest.mark.parametrize("markup", ["||||", "**", "<@5>", "\U0001f600", "`"])
@pytest.mark.parametrize("mark", [" ### ", " --no ", ", negative prompt: "])
def test_markup_around_other_bots_syntax_changes_nothing(markup: str, mark: str) -> None:
    for text in (f"tree {markup}{mark}{markup} hat", f"tree {mark[:3]}{markup}{mark[3:]} hat"):
        prepared = prepare(
            IdleBackend(), options(prompt=text), GuildSettings(), Place(guild_id=1, channel_id=2), Allowances()
        )
        again = prepare(IdleBackend(), prepared.request, GuildSettings(), Place(guild_id=1, channel_id=2), Allowances())
        assert prepared.approved is not None
        assert prepared.approved.request == prepared.request == again.request


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [("tree --seed 0", "seed", 0), ("tree\nSteps: 20, Seed: 0", "seed", 0), ("tree --seed 7", "seed", 7)],
)
def test_a_setting_of_zero_is_a_setting(text: str, name: str, value: int) -> None:
    prepared = prepare(IdleBackend(), options(prompt=text), GuildSettings(), Place(), Allowances())
    assert getattr(prepared.request, name) == value


@pytest.mark.parametrize(
    ("text", "sentence"), [("tree\nSteps: 0", "steps"), ("tree --w 0", "width"), ("tree --h 0 --w 512", "height")]
)
def test_an_impossible_setting_in_the_prompt_is_refused_like_any_other(text: str, sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=f"(?i){sentence}"):
        prepare(IdleBackend(), options(prompt=text), GuildSettings(), Place(), Allowances())


@pytest.mark.parametrize(
    "prompt",
    [
        *("", "  ", ", ,", "()", "[[]]", "((, ))", "(:1.3)", "BREAK", "BREAK, BREAK", "___", "\\(\\)", "\u200b"),
        *("\u2060, \u200d", "<@123>", "<:a:1> <a:b:2>", "\U0001f600", "||  ||", "(cat:0)", "...", "(<@1>:1.2)"),
    ],
)
def test_a_prompt_of_which_nothing_is_left_is_refused_before_it_costs(prompt: str) -> None:
    assert is_blank(without_markup(prompt))
    with pytest.raises(InvalidRequest, match="Say what to paint"):
        prepare(IdleBackend(), replace(GOOD, prompt=prompt), GuildSettings(), Place(), Allowances())


@pytest.mark.parametrize("prompt", [">_<", "-_-", ":3", "♥", "木", "(cat:0.1)", "!!!", "a", "(cat:0), dog"])
def test_short_prompts_are_prompts(prompt: str) -> None:
    assert not is_blank(prompt)


def options(**changes: object) -> RequestOptions:
    return RequestOptions(**{"prompt": "tree", **changes})  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"strength": 0.5}, "strength needs a start picture"),
        ({"strength": DEFAULT_STRENGTH}, "strength needs a start picture"),
        ({"mask_image": b"x"}, "mask needs a start picture"),
        ({"mask_image": b"x", "strength": 0.5}, "needs a start picture"),
    ],
)
def test_what_needs_a_start_picture_is_refused_without_one(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        prepare(IdleBackend(), options(**changes), GuildSettings(), Place(), Allowances())


def test_a_start_picture_alone_gets_the_usual_strength() -> None:
    prepared = prepare(IdleBackend(), options(init_image=b"x"), GuildSettings(), Place(), Allowances())
    assert prepared.request.strength == DEFAULT_STRENGTH
    assert (
        prepare(
            IdleBackend(), options(init_image=b"x", strength=0.3), GuildSettings(), Place(), Allowances()
        ).request.strength
        == 0.3
    )
