"""What people see in a message: its words, and its pictures and files one by one."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.world.layout import ATTACHMENT, MEDIA_GALLERY, THUMBNAIL, shown_media, walk
from sandbox.world.things import Attachment, Json, Message


@dataclass(frozen=True, slots=True)
class Media:
    """One picture or file that a message shows.

    `number` counts from 1 in the order in which they are read; `kind` is "gallery", "thumbnail", "file" or (in a
    message of the old kind) "attachment"; `description` is the text for those who do not see it. `attachment` is None
    for what lies somewhere else.
    """

    number: int
    kind: str
    url: str
    description: str | None
    spoiler: bool
    attachment: Attachment | None

    @property
    def filename(self) -> str:
        return self.attachment.filename if self.attachment else self.url.rsplit("/", 1)[-1]

    @property
    def data(self) -> bytes:
        """The file itself. Raises AssertionError for what lies somewhere else."""
        assert self.attachment is not None, f"{self.url} is no file of the message"
        return self.attachment.data


def text_of(message: Message) -> str:
    """All words of a message: content, then the text displays in order, one below the other."""
    return message.text


def media_of(message: Message) -> list[Media]:
    """What a message shows: in one of the new components what these show, in an old one its attachments."""
    if not message.is_v2:
        return [
            Media(number, "attachment", ATTACHMENT + one.filename, one.description, _is_spoiler(one), one)
            for number, one in enumerate(message.attachments, 1)
        ]
    files = {one.id: one for one in message.attachments}
    kinds = {id(holder): _kind(one) for one in walk(message.components) for holder in [one, *(one.get("items") or [])]}
    found: list[Media] = []
    for number, (holder, media) in enumerate(shown_media(message.components), 1):
        file = files.get(media.get("attachment_id", 0))
        description = holder.get("description") or (file.description if file else None)
        spoiler = bool(holder.get("spoiler")) or (file is not None and _is_spoiler(file))
        found.append(Media(number, kinds[id(holder)], str(media["url"]), description, spoiler, file))
    return found


def labels_of(message: Message) -> list[str]:
    """The labels of all buttons, in order, wherever they stand."""
    return [str(one["label"]) for one in walk(message.components) if one.get("type") == 2 and one.get("label")]


def _kind(component: Json) -> str:
    return {MEDIA_GALLERY: "gallery", THUMBNAIL: "thumbnail"}.get(component.get("type", 0), "file")


def _is_spoiler(attachment: Attachment) -> bool:
    return attachment.filename.startswith("SPOILER_")
