"""The fields of the form for a picture: menus, radio buttons, texts and files, each filled in as it was.

What there is to choose from is the loaded model's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import discord
from discord import ui

from domain import ModelProfile
from domain.forms import NO_PRESET

# Discord's limits: of a text field's words as we ask for them, and of a menu's options.
MAX_PROMPT_CHARACTERS = 1000
MAX_NUMBERS_CHARACTERS = 300
MAX_OPTIONS = 25


def words_field(name: str, words: str, *, required: bool = True) -> ui.TextInput[Any]:
    """A prompt; Discord refuses a form whose own words are too long for it, and those of prompt channels may be."""
    return ui.TextInput(
        custom_id=name,
        style=discord.TextStyle.paragraph,
        default=words or None,
        required=required,
        max_length=max(MAX_PROMPT_CHARACTERS, len(words)),
    )


def numbers_field(numbers: str) -> ui.TextInput[Any]:
    return ui.TextInput(
        custom_id="numbers",
        style=discord.TextStyle.paragraph,
        default=numbers or None,
        required=False,
        max_length=max(MAX_NUMBERS_CHARACTERS, len(numbers)),
    )


def file_field(name: str) -> ui.FileUpload[Any]:
    return ui.FileUpload(custom_id=name, required=False, max_values=1)


def size_menu(size: str, profile: ModelProfile) -> ui.Select[Any]:
    """The model's shapes, and the size as it was where that is none of them."""
    options = [
        discord.SelectOption(label=f"{name.capitalize()} ({width}×{height})", value=f"{width}x{height}")
        for name, (width, height) in profile.shapes.items()
    ]
    return _menu("size", options, size, size.replace("x", "×"))


def preset_menu(preset: str, presets: Mapping[str, str]) -> ui.Select[Any]:
    none = discord.SelectOption(label="None", value=NO_PRESET, description="Steps and scheduler as they are below")
    options = [
        discord.SelectOption(label=name.capitalize(), value=name, description=description[:100])
        for name, description in presets.items()
    ]
    return _menu("preset", [none, *options], preset, preset)


def scheduler_menu(scheduler: str, schedulers: Mapping[str, str]) -> ui.Select[Any]:
    options = [discord.SelectOption(label=label, value=name) for name, label in schedulers.items()]
    return _menu("scheduler", options, scheduler, scheduler)


def _menu(name: str, options: list[discord.SelectOption], chosen: str, label: str) -> ui.Select[Any]:
    """A menu in which `chosen` is chosen, whether it is among the options or not."""
    options = options[: MAX_OPTIONS - 1]
    if chosen not in [one.value for one in options]:
        options.append(discord.SelectOption(label=label[:100], value=chosen, description="As it was"))
    for option in options:
        option.default = option.value == chosen
    return ui.Select(custom_id=name, options=options)


def radio(name: str, labels: Mapping[str, str], chosen: str, **descriptions: str) -> ui.RadioGroup[Any]:
    """Radio buttons from value → label, and by value what stands below a label."""
    options = [
        discord.RadioGroupOption(label=label, value=value, description=descriptions.get(value), default=value == chosen)
        for value, label in labels.items()
    ]
    return ui.RadioGroup(custom_id=name, options=options)


def images_choice(images: str, profile: ModelProfile) -> ui.RadioGroup[Any]:
    numbers = range(1, profile.max_images + 1)
    return radio("images", {str(n): "1 picture" if n == 1 else f"{n} pictures" for n in numbers}, images)
