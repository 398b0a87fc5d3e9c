"""Syntax of other bots inside a prompt, split off before anything is judged or painted.

`a cat ### dog`, `a cat --no dog`, `a cat Negative prompt: dog` put their negative prompt into the prompt;
`Steps: 20, Seed: 5` (the block that A1111's web UI writes) and `--ar 16:9 --seed 5` (Midjourney) carry settings. What
stands before the first of them stays where it is, so that offsets stay true. Splitting twice changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from domain import Request

_HASHES = re.compile(r"(?<=[^\s#])\s*#{3,}\s*")
_NEGATIVE = re.compile(
    r"(?:(?:^|[\s,.;|(\[{])(?:negative[ _]prompts?|neg[ _]?prompts?)|[,.;|(\[{\n]\s*(?:negatives?|neg))\s*:{1,2}\s*",
    re.IGNORECASE,
)
_BLOCK = re.compile(r"(?:^|[\s,.])(?=Steps: ?\d+(?:,|\s*$))")
_BLOCK_ENTRY = re.compile(r"([A-Z][A-Za-z /]{1,24}): ?([^,\n]{1,80})")
_FLAG = re.compile(r"(?:^|\s)(?:--|\u2014|\u2013)([a-z]{1,10})(?=[\s\d:]|$)", re.IGNORECASE)
_MIDJOURNEY = """ar aspect c chaos cref creative cw exp fast h hd height iw niji no oref p personalize profile q quality
r raw relax repeat s sameseed seed sref stop stylize style stylise sv sw test testp tile turbo uplight upbeta upanime v
version video vibe w weird width"""
_FLAGS = frozenset(_MIDJOURNEY.split())
_BARE = """creative fast hd raw relax test testp tile turbo uplight upbeta upanime video"""
_BARE_FLAGS = frozenset(_BARE.split())
_FULL_NAMES = {"aspect": "ar", "height": "h", "width": "w"}
_DREAM_FLAG = re.compile(r"(?:^|\s)-([WHSCsnA])\s?(\d{1,10}(?:\.\d{1,3})?)(?=\s|$)")
_DREAM_NAMES = {"W": "w", "H": "h", "S": "seed", "C": "cfg", "s": "steps", "n": "images"}
_USED = frozenset(("ar", "w", "h", "seed", "cfg", "steps", "images", "no"))
_SIZE = re.compile(r"(\d{2,4})\s*x\s*(\d{2,4})")
_RATIO = re.compile(r"(\d{1,4})\s*[:x]\s*(\d{1,4})")
_MOST_DIGITS = 10
_MOST_TURNS = 8


@dataclass(frozen=True, slots=True)
class Inline:
    """A prompt without the syntax of other bots.

    `negative_prompt` holds what the prompt itself pushed away. `settings` maps "num_inference_steps",
    "guidance_scale", "seed", "width", "height" and "images" to numbers and "sampler" and "aspect_ratio" (`16:9`) to
    text, as far as the prompt named them; `ignored` lists the flags that mean nothing here.
    """

    prompt: str
    negative_prompt: str = ""
    settings: Mapping[str, int | float | str] = field(default_factory=dict[str, int | float | str])
    ignored: tuple[str, ...] = ()


def split(text: str) -> Inline:
    """`text` parted into prompt, negative prompt and settings."""
    found = _split_once(text)
    for _ in range(_MOST_TURNS):  # what one mark hid can be another
        again = _split_once(found.prompt)
        if again.prompt == found.prompt:
            return found
        negative = ", ".join(part for part in (again.negative_prompt, found.negative_prompt) if part)
        found = Inline(again.prompt, negative, {**found.settings, **again.settings}, found.ignored + again.ignored)
    return found


def split_request(request: Request) -> Request:
    """The request with its prompt split: what it pushed away joins the negative prompt. Settings stay."""
    inline = split(request.prompt)
    if not inline.negative_prompt and inline.prompt == request.prompt:
        return request
    negative = ", ".join(part for part in (request.negative_prompt.strip(), inline.negative_prompt) if part)
    return replace(request, prompt=inline.prompt, negative_prompt=negative)


def _split_once(text: str) -> Inline:
    text, block = _cut(text, _BLOCK)
    settings = _block_settings(block)
    text, negative = _cut(text, _NEGATIVE)
    prompt, flags, no = _split_flags(text)
    negative, more, more_no = _split_flags(negative)
    prompt, after_hashes = _cut(prompt, _HASHES)
    found = {**_flag_settings({**flags, **more}), **settings}
    ignored = tuple(name for name in {**flags, **more} if name not in _USED)
    parts = (*_HASHES.split(after_hashes), *_HASHES.split(negative), no, more_no)
    return Inline(prompt.rstrip(" \t\n,;|([{"), ", ".join(p for part in parts if (p := _trim(part))), found, ignored)


def _cut(text: str, mark: re.Pattern[str]) -> tuple[str, str]:
    """What stands before the first mark, and after it; without a mark everything stands before."""
    match = mark.search(text)
    return (text[: match.start()], text[match.end() :]) if match else (text, "")


def _trim(text: str) -> str:
    return text.strip(" \t\n,;|()[]{}")


def _split_flags(text: str) -> tuple[str, dict[str, str], str]:
    """The text without known flags, the flags with their values, and what `--no` pushes away (up to the next flag)."""
    text, flags = _split_dream_flags(text)
    marks = [mark for mark in _FLAG.finditer(text) if mark[1].casefold() in _FLAGS]
    kept = [text[: marks[0].start()] if marks else text]
    away: list[str] = []
    for index, mark in enumerate(marks):
        following = marks[index + 1] if index + 1 < len(marks) else None
        name = _FULL_NAMES.get(mark[1].casefold(), mark[1].casefold())
        value = text[mark.end() : following.start() if following else len(text)].strip()
        if name == "no":
            away.append(value)
            continue
        flags[name], _, rest = ("", "", value) if name in _BARE_FLAGS else value.partition(" ")
        kept.append(rest.strip())
    return " ".join(piece for piece in kept if piece), flags, ", ".join(away)


def _split_dream_flags(text: str) -> tuple[str, dict[str, str]]:
    """The text without `-W 512 -S 7` and the like, as the first Stable Diffusion bots took them, and those flags."""
    flags = {_DREAM_NAMES[mark[1]]: mark[2] for mark in _DREAM_FLAG.finditer(text) if mark[1] in _DREAM_NAMES}
    return _DREAM_FLAG.sub("", text), flags


def _flag_settings(flags: Mapping[str, str]) -> dict[str, int | float | str]:
    names = {"seed": "seed", "w": "width", "h": "height", "steps": "num_inference_steps", "images": "images"}
    found: dict[str, int | float | str] = {
        names[flag]: int(value) for flag, value in flags.items() if flag in names and _is_whole(value)
    }
    if (ratio := _RATIO.fullmatch(flags.get("ar", "").strip())) is not None:
        found["aspect_ratio"] = f"{ratio[1]}:{ratio[2]}"
    if _is_number(flags.get("cfg", "")):
        found["guidance_scale"] = float(flags["cfg"])
    return found


def _block_settings(block: str) -> dict[str, int | float | str]:
    """The settings of A1111's block: `Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x768, …`."""
    entries = {match[1].strip().casefold(): match[2].strip() for match in _BLOCK_ENTRY.finditer(block)}
    flags = {flag: entries.get(name, "") for name, flag in (("steps", "steps"), ("seed", "seed"), ("cfg scale", "cfg"))}
    if (size := _SIZE.fullmatch(entries.get("size", ""))) is not None:
        flags |= {"w": size[1], "h": size[2]}
    found = _flag_settings(flags)
    return {**found, "sampler": entries["sampler"]} if "sampler" in entries else found


def _is_whole(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS


def _is_number(value: str) -> bool:
    whole, _, rest = value.partition(".")
    return _is_whole(whole) and (not rest or _is_whole(rest))
