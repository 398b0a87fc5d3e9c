"""What a server's moderators decide, written without Discord."""

from __future__ import annotations

from db import guild_settings
from db.database import Database
from tests.support.people import GUILD, MODERATOR
from tests.support.requests import NOW


async def choose_review_channel(database: Database, channel_id: int | None, **others: int) -> None:
    """Let appeals, reports and approvals come to this channel; `others` are settings of the server, too."""
    async with database.transaction() as connection:
        await guild_settings.change(connection, GUILD, MODERATOR, NOW, review_channel_id=channel_id, **others)
