"""The tree of a message's components: what is in it, its words, its pictures. It knows plain dicts only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ACTION_ROW, BUTTON, STRING_SELECT, TEXT_INPUT = 1, 2, 3, 4
ENTITY_SELECTS = (5, 6, 7, 8)
SELECTS = (STRING_SELECT, *ENTITY_SELECTS)
SECTION, TEXT_DISPLAY, THUMBNAIL, MEDIA_GALLERY, FILE, SEPARATOR, CONTAINER = 9, 10, 11, 12, 13, 14, 17
LABEL, FILE_UPLOAD, RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX = 18, 19, 21, 22, 23

ATTACHMENT = "attachment://"
Component = dict[str, Any]
Path = tuple[str | int, ...]


def walk(components: list[Component]) -> Iterator[Component]:
    """All components in the order in which they are read, those inside of others too; an accessory after its texts."""
    for _, one, _ in walk_with_paths(components):
        yield one


def walk_with_paths(
    components: list[Component], path: Path = ("components",), parent: Component | None = None
) -> Iterator[tuple[Path, Component, Component | None]]:
    """Each component with its place in the request and what it is in."""
    for number, one in enumerate(components):
        here = (*path, number)
        yield here, one, parent
        yield from walk_with_paths(one.get("components") or [], (*here, "components"), one)
        for key in ("accessory", "component"):
            if one.get(key):
                yield (*here, key), one[key], one


def texts(components: list[Component]) -> list[str]:
    """The words of all text displays, in order."""
    return [str(one.get("content") or "") for one in walk(components) if one.get("type") == TEXT_DISPLAY]


def shown_media(components: list[Component]) -> Iterator[tuple[Component, Component]]:
    """Everything that shows a file: the component or gallery item with `description` and `spoiler`, and its media."""
    for one in walk(components):
        if one.get("type") == MEDIA_GALLERY:
            yield from ((item, item["media"]) for item in one.get("items") or [])
        elif one.get("type") == THUMBNAIL:
            yield one, one["media"]
        elif one.get("type") == FILE:
            yield one, one["file"]


def completed(components: list[Component], attachment_ids: dict[str, int]) -> list[Component]:
    """A copy in which every component has an id and every `attachment://name` knows its attachment.

    Discord numbers those without an id itself, in order. `attachment_ids` maps file names to attachments; resolving
    them once means that a later file of the same name does not take the place of an older one.
    """
    copied = [_copy(one) for one in components]
    taken = {int(one["id"]) for one in walk(copied) if one.get("id")}
    free = (number for number in range(1, 1 << 31) if number not in taken)
    for one in walk(copied):
        if not one.get("id"):
            one["id"] = next(free)
    for _, media in shown_media(copied):
        url = str(media.get("url", ""))
        if url.startswith(ATTACHMENT) and url.removeprefix(ATTACHMENT) in attachment_ids:
            media["attachment_id"] = attachment_ids[url.removeprefix(ATTACHMENT)]
    return copied


def _copy(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _copy(value) for key, value in part.items()}
    return [_copy(one) for one in part] if isinstance(part, list) else part
