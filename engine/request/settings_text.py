"""A request's settings as text that people read, change and paste: `Steps: 20, Sampler: Euler a, Seed: 5`.

The names are those of A1111's web UI, so that a line from there is understood, and ours for what it lacks. What a form
offers as menus stands in the first line, its numbers in the second.
"""

from __future__ import annotations

import difflib
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from domain import SEED_LIMIT, InvalidRequest, Request
from domain.forms import NO_PRESET, FormFields
from engine.request.presets import apply_preset
from engine.request.schedulers import label_of, scheduler_named

_SIZE = re.compile(r"(\d{1,5})\s*[x×*]\s*(\d{1,5})")
_ENTRY = re.compile(r"\s*([^:,\n]{1,40}?)\s*[:=]\s*([^,\n]{0,60}?)\s*(?:,|\n|$)")
_MENUS = re.compile(r"Size: (.*), Pictures: (.*), Preset: (.*), Sampler: (.*)")
_RANDOM = ("", "-1", "random", "new")


def fields_of(request: Request) -> FormFields:
    """A request's settings, field by field."""
    numbers: dict[str, object] = {
        "Steps": request.num_inference_steps,
        "Guidance": f"{request.guidance_scale:g}",
        "Seed": request.seed,
        "Upscale": f"{request.upscale:g}",
    }
    if request.init_image is not None:
        numbers["Strength"] = f"{request.strength:g}"
    return FormFields(
        size=f"{request.width}x{request.height}",
        images=str(request.images),
        preset=request.preset or NO_PRESET,
        scheduler=request.scheduler,
        numbers=", ".join(f"{name}: {value}" for name, value in numbers.items()),
    )


def write_settings(request: Request) -> str:
    """Everything but words and files; read_settings gives the same request back."""
    return join_fields(fields_of(request))


def join_fields(fields: FormFields) -> str:
    """A form's fields as text: its menus in the first line, its numbers, whatever was typed, behind it."""
    menus = {"Size": fields.size, "Pictures": fields.images, "Preset": fields.preset}
    line = ", ".join(f"{name}: {value}" for name, value in menus.items())
    return f"{line}, Sampler: {label_of(fields.scheduler)}\n{fields.numbers}"


def split_fields(text: str, request: Request) -> FormFields:
    """The fields that join_fields made this text from; other text is all numbers, with the request's own menus."""
    menus, newline, numbers = text.partition("\n")
    found = _MENUS.fullmatch(menus) if newline else None
    if found is None:
        return replace(fields_of(request), numbers=text)
    size, images, preset, sampler = found.groups()
    scheduler = scheduler_named(sampler) or request.scheduler
    return FormFields(size=size, images=images, preset=preset, scheduler=scheduler, numbers=numbers)


def read_settings(
    text: str, request: Request, shapes: Mapping[str, tuple[int, int]], shown: Request | None = None
) -> Request:
    """`request` with what the text changes of `shown` (itself, if None); the rest stays.

    A new preset brings its own steps and scheduler unless the text changes those, too. Raises InvalidRequest for
    anything that is no setting.
    """
    before = _entries(write_settings(request if shown is None else shown))
    entries = {name: value for name, value in _entries(text).items() if value != before.get(name)}
    chosen = entries.pop("preset", None)
    if chosen is not None:
        request = _with_preset(request, chosen)
    for name, value in entries.items():
        request = replace(request, **_READERS[name](value, shapes))
    return request


def _entries(text: str) -> dict[str, str]:
    """Setting → value as typed. Raises InvalidRequest for what is no `Name: value`."""
    found: dict[str, str] = {}
    position = 0
    while text[position:].strip(" ,\n"):
        entry = _ENTRY.match(text, position)
        if entry is None:
            raise InvalidRequest(
                f"“{text[position:].strip()[:40]}” is no setting. Write them like this: Steps: 20, Seed: 5"
            )
        found[_canonical(entry[1])] = entry[2]
        position = entry.end()
    return found


def _canonical(name: str) -> str:
    folded = name.strip().casefold()
    known = _NAMES.get(folded)
    if known is None:
        near = difflib.get_close_matches(folded, _NAMES, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise InvalidRequest(f"There is no setting “{name.strip()[:40]}”.{hint} There are: {', '.join(_SHOWN)}.")
    return known


def _with_preset(request: Request, name: str) -> Request:
    if name in ("", NO_PRESET):
        return replace(request, preset=None, guidance_interval=(0.0, 1.0))
    return apply_preset(request, name)


def _size(value: str, shapes: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    if value.casefold() in shapes:
        width, height = shapes[value.casefold()]
    elif (found := _SIZE.fullmatch(value)) is not None:
        width, height = int(found[1]), int(found[2])
    else:
        raise InvalidRequest(f"“{value}” is no size. Write 512x768, or one of {', '.join(shapes)}.")
    return {"width": width, "height": height}


def _seed(value: str, _: object) -> dict[str, Any]:
    if value.casefold() in _RANDOM:
        return {"seed": secrets.randbelow(SEED_LIMIT)}
    if not value.isascii() or not value.isdigit() or int(value) >= SEED_LIMIT:
        raise InvalidRequest(f"A seed is a whole number from 0 to {SEED_LIMIT - 1}, or empty for a new one.")
    return {"seed": int(value)}


def _sampler(value: str, _: object) -> dict[str, Any]:
    return {"scheduler": scheduler_named(value) or value}


def _whole(field: str, what: str) -> Callable[[str, object], dict[str, Any]]:
    def read(value: str, _: object) -> dict[str, Any]:
        if not value.isascii() or not value.isdigit() or len(value) > 6:
            raise InvalidRequest(f"{what} takes a whole number; “{value}” is none.")
        return {field: int(value)}

    return read


def _number(field: str, what: str) -> Callable[[str, object], dict[str, Any]]:
    def read(value: str, _: object) -> dict[str, Any]:
        if re.fullmatch(r"\d{1,4}(?:\.\d{1,6})?", value) is None:
            raise InvalidRequest(f"{what} takes a number such as 1.5; “{value}” is none.")
        return {field: float(value)}

    return read


_SHOWN = ("Size", "Steps", "Sampler", "Guidance", "Seed", "Pictures", "Upscale", "Preset", "Strength")
_NAMES = {name.casefold(): name.casefold() for name in _SHOWN} | {
    "cfg scale": "guidance",
    "guidance scale": "guidance",
    "scheduler": "sampler",
    "images": "pictures",
    "shape": "size",
    "hires upscale": "upscale",
    "denoising strength": "strength",
}
_READERS: dict[str, Callable[[str, Mapping[str, tuple[int, int]]], dict[str, Any]]] = {
    "size": _size,
    "seed": _seed,
    "sampler": _sampler,
    "steps": _whole("num_inference_steps", "Steps"),
    "pictures": _whole("images", "Pictures"),
    "guidance": _number("guidance_scale", "Guidance"),
    "upscale": _number("upscale", "Upscale"),
    "strength": _number("strength", "Strength"),
}
