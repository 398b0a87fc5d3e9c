"""Prompts as the model reads them: spelling, emphasis, tokens, windows, embeddings.

Danbooru spellings become those of the training captions, which had no underscores and no brackets and parted tags by
commas (Waifu Diffusion 1.3 release notes). `(tag)`, `[tag]` and `(tag:1.3)` weigh as in A1111's web UI; escaped
brackets are plain ones, which those captions don't have; `BREAK` starts a new window. A window is 75 tokens; longer
prompts take several, whose embeddings are put one behind the other.

The weighting is ours: compel (2.5.1) has another syntax, encodes every weighted phrase once more, and wants to own the
text encoder, so that prompts of different people couldn't be encoded in one batch. Nothing here imports torch before
`encode` is called.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from domain import InvalidRequest

_STEP = 1.1  # one pair of round brackets, as in A1111's web UI; square ones divide by it
_MAX_WEIGHT = 2.0
_LOOK_BACK = 20  # a window may end that many tokens early, at a comma, so that no tag is cut in two
_PAIRS = {")": "(", "]": "["}
_EMOTICON = re.compile(r"[^\w\s]?\S_\S[^\w\s]?")
_WEIGHT = re.compile(r"[+\-−–]?[0-9.]*[0-9][0-9.]*")
_DECIMAL_COMMA = re.compile(r":\s*[+\-−–]?[0-2]?, ?[0-9]+")
_BREAK = re.compile(r"\bBREAK\b")
_SEPARATORS = "()[]{}\\,.:;|…_"


@dataclass(frozen=True, slots=True)
class Fragment:
    """A stretch of a prompt with one weight; 1 is ordinary."""

    text: str
    weight: float = 1.0


Token = tuple[int, float]  # id, weight


@dataclass(frozen=True, slots=True)
class TokenReport:
    """How many tokens a prompt has, how many fit into one window, and the text beyond the first one."""

    count: int
    window: int
    beyond: str


def normalise(prompt: str) -> str:
    """The prompt in the spelling of the training captions: what the model reads, and what the member is shown.

    `blue_hair` → `blue hair`, `miku_(vocaloid)` and `miku \\(vocaloid\\)` → `miku vocaloid`; tags parted by spaces
    alone are parted by commas (`1girl blue_hair smile`). Emoticon tags (`>_<`) stay.
    Doing it twice changes nothing.
    """
    read = _normalise_once(prompt)
    while (again := _normalise_once(read)) != read:  # what one rule takes away can be what another looks for
        read = again
    return read


def _normalise_once(prompt: str) -> str:
    text = re.sub(r"\s+", " ", re.sub(r"\s*[，、]\s*", ", ", prompt)).strip()
    text = _comma_separated(text)
    text = re.sub(r"(?<=\w)_\(([^()]*)\)", r" \1", text)  # an underscore before a bracket: a Danbooru qualifier
    text = re.sub(r"_?\\[()\[\]]", " ", text)
    text = " ".join(_spaced(word) for word in text.split())
    text = re.sub(r"(?<!\\)\s+(?=[,)\]])", "", text)  # a backslash must not come to stand before a bracket
    tags = [tag.strip() for tag in text.split(",")]
    return ", ".join(tag for tag in tags if tag)


def _comma_separated(text: str) -> str:
    """Danbooru's own notation parts tags by spaces and words by underscores; a sentence with one such tag is not it."""
    words = text.split(" ")
    underscored = sum("_" in word and not _EMOTICON.fullmatch(word) for word in words)
    if len(words) < 2 or 3 * underscored < len(words) or re.search(r"[,.;!?|]|\\[()]|[(\[]\S* ", text):
        return text
    return ", ".join(words)


def _spaced(word: str) -> str:
    core = word.strip("()[],")
    return word if _EMOTICON.fullmatch(core) else re.sub(r"_+", " ", word).strip()


