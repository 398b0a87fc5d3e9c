"""Request bodies: JSON, or multipart with files, and what becomes of the files."""

from __future__ import annotations

import io
import json
import mimetypes
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web
from PIL import Image

from sandbox.world.things import ApiError, Attachment
from sandbox.world.world import World

MAX_FILES = 10


@dataclass(frozen=True, slots=True)
class Upload:
    """One file part."""

    filename: str
    data: bytes = field(repr=False)
    content_type: str


@dataclass(frozen=True, slots=True)
class Body:
    """A request's JSON and its files by number (`files[0]` is 0)."""

    data: Any
    files: dict[int, Upload]


BODY = web.RequestKey("body", Body)


async def read_body(request: web.Request) -> Body:
    """The body, parsed once and kept with the request."""
    if BODY not in request:
        request[BODY] = await _parse(request)
    return request[BODY]


async def _parse(request: web.Request) -> Body:
    if not request.can_read_body:
        return Body({}, {})
    if not request.content_type.startswith("multipart/"):
        return Body(await request.json(), {})
    data: Any = {}
    files: dict[int, Upload] = {}
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        content = bytes(await part.read())
        if part.name == "payload_json":
            data = json.loads(content)
        elif part.name and part.name.startswith("files["):
            kind = part.headers.get("Content-Type", "application/octet-stream")
            files[int(part.name[6:-1])] = Upload(part.filename or "unknown", content, kind)
    return Body(data, files)


def take_attachments(world: World, body: Body, existing: list[Attachment]) -> list[Attachment]:
    """The attachments after a request: those of `existing` that the list keeps, then the new files."""
    for upload in body.files.values():
        if len(upload.data) > world.upload_limit:
            raise ApiError(413, 40005, "Request entity too large")
    data = body.data if isinstance(body.data, dict) else {}
    listed = data.get("attachments")
    if listed is None:
        kept, described = existing, {}
    else:
        keep = {int(one["id"]) for one in listed}
        kept = [one for one in existing if one.id in keep]
        described = {int(one["id"]): one for one in listed}
    if len(kept) + len(body.files) > MAX_FILES:
        raise ApiError(400, 30015, f"Maximum number of attachments in a message reached ({MAX_FILES})")
    return kept + [_new(world, upload, described.get(number, {})) for number, upload in sorted(body.files.items())]


def _new(world: World, upload: Upload, described: dict[str, Any]) -> Attachment:
    return new_attachment(world, upload.filename, upload.data, described.get("description"))


def stored_name(filename: str) -> str:
    """A file's name as Discord keeps it."""
    return filename.replace(" ", "_")


def new_attachment(world: World, filename: str, data: bytes, description: str | None = None) -> Attachment:
    """An uploaded file; pictures get their type and size."""
    attachment = Attachment(world.new_id(), stored_name(filename), data, description=description)
    try:
        with Image.open(io.BytesIO(data)) as image:
            attachment.size = image.size
            attachment.content_type = Image.MIME[image.format or "PNG"]
    except (OSError, SyntaxError):  # no picture, or a broken one: then its name decides
        attachment.content_type = mimetypes.guess_type(filename)[0] or "application/octet-stream"
    return attachment
