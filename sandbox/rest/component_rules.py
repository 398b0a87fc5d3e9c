"""What Discord refuses in a message's components: which may stand where, how many, buttons and menus."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlparse

from sandbox.rest.forms import Problem
from sandbox.rest.layout_rules import layout_problems
from sandbox.world.layout import (
    ACTION_ROW,
    BUTTON,
    CONTAINER,
    FILE,
    MEDIA_GALLERY,
    SECTION,
    SELECTS,
    SEPARATOR,
    STRING_SELECT,
    TEXT_DISPLAY,
    THUMBNAIL,
    Path,
    texts,
    walk,
    walk_with_paths,
)
from sandbox.world.things import Json

LINK_BUTTON, PREMIUM_BUTTON = 5, 6
MAX_ROWS, MAX_COMPONENTS, MAX_TEXT, MAX_CHOICES = 5, 40, 4000, 25
BLOCKS = {ACTION_ROW, SECTION, TEXT_DISPLAY, MEDIA_GALLERY, FILE, SEPARATOR}
# What may be directly in what; None is the message itself.
CHILDREN: dict[int | None, set[int]] = {
    None: BLOCKS | {CONTAINER},
    CONTAINER: BLOCKS,
    SECTION: {TEXT_DISPLAY},
    ACTION_ROW: {BUTTON, *SELECTS},
}
ACCESSORIES = {BUTTON, THUMBNAIL}


def component_problems(components: list[Json], *, is_v2: bool, files: set[str]) -> Iterator[Problem]:
    """Everything that is wrong; `files` are the names that `attachment://` can mean."""
    yield from _sizes(components, is_v2=is_v2)
    custom_ids, ids = set[str](), set[int]()
    for path, one, parent in walk_with_paths(components):
        yield from _placed(path, one, parent, is_v2=is_v2)
        yield from _unique(path, one, custom_ids, ids)
        yield from interactive_problems(path, one)
        yield from layout_problems(path, one, files)


def _sizes(components: list[Json], *, is_v2: bool) -> Iterator[Problem]:
    here: Path = ("components",)
    if not is_v2 and len(components) > MAX_ROWS:
        yield Problem(here, "BASE_TYPE_BAD_LENGTH", f"{len(components)} rows of components, at most {MAX_ROWS}")
    if not is_v2:
        return
    if (count := sum(1 for _ in walk(components))) > MAX_COMPONENTS:
        told = f"{count} components in all, those inside of others counted, at most {MAX_COMPONENTS}"
        yield Problem(here, "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", told)
    if (length := sum(map(len, texts(components)))) > MAX_TEXT:
        told = f"Components displayable text size exceeds maximum size of {MAX_TEXT} ({length})"
        yield Problem(here, "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", told)


def _placed(path: Path, one: Json, parent: Json | None, *, is_v2: bool) -> Iterator[Problem]:
    kind, outer = one.get("type"), parent.get("type") if parent else None
    if path[-1] == "accessory":
        fits = kind in ACCESSORIES
    elif parent is None and not is_v2:
        fits = kind == ACTION_ROW
        if not fits:
            told = "a component outside a row, in a message without MessageFlags.IS_COMPONENTS_V2"
            yield Problem((*path, "type"), "BASE_TYPE_CHOICES", told)
            return
    else:
        fits = kind in CHILDREN.get(outer, set())
    if not fits:
        where = "in a message" if outer is None else f"in a component of type {outer}"
        yield Problem((*path, "type"), "UNION_TYPE_CHOICES", f"a component of type {kind} can't stand {where}")


def _unique(path: Path, one: Json, custom_ids: set[str], ids: set[int]) -> Iterator[Problem]:
    custom_id, number = one.get("custom_id"), one.get("id")
    if custom_id is not None:
        if custom_id in custom_ids:
            told = f"Component custom id cannot be duplicated: custom_id {custom_id!r} twice"
            yield Problem((*path, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", told)
        custom_ids.add(custom_id)
        if not 1 <= len(custom_id) <= 100:
            yield Problem((*path, "custom_id"), "BASE_TYPE_BAD_LENGTH", "custom_id has 1 to 100 characters")
    if number:
        if number in ids:
            yield Problem((*path, "id"), "COMPONENT_ID_DUPLICATED", f"component id {number} twice")
        ids.add(number)


def interactive_problems(path: Path, one: Json) -> Iterator[Problem]:
    """What is wrong with a row, a button or a menu."""
    kind = one.get("type")
    if kind == ACTION_ROW:
        inner = [child.get("type") for child in one.get("components") or []]
        if not inner:
            yield Problem((*path, "components"), "BASE_TYPE_BAD_LENGTH", "an empty row")
        if len(inner) > 5:
            yield Problem((*path, "components"), "BASE_TYPE_BAD_LENGTH", f"{len(inner)} buttons in a row, at most 5")
        if len(inner) > 1 and set(inner) != {BUTTON}:
            told = "a menu that shares its row"
            yield Problem((*path, "components"), "COMPONENT_LAYOUT_WIDTH_EXCEEDED", told)
    elif kind == BUTTON:
        yield from (Problem(path, "BUTTON_COMPONENT_INVALID", told) for told in _button(one))
    elif kind == STRING_SELECT:
        yield from (Problem(path, "SELECT_COMPONENT_INVALID", told) for told in _select(one))


def _button(button: Json) -> Iterator[str]:
    style = button.get("style")
    if style == LINK_BUTTON:
        if urlparse(button.get("url") or "").scheme not in ("http", "https", "discord"):
            yield f"bad address {button.get('url')!r}"
        if button.get("custom_id"):
            yield "a link with a custom_id"
    elif style != PREMIUM_BUTTON and not button.get("custom_id"):
        yield "a button without custom_id"
    if style != PREMIUM_BUTTON and not button.get("label") and not button.get("emoji"):
        yield "a button without label and emoji"
    if len(button.get("label") or "") > 80:
        yield "a button's label has at most 80 characters"
    yield from _emoji(button.get("emoji"))


def _select(select: Json) -> Iterator[str]:
    options = select.get("options") or []
    values = [one.get("value") for one in options]
    if not 1 <= len(options) <= MAX_CHOICES:
        yield f"{len(options)} options in a menu"
    if len(set(values)) != len(values):
        yield "two options of a menu with the same value"
    low, high = select.get("min_values", 1), select.get("max_values", 1)
    if low > high or high > max(len(options), 1):
        yield f"a menu of {len(options)} options that takes {low} to {high}"
    for one in options:
        yield from _emoji(one.get("emoji"))


def _emoji(emoji: Json | None) -> Iterator[str]:
    if emoji and not emoji.get("id") and (emoji.get("name") or "").isascii():
        yield f"bad emoji {emoji.get('name')!r}"
