"""Levelling of spelling and parsing of prompt syntax: pure, idempotent, with offsets, and linear in the text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import InvalidRequest
from engine.policy.normalise import fold
from engine.policy.parse import branches
from engine.policy.patterns import passes_luhn, passes_mod97
from engine.policy.respell import Respelt, Speller
from engine.policy.tokens import read, repair
from engine.request.prompt import normalise, parse
from tests.support.work import growth

HOSTILE = st.text(
    alphabet=st.one_of(
        st.characters(),
        st.sampled_from("()[]|:\\,&#;%x20aeinsu013$@!*-._ \u200b\u202e\u202c\u0301\u3099がカﾞéÅßıſﬁ🍑🅰Ａ𝓪ᴀа"),
    ),
    max_size=200,
)


@given(HOSTILE)
@settings(max_examples=300, deadline=None)
def test_folding_twice_changes_nothing_more(text: str) -> None:
    once = fold(text).text
    assert fold(once).text == once


@given(HOSTILE)
@settings(max_examples=200, deadline=None)
def test_every_folded_character_knows_its_place(text: str) -> None:
    folded = fold(text)
    assert len(folded.text) == len(folded.positions)
    assert all(0 <= place < len(text) for place in folded.positions)


@given(HOSTILE)
@settings(max_examples=200, deadline=None)
def test_every_branch_keeps_places_and_loses_no_word(text: str) -> None:
    found = branches(text)
    assert all(len(branch.text) == len(branch.positions) for branch in found)
    assert all(0 <= place < len(text) for branch in found for place in branch.positions)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("ᴋɪᴛᴛᴇɴ", "kitten"),
        ("🅺🅸🆃🆃🅴🅽", "kitten"),
        ("𝓴𝓲𝓽𝓽𝓮𝓷", "kitten"),
        ("ｋｉｔｔｅｎ", "kitten"),
        ("k̶i̶t̶t̶e̶n̶", "kitten"),
        ("kit\u200bt\u00aden", "kitten"),
        ("\u202enettik\u202c", "kitten"),
        ("k&#105;tt&#x65;n", "kitten"),
        ("k%69tten", "kitten"),
        ("Łódź Straße café", "lodz strasse cafe"),
        ("ｶﾞｷﾞ", "ガギ"),
        ("100%cotton &amp; silk", "100%cotton & silk"),
    ],
)
def test_what_reads_the_same_becomes_the_same(text: str, plain: str) -> None:
    assert fold(text).text == plain


@pytest.mark.parametrize(
    ("prompt", "readings"),
    [
        ("a (cat:1.3) and [dog]", {"a (cat) and dog"}),
        ("[cat:dog:0.5] runs", {"cat dog runs", "cat runs", "dog runs"}),
        ("[cat|dog|fox]", {"cat dog fox", "cat", "dog", "fox"}),
        ("[cat:0.5]", {"cat"}),
        ("[[a|b]:c:.3]", {"a b c", "a", "c"}),
        ("[[a|b]:c:3]", {"a b c 3", "a", "c", "3"}),
        ("cat:14)", {"cat:14)"}),
        ("\\(cat:14\\)", {"\\(cat:14\\)"}),
        ("a_(cat:1.2) (cat:1 4)", {"a_(cat:1.2) (cat:1 4)"}),
        ("((cat:1.2) dog: 1.5 )", {"((cat) dog)"}),
        ("\\[cat|dog\\]", {"\\[cat|dog\\]"}),
        ("cat BREAK dog", {"cat ,,,,, dog"}),
        ("SAND [unclosed|bracket", {"SAND unclosed bracket", "SAND unclosed", "SAND bracket"}),
    ],
)
def test_every_alternative_is_read(prompt: str, readings: set[str]) -> None:
    assert {branch.text for branch in branches(prompt)} == readings


@given(st.lists(st.sampled_from(["cat", " ", "(", ")", "[", "]", ":", "|", "_", "\\", ",", "14", "7", "1.3", "0.5"])))
@settings(max_examples=400, deadline=None)
def test_every_whole_number_that_is_painted_is_read(pieces: list[str]) -> None:
    prompt = "".join(pieces)
    try:
        painted = " ".join(fragment.text for fragment in parse(normalise(prompt)))
    except InvalidRequest:
        return
    read = branches(prompt)[0].text
    for number in ("14", "7"):
        assert len(re.findall(rf"(?<![\d.]){number}(?![\d.])", painted)) <= len(re.findall(number, read))


@pytest.mark.parametrize("unit", ["&amp;", "[a|", "%41", "\u202ea", "é", "(a:1.", ":0.5)", "a\u0301\u200b", "[a:b:"])
def test_work_grows_no_faster_than_the_text(unit: str) -> None:
    assert growth(lambda text: (fold(text), branches(text)), unit, size=2_000, times=4) < 5


def test_check_digits() -> None:
    assert passes_luhn("4539148803436467")
    assert not passes_luhn("4539148803436468")
    assert not passes_luhn("0000000000000000")
    assert passes_mod97("de89370400440532013000")
    assert not passes_mod97("de89370400440532013001")
    assert not passes_mod97("de")


@pytest.mark.parametrize(
    ("word", "respelt"),
    [
        ("k1tten", Respelt(("kitten",), guessed=False)),
        ("|<1tten", Respelt(("kitten",), guessed=False)),
        ("|<itten", Respelt(("kitten",), guessed=False)),
        ("kitetn", Respelt(("kitten",), guessed=True)),
        ("iktten", Respelt((), guessed=True)),
        ("kitten" * 7, Respelt(("kitten",) * 7, guessed=True)),
    ],
)
def test_a_respelling_is_sure_where_the_trick_can_be_seen_and_a_guess_elsewhere(word: str, respelt: Respelt) -> None:
    assert Speller(["kitten"]).respell(word) == respelt


def test_letters_that_are_not_all_words_are_no_words_written_together() -> None:
    speller = Speller(["kitten", "handle"])
    assert speller.segment("kittenhandle") == ("kitten", "handle")
    assert speller.segment("kittenhandlq") == ()


@pytest.mark.parametrize(
    ("text", "words"), [("live nettik", ["live", "kitten"]), ("live nettik xalbroz", ["evil", "kitten", "zorblax"])]
)
def test_a_text_is_turned_when_several_words_are_known_backwards(text: str, words: list[str]) -> None:
    folded = fold(text)
    assert [token.text for token in repair(folded, read(folded), Speller(["kitten", "zorblax"]))] == words
