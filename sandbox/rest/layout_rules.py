"""What Discord refuses in the components that only show something: texts, sections, pictures, files, containers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlparse

from sandbox.rest.forms import Problem
from sandbox.world import layout
from sandbox.world.layout import ATTACHMENT, Path
from sandbox.world.things import Json

MAX_DESCRIPTION, MAX_ITEMS, MAX_URL, MAX_TEXT, MAX_COLOR = 1024, 10, 2048, 4000, 0xFFFFFF
REQUIRED, LENGTH, CHOICES = "BASE_TYPE_REQUIRED", "BASE_TYPE_BAD_LENGTH", "BASE_TYPE_CHOICES"


def layout_problems(path: Path, one: Json, files: set[str]) -> Iterator[Problem]:
    """What is wrong with one component, without those inside it; `files` are what `attachment://` can name."""
    match one.get("type"):
        case layout.CONTAINER:
            yield from _container(path, one)
        case layout.SECTION:
            yield from _section(path, one)
        case layout.TEXT_DISPLAY:
            if not 1 <= len(one.get("content") or "") <= MAX_TEXT:
                yield Problem((*path, "content"), LENGTH, f"a text has 1 to {MAX_TEXT} characters")
        case layout.MEDIA_GALLERY:
            yield from _gallery(path, one, files)
        case layout.THUMBNAIL:
            yield from _shown(path, one, files)
        case layout.FILE:
            yield from _file(path, one, files)
        case layout.SEPARATOR:
            if one.get("spacing", 1) not in (None, 1, 2):
                yield Problem((*path, "spacing"), CHOICES, f"spacing is 1 or 2, not {one['spacing']!r}")
        case _:
            pass


def _container(path: Path, one: Json) -> Iterator[Problem]:
    if not one.get("components"):
        yield Problem((*path, "components"), LENGTH, "an empty container")
    color = one.get("accent_color")
    if color is not None and not (isinstance(color, int) and 0 <= color <= MAX_COLOR):
        yield Problem((*path, "accent_color"), "NUMBER_TYPE_MAX", f"accent_color is from 0 to {MAX_COLOR}")


def _section(path: Path, one: Json) -> Iterator[Problem]:
    if not 1 <= (count := len(one.get("components") or [])) <= 3:
        yield Problem((*path, "components"), LENGTH, f"a section has 1 to 3 texts, not {count}")
    if not one.get("accessory"):
        yield Problem((*path, "accessory"), REQUIRED, "a section needs an accessory: a button or a thumbnail")


def _gallery(path: Path, one: Json, files: set[str]) -> Iterator[Problem]:
    items = one.get("items") or []
    if not 1 <= len(items) <= MAX_ITEMS:
        yield Problem((*path, "items"), LENGTH, f"a gallery has 1 to {MAX_ITEMS} items, not {len(items)}")
    for number, item in enumerate(items):
        yield from _shown((*path, "items", number), item, files)


def _shown(path: Path, one: Json, files: set[str]) -> Iterator[Problem]:
    """A thumbnail or an item of a gallery."""
    description = one.get("description")
    if description is not None and not 1 <= len(description) <= MAX_DESCRIPTION:
        yield Problem((*path, "description"), LENGTH, f"a description has 1 to {MAX_DESCRIPTION} characters")
    yield from _media((*path, "media"), one.get("media"), files)


def _file(path: Path, one: Json, files: set[str]) -> Iterator[Problem]:
    url = str((one.get("file") or {}).get("url") or "")
    if url and not url.startswith(ATTACHMENT):
        told = "File components only support attachment:// references"
        yield Problem((*path, "file", "url"), "UNFURLED_MEDIA_ITEM_ATTACHMENT_REQUIRED", told)
        return
    yield from _media((*path, "file"), one.get("file"), files)


def _media(path: Path, media: Any, files: set[str]) -> Iterator[Problem]:
    url = str((media or {}).get("url") or "")
    if not url:
        yield Problem((*path, "url"), REQUIRED, "This field is required")
    elif len(url) > MAX_URL:
        yield Problem((*path, "url"), LENGTH, f"an address has at most {MAX_URL} characters")
    elif url.startswith(ATTACHMENT):
        if url.removeprefix(ATTACHMENT) not in files:
            told = f"{url} has no file: the referenced attachment could not be found"
            yield Problem((*path, "url"), "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND", told)
    elif urlparse(url).scheme not in ("http", "https"):
        yield Problem((*path, "url"), "URL_TYPE_INVALID_SCHEME", f"bad address {url!r}")
