"""A mention that tells a member of a picture that took long."""

from __future__ import annotations

from datetime import datetime, timedelta

from domain.frozen import frozen

# From acceptance to the finished picture; members who waited less are still looking.
ANNOUNCED_AFTER = timedelta(seconds=30)
ANNOUNCED_IN_WORDS = f"{ANNOUNCED_AFTER.seconds} seconds"


@frozen
class Notice:
    """Ids of Discord. `message_id` shows the picture; `was_begun`: an earlier attempt may have posted the notice.

    `is_shown`: the message shows a picture that is still there.
    """

    job_id: int
    user_id: int
    guild_id: int
    channel_id: int
    message_id: int | None
    finished_at: datetime
    was_begun: bool
    is_shown: bool
