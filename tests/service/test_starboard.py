"""What becomes of stars, and how moderators set the starboard up."""

from __future__ import annotations

import pytest

from db import audit
from db.database import Database
from domain import NotFound
from domain.starboard import Starboard
from service.context import Context
from service.starboard import Starboards
from service.topics import Topic
from tests.support.people import GUILD, MEMBER, MODERATOR, OTHER
from tests.support.traces import paint

BOARD = 88
SHOWN_IN = 55  # the message that `paint` delivers in


@pytest.fixture
def starboards(context: Context) -> Starboards:
    return Starboards(context)


async def test_a_starboard_is_set_up_changed_and_taken_away_with_audit_rows(
    starboards: Starboards, database: Database
) -> None:
    await starboards.set_up(GUILD, BOARD, 3, MODERATOR)
    await starboards.set_up(GUILD, BOARD + 1, 2, MODERATOR)
    assert await starboards.fetch(GUILD) == Starboard(guild_id=GUILD, channel_id=BOARD + 1, threshold=2)
    await starboards.remove(GUILD, MODERATOR)
    assert await starboards.fetch(GUILD) is None
    with pytest.raises(NotFound, match="There is no starboard here"):
        await starboards.remove(GUILD, MODERATOR)
    rows = await audit.search(database, GUILD)
    assert [(row.action, row.target, row.details) for row in reversed(rows)] == [
        ("starboard.set", f"channel:{BOARD}", {"stars": 3}),
        ("starboard.set", f"channel:{BOARD + 1}", {"stars": 2}),
        ("starboard.off", "server", {}),
    ]


async def test_the_last_missing_star_is_news_and_its_picture_is_posted_once(
    starboards: Starboards, context: Context
) -> None:
    heard: list[int] = []
    context.topics.subscribe(Topic.STARBOARD, heard.append)
    job_id = await paint(context.database, MEMBER)
    await starboards.set_up(GUILD, BOARD, 2, MODERATOR)
    for user_id in (MEMBER, OTHER, OTHER):  # a member's own star and a second one count nothing
        await starboards.add_star(SHOWN_IN, user_id)
    assert (await starboards.count_stars(job_id), heard) == (1, [])
    await starboards.add_star(SHOWN_IN, MODERATOR)
    assert (await starboards.count_stars(job_id), len(heard)) == (2, 1)
    (starred,) = await starboards.fetch_unposted()
    assert (starred.job_id, starred.guild_id, starred.channel_id) == (job_id, GUILD, BOARD)
    await starboards.close(job_id, 99)
    await starboards.add_star(SHOWN_IN, 12345)
    assert await starboards.fetch_unposted() == []
    assert len(heard) == 1


async def test_a_star_can_be_taken_back_before_it_counts(starboards: Starboards, context: Context) -> None:
    job_id = await paint(context.database, MEMBER)
    await starboards.set_up(GUILD, BOARD, 2, MODERATOR)
    await starboards.add_star(SHOWN_IN, OTHER)
    await starboards.take_star(SHOWN_IN, OTHER)
    await starboards.add_star(SHOWN_IN, MODERATOR)
    assert await starboards.count_stars(job_id) == 1
    assert await starboards.fetch_unposted() == []


async def test_stars_on_other_messages_mean_nothing(starboards: Starboards, context: Context) -> None:
    job_id = await paint(context.database, MEMBER)
    await starboards.set_up(GUILD, BOARD, 1, MODERATOR)
    await starboards.add_star(SHOWN_IN + 1, OTHER)
    await starboards.take_star(SHOWN_IN + 1, OTHER)
    assert await starboards.count_stars(job_id) == 0
    assert await starboards.fetch_unposted() == []
