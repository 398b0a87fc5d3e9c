"""What the options that a prompt names mean here: settings, nothing, or a sentence that says why it can't be done."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Setting = int | float | str

_SIZE = re.compile(r"(\d{2,4})\s*x\s*(\d{2,4})")
_RATIO = re.compile(r"0*([1-9]\d{0,3})\s*[:x]\s*0*([1-9]\d{0,3})")
_MAX_DIGITS = 10
_LIKENESS = 0.75
_RANDOM_SEEDS = ("random", "-1")


@dataclass(frozen=True, slots=True)
class Values:
    """What a prompt named beside words.

    `settings` maps "num_inference_steps", "guidance_scale", "seed", "width", "height", "images", "clip_skip",
    "strength" and "upscale" to numbers and "sampler", "preset" and "aspect_ratio" (`16:9`) to text. `left_out` is what
    has no meaning here, as it was typed; `wrong` has a sentence for each option that can't be done as it stands.
    """

    settings: Mapping[str, Setting] = field(default_factory=dict[str, Setting])
    left_out: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()

    def __add__(self, other: Values) -> Values:
        settings = {**self.settings, **other.settings}
        return Values(settings, self.left_out + other.left_out, self.wrong + other.wrong)


def read_flags(flags: Mapping[str, str]) -> Values:
    """What `--flag value` says; a flag that nobody knows is left out, unless it is one of ours misspelt."""
    return sum((_flag(name, value) for name, value in flags.items()), Values())


def _flag(name: str, value: str) -> Values:
    if name in _FLAGS:
        return _read(_FLAGS[name], f"--{name}", value)
    near = difflib.get_close_matches(name, _NAMED, 1, _LIKENESS) if len(name) > 2 else []
    if near and name not in _OTHERS:
        return Values(wrong=(f"There is no option --{name}. Did you mean --{near[0]}?",))
    return Values(left_out=(f"--{name} {value}".strip(),))


def read_block(entries: Mapping[str, str]) -> Values:
    """What the entries of A1111's block (`Steps: 20, Sampler: Euler a, CFG scale: 7, Size: 512x768, …`) say."""
    found, named = Values(), {name.casefold(): value for name, value in entries.items()}
    for name, value in entries.items():
        folded = name.casefold()
        if folded == "sampler":
            found += Values({"sampler": _with_schedule(value, named.get("schedule type", ""))})
        elif folded == "denoising strength" and "hires upscale" in named:  # that of A1111's second pass; ours is fixed
            found += Values(left_out=(f"{name}: {value}",))
        elif folded in _ENTRIES:
            found += _read(_ENTRIES[folded], name, value)
        elif folded not in _HARMLESS:
            found += Values(left_out=(f"{name}: {value}",))
    return found


def _with_schedule(sampler: str, schedule: str) -> str:
    """A1111's newer name in two parts (`DPM++ 2M` and `Karras`) as its older one."""
    if schedule.casefold() in ("", "automatic", "uniform", "normal"):
        return sampler
    return sampler if sampler.casefold().endswith(schedule.casefold()) else f"{sampler} {schedule}"


def _read(setting: str, name: str, value: str) -> Values:
    read, needed = _SETTINGS[setting]
    if setting == "seed" and value.casefold() in _RANDOM_SEEDS:
        return Values()
    found = read(value.strip())
    if found is None:
        is_none = f"; “{value}” is none" if value else ""
        return Values(wrong=(f"{name} needs {needed}{is_none}.",))
    return Values(found if isinstance(found, dict) else {setting: found})


def _whole(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS else None


def _number(value: str) -> float | None:
    whole, _, rest = value.partition(".")
    return float(value) if _whole(whole) is not None and (not rest or _whole(rest) is not None) else None


def _ratio(value: str) -> str | None:
    found = _RATIO.fullmatch(value)
    return f"{found[1]}:{found[2]}" if found else None


def _size(value: str) -> dict[str, Setting] | None:
    found = _SIZE.fullmatch(value)
    return {"width": int(found[1]), "height": int(found[2])} if found else None


def _text(value: str) -> str | None:
    return value or None


_Reader = Callable[[str], Setting | dict[str, Setting] | None]
_WHOLE, _NUMBER = (_whole, "a whole number"), (_number, "a number such as 1.5")
_SETTINGS: Mapping[str, tuple[_Reader, str]] = {
    "num_inference_steps": _WHOLE,
    "guidance_scale": _NUMBER,
    "seed": _WHOLE,
    "width": _WHOLE,
    "height": _WHOLE,
    "images": _WHOLE,
    "clip_skip": _WHOLE,
    "upscale": _NUMBER,
    "strength": _NUMBER,
    "aspect_ratio": (_ratio, "two numbers such as 2:3"),
    "size": (_size, "a width and a height such as 512x768"),
    "sampler": (_text, "a name"),
    "preset": (_text, "a name"),
}
_FLAGS = {
    "ar": "aspect_ratio",
    "w": "width",
    "h": "height",
    "seed": "seed",
    "steps": "num_inference_steps",
    "cfg": "guidance_scale",
    "images": "images",
    "upscale": "upscale",
    "strength": "strength",
    "size": "size",
    "sampler": "sampler",
    "preset": "preset",
}
_NAMED = (*_FLAGS, "aspect", "width", "height", "guidance", "scheduler")
# Midjourney's own that look like ours.
_OTHERS = frozenset({"sameseed", "tile", "test", "testp", "weird", "style", "stylise", "stylize", "stop", "sref"})
_ENTRIES = {
    "steps": "num_inference_steps",
    "cfg scale": "guidance_scale",
    "seed": "seed",
    "size": "size",
    "clip skip": "clip_skip",
    "hires upscale": "upscale",
    "denoising strength": "strength",
    "preset": "preset",
}
# What says where a picture comes from, and nothing about its pixels.
_HARMLESS = frozenset({"version", "created date", "batch pos", "batch size", "schedule type", "scheduler", "hashes"})
