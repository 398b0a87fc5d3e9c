"""Hand rules for what Discord refuses but its official description does not mention."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlparse

from sandbox.rest.uploads import Body
from sandbox.world.things import ACTION_ROW, V2, walk

MAX_EMBED_CHARACTERS = 6000
MAX_CONTENT_CHARACTERS = 2000
MAX_ROWS = 5
MAX_COMMANDS = 100
NAME = re.compile(r"[-_'\w]{1,32}")
TEXT_KEYS = {"title", "description", "fields", "footer", "author", "image", "thumbnail", "video", "url", "timestamp",
             "color", "type", "provider", "flags"}  # fmt: skip
LINK_BUTTON, PREMIUM_BUTTON = 5, 6
BUTTON, STRING_SELECT = 2, 3
MAX_CHOICES = 25

MESSAGE_ROUTES = {
    "/channels/{channel_id}/messages",
    "/channels/{channel_id}/messages/{message_id}",
    "/webhooks/{application_id}/{token}",
    "/webhooks/{application_id}/{token}/messages/{message_id}",
}


def broken_rules(method: str, route: str, body: Body) -> list[str]:
    """Sentences for everything that is wrong with a request's body."""
    if method not in ("POST", "PATCH", "PUT"):
        return []
    if route.endswith("/commands") and method == "PUT":
        return list(_commands(body.data))
    if route.endswith("/callback"):
        return list(_callback(body))
    if route in MESSAGE_ROUTES:
        return list(_message(body.data, body, is_new=method == "POST"))
    return []


def _callback(body: Body) -> Iterator[str]:
    kind, data = body.data.get("type"), body.data.get("data") or {}
    if kind in (4, 7):
        yield from _message(data, body, is_new=kind == 4)
    elif kind == 8 and len(data.get("choices", [])) > MAX_CHOICES:
        yield "more than 25 choices"
    elif kind == 9:
        yield from _modal(data)


def _message(data: dict[str, Any], body: Body, *, is_new: bool) -> Iterator[str]:
    is_v2 = bool(int(data.get("flags") or 0) & V2)
    content, embeds, components = data.get("content"), data.get("embeds") or [], data.get("components") or []
    if content and len(content) > MAX_CONTENT_CHARACTERS:
        yield f"content of {len(content)} characters"
    if is_v2 and (content or embeds):
        yield "content or embeds in a message of the new components"
    if is_new and not (content or embeds or components or body.files or data.get("sticker_ids") or data.get("poll")):
        yield "an empty message"
    yield from _attachments(data, body)
    names = {f"attachment://{upload.filename}" for upload in body.files.values()}
    yield from _embeds(embeds, names, may_keep_files=not is_new)
    yield from _components(components, is_v2=is_v2)


def _attachments(data: dict[str, Any], body: Body) -> Iterator[str]:
    for one in data.get("attachments") or []:
        number = int(one["id"])
        if number < 1000 and number not in body.files:
            yield f"attachment {number} without its file"
    for upload in body.files.values():
        if re.search(r"[\s/\\]", upload.filename):
            yield f"file name {upload.filename!r} changes on upload"


def _embeds(embeds: list[dict[str, Any]], files: set[str], *, may_keep_files: bool) -> Iterator[str]:
    total = 0
    for embed in embeds:
        total += _length(embed)
        if not embed.keys() - {"type", "color", "flags"}:
            yield "an empty embed"
        if unknown := embed.keys() - TEXT_KEYS:
            yield f"unknown embed keys {sorted(unknown)}"
        for one in embed.get("fields") or []:
            if not str(one.get("name", "")).strip() or not str(one.get("value", "")).strip():
                yield "an embed field without name or value"
        for url in _embed_addresses(embed):
            yield from _embed_url(url, files, may_keep_files)
    if total > MAX_EMBED_CHARACTERS:
        yield f"embeds of {total} characters"


def _embed_addresses(embed: dict[str, Any]) -> list[str]:
    author, footer = embed.get("author") or {}, embed.get("footer") or {}
    urls = [(embed.get(key) or {}).get("url") for key in ("image", "thumbnail")]
    urls += [embed.get("url"), author.get("url"), author.get("icon_url"), footer.get("icon_url")]
    return [url for url in urls if url is not None]


