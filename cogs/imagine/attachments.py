"""Start pictures and masks as members attach them, looked at before they are downloaded."""

from __future__ import annotations

import discord

from domain import InvalidRequest

MAX_ATTACHMENT_BYTES = 10 * 2**20
PICTURE_TYPES = ("image/png", "image/jpeg", "image/webp")


async def read_attachment(attachment: discord.Attachment | None) -> bytes | None:
    """An attachment's bytes. Raises InvalidRequest before the download if it is too large or no picture."""
    if attachment is None:
        return None
    if attachment.content_type not in PICTURE_TYPES:
        raise InvalidRequest("A start picture or mask must be a PNG, JPEG or WebP file.")
    if attachment.size > MAX_ATTACHMENT_BYTES:
        raise InvalidRequest("A start picture or mask may have at most 10 MiB; please make it smaller.")
    return await attachment.read()
