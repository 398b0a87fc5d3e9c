"""Components as Discord sends them back: media with their addresses, and what was left out of the request."""

from __future__ import annotations

from sandbox.world.layout import ATTACHMENT, CONTAINER, FILE, MEDIA_GALLERY, SEPARATOR, THUMBNAIL, shown_media
from sandbox.world.things import Json

# What a request may leave out and an answer always has.
LEFT_OUT: dict[int, Json] = {
    CONTAINER: {"accent_color": None, "spoiler": False},
    THUMBNAIL: {"description": None, "spoiler": False},
    FILE: {"name": None, "size": None, "spoiler": False},
    SEPARATOR: {"divider": True, "spacing": 1},
}
LEFT_OUT_OF_ITEM: Json = {"description": None, "spoiler": False}


def component_json(component: Json, files: list[Json]) -> Json:
    """A component with `attachment://name` in galleries, thumbnails and files resolved; `files` are attachments."""
    kind = component.get("type")
    shown: Json = {**LEFT_OUT.get(kind or 0, {}), **component}
    if kind == MEDIA_GALLERY:
        shown["items"] = [_item_json(item, files) for item in component.get("items") or []]
    elif isinstance(component.get("components"), list):
        shown["components"] = [component_json(one, files) for one in component["components"]]
    for key in ("accessory", "component"):
        if isinstance(component.get(key), dict):
            shown[key] = component_json(component[key], files)
    for key in ("media", "file"):
        if isinstance(component.get(key), dict):
            shown[key] = media_json(component[key], files)
    if kind == FILE and (file := _file_of(component["file"], files)) is not None:
        shown |= {"name": file["filename"], "size": file["size"]}
    return shown


def _item_json(item: Json, files: list[Json]) -> Json:
    return {**LEFT_OUT_OF_ITEM, **item, "media": media_json(item["media"], files)}


def media_json(media: Json, files: list[Json]) -> Json:
    """An unfurled media item: where the file is, and what is known of it."""
    file = _file_of(media, files)
    if file is None:
        return {"id": "0", "proxy_url": media.get("url"), **media}
    known = {key: file[key] for key in ("width", "height", "content_type") if key in file}
    shown = {**media, "id": file["id"], "url": file["url"], "proxy_url": file["url"], **known}
    # Only a file that was named by `attachment://` counts as the message's own.
    return shown | ({"attachment_id": file["id"]} if "attachment_id" in media else {})


def embed_media_json(media: Json, files: list[Json]) -> Json:
    """A picture of an embed with `attachment://name` resolved to the file's address."""
    if not str(media.get("url", "")).startswith(ATTACHMENT):
        return media
    file = _file_of(media, files)
    if file is None:
        return media
    known = {key: file[key] for key in ("width", "height", "content_type") if key in file}
    return {**media, "url": file["url"], "proxy_url": file["url"], **known}


def _file_of(media: Json, files: list[Json]) -> Json | None:
    """The attachment that is shown: by its id, by `attachment://name` (the newest of that name), or by its address."""
    url = str(media.get("url", ""))
    if "attachment_id" in media:
        return next((one for one in files if one["id"] == str(media["attachment_id"])), None)
    if url.startswith(ATTACHMENT):
        return next((one for one in reversed(files) if one["filename"] == url.removeprefix(ATTACHMENT)), None)
    return next((one for one in files if one["url"] == url), None)


def without_shown(data: Json) -> Json:
    """A message as Discord's API lists it: a file that its components show is no attachment, only media of theirs."""
    shown = {media.get("attachment_id") for _, media in shown_media(data["components"])}
    return data | {"attachments": [one for one in data["attachments"] if one["id"] not in shown]}
