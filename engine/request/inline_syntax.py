"""Syntax of other bots inside a prompt, split off before anything is judged or painted.

`a cat ### dog`, `a cat --no dog`, `a cat Negative prompt: dog` put their negative prompt into the prompt;
`Steps: 20, Seed: 5` (the block that A1111's web UI writes) and `--ar 16:9 --seed 5` (Midjourney) carry settings. What
stands before the first of them stays where it is, so that offsets stay true. Splitting twice changes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from domain import Request
from engine.request.inline_values import Values, read_block, read_flags

_HASHES = re.compile(r"(?<=[^\s#])\s*#{3,}\s*")
_NEGATIVE = re.compile(
    r"(?:(?:^|[\s,.;|(\[{])(?:negative[ _]prompts?|neg[ _]?prompts?)"
    # A run of blanks is read from its start alone, or many lines without a word would take their square in time.
    r"|(?:[,.;|(\[{]|(?<!\s)(?=[^\S\n]*\n))\s*+(?:negatives?|neg))\s*:{1,2}\s*",
    re.IGNORECASE,
)
_BLOCK = re.compile(r"(?:^|[\s,.])(?=Steps: ?\d+(?:,|\s*$))", re.MULTILINE)
# What A1111's web UI and its descendants write behind a picture: a line of these names with their values.
_BLOCK_NAMES = """Steps, Sampler, Schedule type, Scheduler, CFG scale, Distilled CFG Scale, Seed, Size, Model hash,
Model, VAE hash, VAE, Clip skip, ENSD, Eta, Denoising strength, Conditional mask weight, Mask blur, Masked content,
Inpaint area, Face restoration, Variation seed, Variation seed strength, Seed resize from, Batch size, Batch pos,
Version, RNG, Tiling, Emphasis, NGMS, Hires upscale, Hires upscaler, Hires steps, Hires resize, Hires prompt,
Hires strength, Hires negative prompt, Lora hashes, TI hashes, Hashes, Refiner, Refiner switch at, Token merging ratio,
Noise multiplier, First pass size, Created Date, Preset, Civitai resources, Civitai metadata, Hypernet,
Hypernet strength"""
_BLOCK_NAME = "|".join(name.strip() for name in _BLOCK_NAMES.split(","))
_BLOCK_ENTRY = re.compile(
    rf'\s*({_BLOCK_NAME}|(?:ControlNet|ADetailer)[\w ]{{0,30}}): ?("[^"\n]{{0,400}}"|[^,\n]{{0,80}})(?:,|(?=\n)|$)'
)
_FLAG = re.compile(r"(?:^|\s)(--|\u2014|\u2013)([a-z]{1,20})(?=[\s\d:]|$)", re.IGNORECASE)
_MIDJOURNEY = """ar aspect c chaos cref creative cw exp fast h hd height iw niji no oref p personalize profile q quality
r raw relax repeat s sameseed seed sref stop stylize style stylise sv sw test testp tile turbo uplight upbeta upanime v
version video vibe w weird width"""
_OURS = """cfg guidance images preset sampler scheduler size steps strength upscale"""
_FLAGS = frozenset((*_MIDJOURNEY.split(), *_OURS.split()))
_BARE = """creative fast hd raw relax test testp tile turbo uplight upbeta upanime video"""
_BARE_FLAGS = frozenset(_BARE.split())
_FULL_NAMES = {"aspect": "ar", "height": "h", "width": "w", "guidance": "cfg", "scheduler": "sampler"}
_WORD_FLAGS = frozenset({"sampler", "preset"})
_DREAM_FLAG = re.compile(r"(?:^|\s)-([WHSCsnA])\s?(\d{1,10}(?:\.\d{1,3})?)(?=\s|$)")
_DREAM_NAMES = {"W": "w", "H": "h", "S": "seed", "C": "cfg", "s": "steps", "n": "images"}
# What can be the value of a Midjourney flag; any other word behind it belongs to the prompt.
_VALUE = re.compile(
    r"[+-]?\d[\d.]*(?:[:x%]\d*)?(?=\s|$)|https?://\S+|(?:random|raw|cute|scenic|expressive|original|default|4[abc])(?=\s|$)"
)
_WORD = re.compile(r"(?!--)\S+")
_MAX_TURNS = 8


@dataclass(frozen=True, slots=True)
class Inline:
    """A prompt without the syntax of other bots.

    `negative_prompt` holds what the prompt itself pushed away, `values` what it named beside words.
    """

    prompt: str
    negative_prompt: str
    values: Values


def split(text: str) -> Inline:
    """`text` parted into prompt, negative prompt and settings."""
    found = _split_once(text)
    for _ in range(_MAX_TURNS):  # what one mark hid can be another
        again = _split_once(found.prompt)
        if again.prompt == found.prompt:
            return found
        negative = joined(again.negative_prompt, found.negative_prompt)
        found = Inline(again.prompt, negative, found.values + again.values)
    return found


def split_request(request: Request) -> Request:
    """The request with its prompt split: what it pushed away joins the negative prompt. Settings stay."""
    inline = split(request.prompt)
    if not inline.negative_prompt and inline.prompt == request.prompt:
        return request
    return replace(
        request, prompt=inline.prompt, negative_prompt=joined(request.negative_prompt, inline.negative_prompt)
    )


def joined(*parts: str) -> str:
    """Lists of tags as one; empty ones leave no comma."""
    return ", ".join(part for text in parts if (part := text.strip()))


def _split_once(text: str) -> Inline:
    text, entries = _split_block(text)
    text, negative = _cut(text, _NEGATIVE)
    prompt, flags, no = _split_flags(text)
    negative, more, more_no = _split_flags(negative)
    prompt, after_hashes = _cut(prompt, _HASHES)
    parts = (*_HASHES.split(after_hashes), *_HASHES.split(negative), no, more_no)
    away = joined(*(_trim(part) for part in parts))
    values = read_flags({**flags, **more}) + read_block(entries)
    return Inline(prompt.rstrip(" \t\n,;|([{"), away, values)


def _split_block(text: str) -> tuple[str, dict[str, str]]:
    """The text without A1111's block, and its entries; words behind the block are words of the prompt."""
    start = _BLOCK.search(text)
    if start is None:
        return text, {}
    end, entries = start.end(), dict[str, str]()
    while (entry := _BLOCK_ENTRY.match(text, end)) is not None and entry.end() > end:
        entries.setdefault(entry[1], entry[2].strip())
        end = entry.end()
    words = (text[: start.start()].rstrip(" \t\n,"), text[end:].strip())
    return "\n".join(part for part in words if part), entries