def parse(text: str) -> list[Fragment]:
    """Fragments with their weights; brackets that have no partner are plain text. Raises InvalidRequest.

    The fragments' texts hold everything the model will read, in order. A bracket's edge parts words, so that nobody
    spells a word in brackets that the policy has not read as one.
    """
    partners = _partners(text)
    openings = {closing: opening for opening, closing in partners.items()}
    found: list[Fragment] = []
    weights = [1.0]
    start = 0
    for index in sorted({*partners, *openings}):
        if index in partners:
            found.append(Fragment(_plain(text[start:index]), weights[-1]))
            weights.append(weights[-1] * _inner(text, index, partners[index])[1])
        else:
            end = _inner(text, openings[index], index)[0]
            found.append(Fragment(_plain(text[start : max(start, end)]), weights.pop()))
        start = index + 1
    found.append(Fragment(_plain(text[start:]), 1.0))
    return [fragment for fragment in found if fragment.text]


def _partners(text: str) -> dict[int, int]:
    """Where each opening bracket that has a partner is closed."""
    waiting: list[int] = []
    partners: dict[int, int] = {}
    for index, character in _unescaped(text):
        if character in "([":
            waiting.append(index)
        elif character in ")]" and waiting and text[waiting[-1]] == _PAIRS[character]:
            partners[waiting.pop()] = index
    return partners


def _unescaped(text: str) -> Iterator[tuple[int, str]]:
    skip = False
    for index, character in enumerate(text):
        if skip:
            skip = False
        elif character == "\\" and text[index + 1 : index + 2] in tuple("()[]\\"):
            skip = True
        elif character in "()[]":
            yield index, character


def _inner(text: str, opening: int, closing: int) -> tuple[int, float]:
    """Where a bracket's text ends (before `:1.3`), and the factor it weighs with. Raises InvalidRequest."""
    if text[opening] == "[":
        return closing, 1 / _STEP
    colon = text.rfind(":", opening + 1, closing)
    if colon < 0:
        return closing, _STEP
    number = text[colon + 1 : closing].strip()
    if not _WEIGHT.fullmatch(number):
        return _without_weight(text, opening, closing, colon)
    _refuse_emoticon(text[opening : closing + 1], text[colon - 1], number)
    return colon, _weight(text[opening : closing + 1], number)


def _without_weight(text: str, opening: int, closing: int, colon: int) -> tuple[int, float]:
    """A bracket without a number at its end, unless somebody wrote `1,3` for 1.3."""
    if _DECIMAL_COMMA.fullmatch(text[colon:closing].rstrip()):
        raise InvalidRequest(f"“{_short(text[opening : closing + 1])}”: write a weight with a point, such as 1.3.")
    return closing, _STEP


def _weight(bracket: str, number: str) -> float:
    try:
        factor = float(number.replace("−", "-").replace("–", "-"))
    except ValueError:
        raise InvalidRequest(f"“{_short(bracket)}”: {number} is no number that a tag can weigh.") from None
    if not 0 <= factor <= _MAX_WEIGHT:
        raise InvalidRequest(
            f"“{_short(bracket)}”: a tag's weight goes from 0 to {_MAX_WEIGHT:g}; {number} is outside. "
            "If it is meant as text, put a comma behind it or take it out of the brackets."
        )
    return factor


def _refuse_emoticon(bracket: str, before: str, number: str) -> None:
    """`(chibi, :0)` says a face or a weight; nobody can tell which, and weight 0 would take the words away."""
    if len(number) == 1 and (before in "(," or before.isspace()):
        raise InvalidRequest(
            f"“{_short(bracket)}”: :{number} could be a weight or an emoticon. Write the weight with a point and "
            f"straight behind the word (:{number}.0), or take the emoticon out of the brackets."
        )


def _short(bracket: str) -> str:
    return bracket if len(bracket) <= 60 else f"{bracket[:20]}…{bracket[-36:]}"


def is_blank(prompt: str) -> bool:
    """Whether nothing that could be painted is left of a prompt once it is read. Raises InvalidRequest."""
    read = parse(_BREAK.sub(" ", normalise(prompt)))
    return not any(_is_visible(character) for part in read if part.weight > 0 for character in part.text)


def _is_visible(character: str) -> bool:
    return character not in _SEPARATORS and unicodedata.category(character)[0] not in "CZM"


def _plain(text: str) -> str:
    return re.sub(r"\\([()\[\]\\])", r"\1", text)


def windows_of(tokenizer: Any, prompt: str) -> list[list[Token]]:
    """The tokens of a prompt, window by window, without start and end marks; at least one window, perhaps empty."""
    size = tokenizer.model_max_length - 2
    commas = set(tokenizer(",", add_special_tokens=False).input_ids)
    windows: list[list[Token]] = []
    for section in _sections(parse(normalise(prompt))):
        tokens = [(number, fragment.weight) for fragment in section for number in _ids(tokenizer, fragment.text)]
        windows.extend(_cut(tokens, size, commas))
    return windows or [[]]