def _embed_url(url: str, files: set[str], may_keep_files: bool) -> Iterator[str]:
    if url.startswith("attachment://"):
        if url not in files and not may_keep_files:
            yield f"{url} has no file"
    elif urlparse(url).scheme not in ("http", "https"):
        yield f"bad address {url!r}"


def _length(embed: dict[str, Any]) -> int:
    texts = [embed.get("title"), embed.get("description"), (embed.get("footer") or {}).get("text")]
    texts.append((embed.get("author") or {}).get("name"))
    for one in embed.get("fields") or []:
        texts += [one.get("name"), one.get("value")]
    return sum(len(text) for text in texts if text)


def _components(components: list[dict[str, Any]], *, is_v2: bool) -> Iterator[str]:
    if not is_v2:
        if len(components) > MAX_ROWS:
            yield f"{len(components)} rows of components"
        if any(row.get("type") != ACTION_ROW for row in components):
            yield "a component outside a row"
    seen: set[str] = set()
    for one in walk(components):
        custom_id = one.get("custom_id")
        if custom_id is not None and custom_id in seen:
            yield f"custom_id {custom_id!r} twice"
        seen.add(str(custom_id))
        yield from _component(one)


def _component(component: dict[str, Any]) -> Iterator[str]:
    kind = component.get("type")
    if kind == ACTION_ROW:
        inner = [one.get("type") for one in component.get("components") or []]
        if not inner:
            yield "an empty row"
        if len(inner) > 1 and set(inner) != {BUTTON}:
            yield "a menu that shares its row"
    elif kind == BUTTON:
        yield from _button(component)
    elif kind == STRING_SELECT:
        yield from _select(component)


def _button(button: dict[str, Any]) -> Iterator[str]:
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
    yield from _emoji(button.get("emoji"))


def _select(select: dict[str, Any]) -> Iterator[str]:
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


def _emoji(emoji: dict[str, Any] | None) -> Iterator[str]:
    if emoji and not emoji.get("id") and (emoji.get("name") or "").isascii():
        yield f"bad emoji {emoji.get('name')!r}"


def _modal(data: dict[str, Any]) -> Iterator[str]:
    rows = data.get("components") or []
    if not 1 <= len(rows) <= MAX_ROWS:
        yield f"{len(rows)} rows in a modal"
    seen: set[str] = set()
    for row in rows:
        inner = row.get("component") or (row.get("components") or [{}])[0]
        custom_id = inner.get("custom_id")
        if row.get("type") != 10 and (custom_id is None or custom_id in seen):
            yield f"modal field with a missing or doubled custom_id {custom_id!r}"
        seen.add(str(custom_id))


def _commands(commands: list[dict[str, Any]]) -> Iterator[str]:
    if len(commands) > MAX_COMMANDS:
        yield f"{len(commands)} commands"
    for command in commands:
        if command.get("type", 1) == 1:
            yield from _named(command)
            yield from _options(command)
        if (size := _command_size(command)) > 8000:
            yield f"command {command['name']}: {size} characters in all"


def _command_size(command: dict[str, Any]) -> int:
    own = len(command.get("name", "")) + len(command.get("description", ""))
    own += sum(len(one["name"]) + len(str(one["value"])) for one in command.get("choices") or [])
    return own + sum(_command_size(one) for one in command.get("options") or [])


def _named(command: dict[str, Any]) -> Iterator[str]:
    name = command.get("name", "")
    if not NAME.fullmatch(name) or name != name.lower():
        yield f"bad name {name!r}"
    if not 1 <= len(command.get("description", "")) <= 100:
        yield f"{name}: a description has 1 to 100 characters"


def _options(command: dict[str, Any]) -> Iterator[str]:
    optional_seen = False
    for option in command.get("options") or []:
        yield from _named(option)
        if option.get("required") and optional_seen:
            yield f"{command['name']}: required option {option['name']} after an optional one"
        optional_seen = optional_seen or not option.get("required")
        if option.get("choices") and option.get("autocomplete"):
            yield f"{option['name']}: choices together with autocomplete"
        if option.get("type") in (1, 2):
            yield from _options(option)
            optional_seen = False