def _cut(text: str, mark: re.Pattern[str]) -> tuple[str, str]:
    """What stands before the first mark, and after it; without a mark everything stands before."""
    match = mark.search(text)
    return (text[: match.start()], text[match.end() :]) if match else (text, "")


def _trim(text: str) -> str:
    return text.strip(" \t\n,;|()[]{}")


def _split_flags(text: str) -> tuple[str, dict[str, str], str]:
    """The text without flags, the flags with their values, and what `--no` pushes away (up to the next flag)."""
    text, flags = _split_dream_flags(text)
    marks = [mark for mark in _FLAG.finditer(text) if mark[1] == "--" or mark[2].casefold() in _FLAGS]
    kept = [text[: marks[0].start()] if marks else text]
    away: list[str] = []
    for index, mark in enumerate(marks):
        following = marks[index + 1] if index + 1 < len(marks) else None
        name = _FULL_NAMES.get(mark[2].casefold(), mark[2].casefold())
        value = text[mark.end() : following.start() if following else len(text)].strip()
        if name == "no":
            away.append(value)
            continue
        flags[name], rest = ("", value) if name in _BARE_FLAGS else _part_value(name, value)
        kept.append(rest)
    return " ".join(piece for piece in kept if piece), flags, ", ".join(away)


def _part_value(name: str, text: str) -> tuple[str, str]:
    """A flag's value, perhaps empty, and the words behind it."""
    match = (_WORD if name in _WORD_FLAGS else _VALUE).match(text)
    end = match.end() if match else 0
    return text[:end], text[end:].strip()


def _split_dream_flags(text: str) -> tuple[str, dict[str, str]]:
    """The text without `-W 512 -S 7` and the like, as the first Stable Diffusion bots took them, and those flags."""
    flags = {_DREAM_NAMES[mark[1]]: mark[2] for mark in _DREAM_FLAG.finditer(text) if mark[1] in _DREAM_NAMES}
    return _DREAM_FLAG.sub("", text), flags