def _sections(fragments: list[Fragment]) -> list[list[Fragment]]:
    sections: list[list[Fragment]] = [[]]
    for fragment in fragments:
        first, *others = _BREAK.split(fragment.text)
        sections[-1].append(Fragment(first, fragment.weight))
        sections.extend([Fragment(text, fragment.weight)] for text in others)
    return sections


def _cut(tokens: list[Token], size: int, commas: set[int]) -> Iterator[list[Token]]:
    while len(tokens) > size:
        last = next((at for at in range(size, max(size - _LOOK_BACK, 0), -1) if tokens[at - 1][0] in commas), size)
        yield tokens[:last]
        tokens = tokens[last:]
    if tokens:
        yield tokens


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, truncation=False, verbose=False).input_ids) if text else []


def count_windows(tokenizer: Any, prompt: str) -> int:
    """How many windows a prompt needs; at least one."""
    return len(windows_of(tokenizer, prompt))


def count_tokens(tokenizer: Any, prompt: str) -> TokenReport:
    """Tokens of a prompt without start and end marks, and what lies beyond the first window. Raises InvalidRequest."""
    windows = windows_of(tokenizer, prompt)
    beyond = [number for window in windows[1:] for number, _ in window]
    count = sum(len(window) for window in windows)
    return TokenReport(count, tokenizer.model_max_length - 2, tokenizer.decode(beyond).strip() if beyond else "")


def encode(text_encoder: Any, tokenizer: Any, prompts: list[str], clip_skip: int = 1, chunks: int = 1) -> Any:
    """Embeddings of prompts, each padded to `chunks` windows: a tensor [prompts, 77 * chunks, dim].

    `clip_skip` 1 takes the last layer, 2 the last but one, both through the final layer norm. Raises ValueError if a
    prompt needs more windows than `chunks`: nothing is left out in silence.
    """
    import torch

    rows: list[list[int]] = []
    weights: list[list[float]] = []
    for prompt in prompts:
        windows = windows_of(tokenizer, prompt)
        if len(windows) > chunks:
            raise ValueError(f"the prompt needs {len(windows)} windows, not {chunks}")
        for window in [*windows, *([[]] * (chunks - len(windows)))]:
            row, row_weights = _row(tokenizer, window)
            rows.append(row)
            weights.append(row_weights)
    with torch.inference_mode():
        hidden = _hidden(text_encoder, torch.tensor(rows, device=text_encoder.device), clip_skip)
        if any(weight != 1.0 for row_weights in weights for weight in row_weights):
            hidden = _weigh(hidden, torch.tensor(weights, device=hidden.device))
    return hidden.reshape(len(prompts), -1, hidden.shape[-1])


def _row(tokenizer: Any, window: list[Token]) -> tuple[list[int], list[float]]:
    """One window with start mark, end mark and padding, and a weight for each position."""
    padding = tokenizer.model_max_length - 2 - len(window)
    ids = [number for number, _ in window]
    row = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id, *([tokenizer.pad_token_id] * padding)]
    return row, [1.0, *(weight for _, weight in window), *([1.0] * (1 + padding))]


def _hidden(text_encoder: Any, ids: Any, clip_skip: int) -> Any:
    if clip_skip == 1:
        return text_encoder(ids).last_hidden_state
    states = text_encoder(ids, output_hidden_states=True).hidden_states
    return text_encoder.final_layer_norm(states[-clip_skip])


def _weigh(hidden: Any, weights: Any) -> Any:
    """Scale each token, then each window back to its own length: emphasis moves attention, not brightness.

    A1111's web UI restores the mean instead, which is close to zero for some encoders; rows without weights keep every
    bit.
    """
    scaled = hidden.float() * weights[..., None]
    before = hidden.float().flatten(1).norm(dim=1)
    after = scaled.flatten(1).norm(dim=1).clamp_min(1e-6)
    scaled = (scaled * (before / after)[:, None, None]).to(hidden.dtype)
    plain = (weights == 1.0).all(dim=1)[:, None, None]
    return hidden.where(plain, scaled)
