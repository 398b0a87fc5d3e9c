"""Spelling, emphasis, windows and embeddings of prompts."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain import InvalidRequest
from engine.request.prompt import count_tokens, count_windows, encode, normalise, parse, windows_of
from engine.request.tokenizer import clip_tokenizer
from engine.sampling.model import LoadedModel

TYPED = st.text(alphabet="ab1_ ,()[]\\:.<>^BREAK、\n", max_size=60)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return clip_tokenizer()


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("1girl, blue_hair,smile ,", "1girl, blue hair, smile"),
        ("1girl blue_hair long_hair smile", "1girl, blue hair, long hair, smile"),
        ("a girl with blue_hair on a beach", "a girl with blue hair on a beach"),
        ("hatsune_miku_(vocaloid)", "hatsune miku vocaloid"),
        (r"rem \(re:zero\), maid", "rem re:zero, maid"),
        (">_<, o_o, ^_^", ">_<, o_o, ^_^"),
        ("(long_hair:1.2), [sky]", "(long hair:1.2), [sky]"),
        ("cat，dog、bird", "cat, dog, bird"),
        ("plain words stay", "plain words stay"),
    ],
)
def test_danbooru_spelling_becomes_the_training_captions(typed: str, read: str):
    assert normalise(typed) == read


@given(TYPED)
@example("\\ )")
@example("a\\_)")
def test_normalising_twice_changes_nothing(typed: str):
    once = normalise(typed)
    assert normalise(once) == once


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("a", [("a", 1.0)]),
        ("a (b) c", [("a ", 1.0), ("b", 1.1), (" c", 1.0)]),
        ("((b))", [("b", 1.21)]),
        ("[b]", [("b", 1 / 1.1)]),
        ("(b:1.3)", [("b", 1.3)]),
        ("(a (b:1.5):0.5)", [("a ", 0.5), ("b", 0.75)]),
        ("(re:zero)", [("re:zero", 1.1)]),
        (r"\(b\)", [("(b)", 1.0)]),
        ("a :( b", [("a :( b", 1.0)]),
        ("a) [b", [("a) [b", 1.0)]),
    ],
)
def test_emphasis_weighs_as_in_the_web_ui(text: str, fragments: list[tuple[str, float]]):
    found = parse(text)
    assert [fragment.text for fragment in found] == [text for text, _ in fragments]
    assert [fragment.weight for fragment in found] == pytest.approx([weight for _, weight in fragments])


@given(TYPED)
def test_parsing_loses_no_word(typed: str):
    try:
        read = "".join(fragment.text for fragment in parse(typed))
    except InvalidRequest:
        return
    assert [letter for letter in read if letter in "ab"] == [letter for letter in typed if letter in "ab"]


def test_a_weight_beyond_the_limits_is_refused_with_a_sentence():
    with pytest.raises(InvalidRequest, match="from 0 to 2; 9 is outside"):
        parse("(smile:9)")


def test_a_thousand_brackets_are_read_at_once():
    assert parse("(" * 1000 + "a" + ")" * 999)[0].text == "("


def test_the_report_names_what_lies_beyond_the_window(tokenizer: Any):
    short = count_tokens(tokenizer, "1girl, smile")
    assert (short.count, short.window, short.beyond) == (4, 75, "")
    long = count_tokens(tokenizer, "cat, " * 40 + "dog")
    assert long.count == 81
    assert long.beyond.endswith("dog")
    assert long.beyond.split() == ["cat", ","] * ((81 - 1) // 2 - 37) + ["dog"]


def test_windows_end_at_commas_and_at_break(tokenizer: Any):
    windows = windows_of(tokenizer, "a photo of a cat, " * 20)
    comma = tokenizer(",", add_special_tokens=False).input_ids[0]
    assert all(window[-1][0] == comma for window in windows[:-1])
    assert all(len(window) <= 75 for window in windows)
    assert count_windows(tokenizer, "cat BREAK dog") == 2
    assert count_windows(tokenizer, "") == 1


@settings(max_examples=50, deadline=None)
@given(text=TYPED)
def test_no_token_is_lost_between_windows(tokenizer: Any, text: str):
    try:
        windows = windows_of(tokenizer, text)
    except InvalidRequest:
        return
    fragments = parse(normalise(text))
    count = sum(
        len(tokenizer(part, add_special_tokens=False).input_ids)
        for fragment in fragments
        for part in re.split(r"\bBREAK\b", fragment.text)
    )
    assert sum(len(window) for window in windows) == count


def stock_embeddings(model: LoadedModel, prompt: str) -> torch.Tensor:
    ids = model.tokenizer(prompt, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
    with torch.inference_mode():
        return model.text_encoder(ids).last_hidden_state


def test_a_plain_prompt_is_encoded_exactly_as_stock_diffusers_does(tiny_model: LoadedModel):
    ours = encode(tiny_model.text_encoder, tiny_model.tokenizer, ["1girl, smile"])
    assert torch.equal(ours, stock_embeddings(tiny_model, "1girl, smile"))


def test_clip_skip_two_takes_the_last_but_one_layer(tiny_model: LoadedModel):
    encoder, tokenizer = tiny_model.text_encoder, tiny_model.tokenizer
    seen: list[torch.Tensor] = []
    hook = encoder.encoder.layers[-2].register_forward_hook(
        lambda _module, _inputs, output: seen.append(output[0] if isinstance(output, tuple) else output)
    )
    stock_embeddings(tiny_model, "1girl")
    hook.remove()
    expected = encoder.final_layer_norm(seen[0])
    assert torch.allclose(encode(encoder, tokenizer, ["1girl"], clip_skip=2), expected, atol=1e-6)


def test_weights_change_their_prompt_and_no_other_in_the_batch(tiny_model: LoadedModel):
    encoder, tokenizer = tiny_model.text_encoder, tiny_model.tokenizer
    plain = encode(encoder, tokenizer, ["cat, dog", "cat, dog"])
    mixed = encode(encoder, tokenizer, ["cat, dog", "(cat:1.5), dog"])
    assert torch.equal(plain[0], mixed[0])
    assert not torch.allclose(plain[1], mixed[1])
    lengths = [tensor[1].float().norm() for tensor in (plain, mixed)]
    assert torch.allclose(lengths[0], lengths[1], rtol=1e-5)
    ratio = mixed[1, 1].norm() / plain[1, 1].norm() / (mixed[1, 3].norm() / plain[1, 3].norm())
    assert float(ratio) == pytest.approx(1.5, rel=1e-4)


def test_long_prompts_take_several_windows_and_lose_nothing(tiny_model: LoadedModel):
    encoder, tokenizer = tiny_model.text_encoder, tiny_model.tokenizer
    long = "a photo of a cat, " * 20
    chunks = count_windows(tokenizer, long)
    both = encode(encoder, tokenizer, [long, ""], chunks=chunks)
    assert both.shape == (2, 77 * chunks, 32)
    assert torch.equal(both[1, :77], both[1, 77:154])
    with pytest.raises(ValueError, match="windows"):
        encode(encoder, tokenizer, [long], chunks=1)


def test_reading_text_needs_no_torch():
    code = "import sys, engine.request.prompt as p; p.parse(p.normalise('blue_hair')); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
