"""Which messages of the new components the loopback Discord takes, and how it says no."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.rest.component_rules import component_problems
from sandbox.rest.forms import InvalidForm
from sandbox.rest.modal_rules import modal_problems
from sandbox.rest.rules import broken_rules, message_problems
from sandbox.rest.spec import OpenApi
from sandbox.rest.uploads import Body, Upload

Json = dict[str, Any]
MESSAGES = "/channels/{channel_id}/messages"
V2 = 1 << 15
NOT_FOUND = "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND"


def text(content: str = "x") -> Json:
    return {"type": 10, "content": content}


def button(**fields: Any) -> Json:
    return {"type": 2, "style": 1, "label": "x", "custom_id": "x"} | fields


def row(*components: Json) -> Json:
    return {"type": 1, "components": list(components)}


def container(*components: Json, **fields: Any) -> Json:
    return {"type": 17, "components": list(components)} | fields


def section(*texts: Json, **fields: Any) -> Json:
    return {"type": 9, "components": list(texts), "accessory": button()} | fields


def thumbnail(**fields: Any) -> Json:
    return {"type": 11, "media": {"url": "attachment://a.png"}} | fields


def gallery(count: int = 1, **fields: Any) -> Json:
    return {"type": 12, "items": [{"media": {"url": "attachment://a.png"}} | fields for _ in range(count)]}


def select(**fields: Any) -> Json:
    return {"type": 3, "custom_id": "s", "options": [{"label": "a", "value": "a"}]} | fields


def problems(*components: Json, is_v2: bool = True) -> list[tuple[str, str]]:
    """Path and code of each problem."""
    found = component_problems(list(components), is_v2=is_v2, files={"a.png"})
    return [(".".join(map(str, one.path)), one.code) for one in found]


GOOD: list[list[Json]] = [
    [text("x" * 4000)],
    [text("x" * 2000), container(text("y" * 2000))],
    [text()] * 40,
    [container(*[text()] * 39)],
    [row(button(custom_id=str(number))) for number in range(20)],
    [section(text(), text(), text(), accessory=thumbnail(description="d" * 1024, spoiler=True))],
    [container(gallery(10), section(text()), {"type": 14, "spacing": 2}, row(select()), accent_color=0, spoiler=True)],
    [gallery(1, media={"url": "https://example.org/a.png"}), {"type": 13, "file": {"url": "attachment://a.png"}}],
    [row({"type": 8, "custom_id": "c"}), {"type": 14, "divider": False}],
]

BAD: list[tuple[list[Json], str, str]] = [
    ([text()] * 41, "components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED"),
    ([container(*[text()] * 39), text()], "components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED"),
    ([section(text(), accessory=thumbnail())] * 14, "components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED"),
    ([text("x" * 2001), container(text("x" * 2000))], "components", "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED"),
    ([text("")], "components.0.content", "BASE_TYPE_BAD_LENGTH"),
    ([container()], "components.0.components", "BASE_TYPE_BAD_LENGTH"),
    ([container(container(text()))], "components.0.components.0.type", "UNION_TYPE_CHOICES"),
    ([container(text(), accent_color=1 << 24)], "components.0.accent_color", "NUMBER_TYPE_MAX"),
    ([button()], "components.0.type", "UNION_TYPE_CHOICES"),
    ([thumbnail()], "components.0.type", "UNION_TYPE_CHOICES"),
    ([row(text())], "components.0.components.0.type", "UNION_TYPE_CHOICES"),
    ([row(select(), button())], "components.0.components", "COMPONENT_LAYOUT_WIDTH_EXCEEDED"),
    ([section()], "components.0.components", "BASE_TYPE_BAD_LENGTH"),
    ([section(*[text()] * 4)], "components.0.components", "BASE_TYPE_BAD_LENGTH"),
    ([section(text(), accessory=None)], "components.0.accessory", "BASE_TYPE_REQUIRED"),
    ([section(text(), accessory=text())], "components.0.accessory.type", "UNION_TYPE_CHOICES"),
    ([section(button(custom_id="y"))], "components.0.components.0.type", "UNION_TYPE_CHOICES"),
    ([gallery(0)], "components.0.items", "BASE_TYPE_BAD_LENGTH"),
    ([gallery(11)], "components.0.items", "BASE_TYPE_BAD_LENGTH"),
    ([gallery(1, description="d" * 1025)], "components.0.items.0.description", "BASE_TYPE_BAD_LENGTH"),
    ([gallery(1, media={"url": "attachment://b.png"})], "components.0.items.0.media.url", NOT_FOUND),
    ([gallery(1, media={"url": "ftp://b.png"})], "components.0.items.0.media.url", "URL_TYPE_INVALID_SCHEME"),
    ([gallery(1, media={})], "components.0.items.0.media.url", "BASE_TYPE_REQUIRED"),
    ([section(text(), accessory=thumbnail(media={"url": "attachment://b"}))], "components.0.accessory.media.url",
     NOT_FOUND),
    ([{"type": 13, "file": {"url": "https://example.org/a.txt"}}], "components.0.file.url",
     "UNFURLED_MEDIA_ITEM_ATTACHMENT_REQUIRED"),
    ([{"type": 13, "file": {"url": "attachment://b.png"}}], "components.0.file.url", NOT_FOUND),
    ([{"type": 14, "spacing": 3}], "components.0.spacing", "BASE_TYPE_CHOICES"),
    ([section(text()), container(row(button()))], "components.1.components.0.components.0.custom_id",
     "COMPONENT_CUSTOM_ID_DUPLICATED"),
    ([text() | {"id": 7}, container(text() | {"id": 7})], "components.1.components.0.id", "COMPONENT_ID_DUPLICATED"),
]  # fmt: skip


@pytest.mark.parametrize("components", GOOD)
def test_what_discord_takes_has_no_problem(components: list[Json]) -> None:
    assert problems(*components) == []


@pytest.mark.parametrize(("components", "path", "code"), BAD)
def test_what_discord_refuses_is_named_by_its_place(components: list[Json], path: str, code: str) -> None:
    assert problems(*components) == [(path, code)]


@pytest.mark.parametrize("component", [text(), container(text()), section(text()), gallery(), {"type": 14}])
def test_without_the_flag_there_are_only_rows(component: Json) -> None:
    assert problems(component, is_v2=False)[0] == ("components.0.type", "BASE_TYPE_CHOICES")


@pytest.mark.parametrize(
    ("field", "value"),
    [("content", "x"), ("embeds", [{"title": "x"}]), ("poll", {"question": {}}), ("sticker_ids", [1])],
)
def test_with_the_flag_the_old_fields_are_closed(field: str, value: Any) -> None:
    found = message_problems({field: value}, [text()], is_v2=True, files=set())
    assert f"'{field}' field cannot be used" in " ".join(map(str, found))


def test_the_tree_of_errors_has_discords_form() -> None:
    found = list(component_problems([section(text("")), text()], is_v2=True, files=set()))
    error = InvalidForm(found).below("data")
    assert (error.status, error.code, error.message) == (400, 50035, "Invalid Form Body")
    told = {"code": "BASE_TYPE_BAD_LENGTH", "message": "a text has 1 to 4000 characters"}
    assert error.errors == {"data": {"components": {"0": {"components": {"0": {"content": {"_errors": [told]}}}}}}}


# ---- forms ----


def label(component: Json, **fields: Any) -> Json:
    return {"type": 18, "label": "x", "component": component} | fields


def options(count: int, **fields: Any) -> list[Json]:
    return [{"label": str(number), "value": str(number)} | fields for number in range(count)]


def modal(*rows: Json, **fields: Any) -> list[str]:
    data = {"title": "x", "custom_id": "x", "components": list(rows)} | fields
    return [one.code for one in modal_problems(data)]


def test_a_form_takes_every_field_in_a_label() -> None:
    fields: list[Json] = [
        {"type": 19, "custom_id": "file", "min_values": 0, "max_values": 3, "required": False},
        {"type": 21, "custom_id": "radio", "options": options(2)},
        {"type": 22, "custom_id": "boxes", "options": options(10)},
        {"type": 23, "custom_id": "box", "default": True},
        {"type": 4, "custom_id": "words", "style": 1},
    ]
    assert modal(*map(label, fields)) == []
    assert modal({"type": 10, "content": "x"}, label(select())) == []


@pytest.mark.parametrize(
    "rows",
    [
        [label({"type": 21, "custom_id": "r", "options": options(1)})],
        [label({"type": 21, "custom_id": "r", "options": options(2, default=True)})],
        [label({"type": 22, "custom_id": "c", "options": options(11)})],
        [label({"type": 22, "custom_id": "c", "options": options(3), "min_values": 3, "max_values": 2})],
        [label(select(options=[{"label": "a", "value": "a"}] * 2))],
        [label(button())],
        [label({"type": 23, "custom_id": "b"}, label="x" * 46)],
        [label({"type": 23, "custom_id": "b"}, description="x" * 101)],
        [label({"type": 23, "custom_id": "b"}), label({"type": 19, "custom_id": "b"})],
        [container(text())],
    ],
)
def test_a_form_that_discord_refuses(rows: list[Json]) -> None:
    assert modal(*rows)


def test_a_form_needs_a_title() -> None:
    assert modal(label({"type": 23, "custom_id": "b"}), title="") == ["BASE_TYPE_BAD_LENGTH"]


# ---- Discord's own description says the same ----


@pytest.mark.parametrize("components", GOOD)
def test_the_description_takes_what_we_take(spec: OpenApi, components: list[Json]) -> None:
    body = {"flags": V2, "components": components, "attachments": [{"id": 0, "filename": "a.png"}]}
    files = {0: Upload("a.png", b"", "image/png")}
    assert list(spec.violations("POST", "/channels/1/messages", {}, body)) == []
    assert broken_rules("POST", MESSAGES, Body(body, files)) == []
    assert list(message_problems(body, components, is_v2=True, files={"a.png"})) == []
