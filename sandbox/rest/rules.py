"""Hand rules for what Discord refuses but its official description does not mention."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlparse

from sandbox.rest.component_rules import component_problems
from sandbox.rest.forms import Problem
from sandbox.rest.modal_rules import modal_problems
from sandbox.rest.uploads import Body, stored_name

MAX_EMBED_CHARACTERS = 6000
MAX_CONTENT_CHARACTERS = 2000
MAX_COMMANDS = 100
NAME = re.compile(r"[-_'\w]{1,32}")
TEXT_KEYS = {"title", "description", "fields", "footer", "author", "image", "thumbnail", "video", "url", "timestamp",
             "color", "type", "provider", "flags"}  # fmt: skip
MAX_CHOICES = 25
# What a message of the new components can't have.
OLD_FIELDS = ("content", "embeds", "poll", "sticker_ids")

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
        yield from map(str, modal_problems(data))


def message_problems(
    data: dict[str, Any], components: list[dict[str, Any]], *, is_v2: bool, files: set[str]
) -> Iterator[Problem]:
    """What is wrong with the components that a message has after a request, and with what stands beside them."""
    if is_v2:
        for name in OLD_FIELDS:
            if data.get(name):
                told = f"The '{name}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
                yield Problem((name,), "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", told)
    yield from component_problems(components, is_v2=is_v2, files=files)


def uploaded_names(body: Body) -> set[str]:
    return {stored_name(upload.filename) for upload in body.files.values()}


def _message(data: dict[str, Any], body: Body, *, is_new: bool) -> Iterator[str]:
    content, embeds, components = data.get("content"), data.get("embeds") or [], data.get("components") or []
    if content and len(content) > MAX_CONTENT_CHARACTERS:
        yield f"content of {len(content)} characters"
    if is_new and not (content or embeds or components or body.files or data.get("sticker_ids") or data.get("poll")):
        yield "an empty message"
    yield from _attachments(data, body)
    names = {f"attachment://{name}" for name in uploaded_names(body)}
    yield from _embeds(embeds, names, may_keep_files=not is_new)
    # Components are for `BotMessages`, which knows the message that they make, and answers as Discord does.


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
