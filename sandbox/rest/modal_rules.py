"""What Discord refuses in a form: its rows, labels and fields."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.rest.forms import Problem
from sandbox.world import layout
from sandbox.world.layout import ACTION_ROW, LABEL, TEXT_DISPLAY, Path
from sandbox.world.things import Json

MAX_ROWS, MAX_TITLE, MAX_LABEL, MAX_DESCRIPTION = 5, 45, 45, 100
LENGTH, CHOICES = "BASE_TYPE_BAD_LENGTH", "BASE_TYPE_CHOICES"
FIELDS = {layout.TEXT_INPUT, *layout.SELECTS, layout.FILE_UPLOAD, layout.RADIO_GROUP, layout.CHECKBOX_GROUP,
          layout.CHECKBOX}  # fmt: skip
# How many options a field that lists them has.
OPTIONS = {layout.STRING_SELECT: (1, 25), layout.RADIO_GROUP: (2, 10), layout.CHECKBOX_GROUP: (1, 10)}


def modal_problems(data: Json) -> Iterator[Problem]:
    """Everything that is wrong with a form."""
    rows = data.get("components") or []
    if not 1 <= len(rows) <= MAX_ROWS:
        yield Problem(("components",), LENGTH, f"{len(rows)} rows in a modal, 1 to {MAX_ROWS} are allowed")
    if not 1 <= len(data.get("title") or "") <= MAX_TITLE:
        yield Problem(("title",), LENGTH, f"a modal's title has 1 to {MAX_TITLE} characters")
    seen: set[str] = set()
    for number, row in enumerate(rows):
        path: Path = ("components", number)
        if row.get("type") == TEXT_DISPLAY:
            continue
        if row.get("type") == LABEL:
            yield from _label(path, row)
        elif row.get("type") != ACTION_ROW:
            yield Problem((*path, "type"), "UNION_TYPE_CHOICES", f"a component of type {row.get('type')} in a modal")
        yield from _field(path, row.get("component") or (row.get("components") or [{}])[0], seen)


def _label(path: Path, row: Json) -> Iterator[Problem]:
    if not 1 <= len(row.get("label") or "") <= MAX_LABEL:
        yield Problem((*path, "label"), LENGTH, f"a label has 1 to {MAX_LABEL} characters")
    if len(row.get("description") or "") > MAX_DESCRIPTION:
        yield Problem((*path, "description"), LENGTH, f"a description has at most {MAX_DESCRIPTION} characters")


def _field(path: Path, field: Json, seen: set[str]) -> Iterator[Problem]:
    custom_id, kind = field.get("custom_id"), field.get("type")
    if custom_id is None or custom_id in seen:
        told = f"modal field with a missing or doubled custom_id {custom_id!r}"
        yield Problem((*path, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", told)
    seen.add(str(custom_id))
    if kind not in FIELDS:
        yield Problem((*path, "type"), "UNION_TYPE_CHOICES", f"a component of type {kind} can't be filled in")
    if kind in OPTIONS:
        yield from _options(path, field)
    low, high = field.get("min_values"), field.get("max_values")
    if low is not None and high is not None and low > high:
        yield Problem((*path, "min_values"), CHOICES, f"a field that takes {low} to {high} values")


def _options(path: Path, field: Json) -> Iterator[Problem]:
    options, (low, high) = field.get("options") or [], OPTIONS[field["type"]]
    if not low <= len(options) <= high:
        yield Problem((*path, "options"), LENGTH, f"{len(options)} options, {low} to {high} are allowed")
    values = [one.get("value") for one in options]
    if len(set(values)) != len(values):
        yield Problem((*path, "options"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "two options of the same value")
    defaults = sum(bool(one.get("default")) for one in options)
    most = 1 if field["type"] == layout.RADIO_GROUP else field.get("max_values") or len(options)
    if defaults > most:
        yield Problem((*path, "options"), CHOICES, f"{defaults} options are chosen at the start, at most {most} can be")
