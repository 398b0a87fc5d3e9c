"""The audit log as moderators search it, and what an audit channel still has to show."""

from __future__ import annotations

from datetime import timedelta

import pytest

from db import audit, guild_settings
from domain.audit import AuditAction
from service.audit import ROWS_PER_ROUND, AuditLog
from service.context import Context
from tests.support.people import GUILD, MEMBER, MODERATOR, OTHER
from tests.support.requests import NOW
from tests.support.statements import recorded

CHANNEL, ELSEWHERE = 5, GUILD + 1


@pytest.fixture
def log(context: Context) -> AuditLog:
    return AuditLog(context)


async def write(context: Context, action: AuditAction, member_id: int = MEMBER, guild_id: int = GUILD) -> int:
    async with context.writing() as connection:
        return await audit.record(
            connection, guild_id, MODERATOR, action, f"member:{member_id}", {"reason": "test"}, context.now()
        )


async def choose_channel(context: Context, channel_id: int | None, guild_id: int = GUILD) -> None:
    async with context.writing() as connection:
        await guild_settings.change(connection, guild_id, MODERATOR, context.now(), audit_channel_id=channel_id)


async def test_a_search_narrows_down_by_member_actor_action_and_days(log: AuditLog, context: Context) -> None:
    await write(context, AuditAction.BLOCK_ADD, OTHER)
    context.clock = lambda: NOW + timedelta(days=3)
    await write(context, AuditAction.QUOTA_SET)
    await write(context, AuditAction.QUOTA_SET, guild_id=ELSEWHERE)
    assert [row.action for row in await log.search(GUILD)] == [AuditAction.QUOTA_SET, AuditAction.BLOCK_ADD]
    assert [row.action for row in await log.search(GUILD, member_id=OTHER)] == [AuditAction.BLOCK_ADD]
    assert [row.action for row in await log.search(GUILD, action="block")] == [AuditAction.BLOCK_ADD]
    assert [row.action for row in await log.search(GUILD, days=2)] == [AuditAction.QUOTA_SET]
    assert len(await log.search(GUILD, days=3)) == 2
    assert await log.search(GUILD, actor_id=OTHER) == []
    assert len(await log.search(GUILD, actor_id=MODERATOR)) == 2


async def test_each_server_with_an_audit_channel_has_its_own_backlog(log: AuditLog, context: Context) -> None:
    await choose_channel(context, CHANNEL)
    await choose_channel(context, CHANNEL + 1, ELSEWHERE)
    first = await write(context, AuditAction.BLOCK_ADD)
    await write(context, AuditAction.QUOTA_SET, guild_id=ELSEWHERE)
    second = await write(context, AuditAction.BLOCK_LIFT)
    await write(context, AuditAction.QUOTA_SET, guild_id=ELSEWHERE + 1)
    with recorded() as recording:
        here, there = await log.fetch_backlogs()
    assert recording.sent == 1
    assert (here.guild_id, here.channel_id) == (GUILD, CHANNEL)
    assert [row.id for row in here.rows][-2:] == [first, second]
    assert (there.guild_id, there.channel_id) == (ELSEWHERE, CHANNEL + 1)
    assert [row.action for row in there.rows] == [AuditAction.SETTINGS_CHANGE, AuditAction.QUOTA_SET]


async def test_what_was_posted_is_not_in_the_backlog_any_more(log: AuditLog, context: Context) -> None:
    await choose_channel(context, CHANNEL)
    first = await write(context, AuditAction.BLOCK_ADD)
    second = await write(context, AuditAction.BLOCK_LIFT)
    await log.mark_posted(GUILD, first)
    (backlog,) = await log.fetch_backlogs()
    assert [row.id for row in backlog.rows] == [second]
    await log.mark_posted(GUILD, second)
    assert await log.fetch_backlogs() == []


async def test_a_server_that_gave_up_its_audit_channel_has_no_backlog(log: AuditLog, context: Context) -> None:
    await choose_channel(context, CHANNEL)
    await choose_channel(context, None)
    assert await log.fetch_backlogs() == []


async def test_a_long_backlog_comes_in_parts_from_its_oldest_row_on(log: AuditLog, context: Context) -> None:
    await choose_channel(context, CHANNEL)
    for _ in range(ROWS_PER_ROUND + 3):
        await write(context, AuditAction.BLOCK_ADD)
    (backlog,) = await log.fetch_backlogs()
    assert len(backlog.rows) == ROWS_PER_ROUND
    await log.mark_posted(GUILD, backlog.rows[-1].id)
    (rest,) = await log.fetch_backlogs()
    assert len(rest.rows) == 4  # the choice of the channel is a row, too
    assert rest.rows[0].id > backlog.rows[-1].id
