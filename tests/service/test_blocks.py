"""Blocks: who can't paint where and until when, what becomes of what waits, and what is written down."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from db import audit, jobs
from domain import InvalidRequest, JobStatus, Origin, Place
from domain.blocks import WHOLE_SERVER
from domain.places import EVERYWHERE
from domain.quotas import QuotaDefaults
from service.blocks import Blocks
from service.context import Context
from service.jobs import Jobs
from tests.support.people import CHANNEL, GUILD, MEMBER, MODERATOR, OTHER
from tests.support.requests import NOW, ORIGIN, REQUEST

ELSEWHERE = GUILD + 1


class Recalls:
    """The backend's side of taking jobs back: which ones it was told of."""

    def __init__(self) -> None:
        self.job_ids: list[int] = []

    def cancel(self, job_id: int) -> bool:
        self.job_ids.append(job_id)
        return True


@pytest.fixture
def backend() -> Recalls:
    return Recalls()


@pytest.fixture
def blocks(context: Context, backend: Recalls) -> Blocks:
    return Blocks(context, Jobs(context, backend))


async def ask(context: Context, user_id: int = MEMBER, guild_id: int | None = GUILD) -> int | None:
    """An accepted job's id; None if a block keeps it out."""
    origin: Origin = replace(ORIGIN, user_id=user_id, place=Place(guild_id=guild_id, channel_id=CHANNEL))
    async with context.writing() as connection:
        return await jobs.enqueue(
            connection, REQUEST, origin, context.now(), cost=1000, defaults=QuotaDefaults(), max_queue=100
        )


async def status_of(context: Context, job_id: int | None) -> JobStatus:
    assert job_id is not None
    job = await jobs.fetch(context.database, job_id)
    assert job is not None
    return job.status


async def test_a_block_takes_the_members_open_jobs_in_this_server_back_and_no_others(
    blocks: Blocks, context: Context, backend: Recalls
) -> None:
    mine, other = await ask(context), await ask(context, OTHER)
    elsewhere, private = await ask(context, guild_id=ELSEWHERE), await ask(context, guild_id=None)
    result = await blocks.block_member(GUILD, MEMBER, MODERATOR, reason="spam")
    assert (result.cancelled, result.expires_at) == (1, None)
    assert await status_of(context, mine) is JobStatus.CANCELLED
    for job_id in (other, elsewhere, private):
        assert await status_of(context, job_id) is JobStatus.QUEUED
    assert backend.job_ids == [mine]
    assert await ask(context) is None
    assert await ask(context, guild_id=ELSEWHERE)


async def test_a_blocks_cost_comes_back_and_both_acts_are_written_down(blocks: Blocks, context: Context) -> None:
    await ask(context)
    await blocks.block_member(GUILD, MEMBER, MODERATOR, reason="spam", expires_in=timedelta(hours=2))
    row = await context.database.fetch_one("SELECT sum(amount) FROM ledger")
    assert row is not None
    assert row[0] == 0
    rows = await audit.search(context.database, GUILD, target=f"member:{MEMBER}")
    assert [(row.action, row.actor_id) for row in rows] == [("job.cancel", MODERATOR), ("block.add", MODERATOR)]
    assert rows[1].details["reason"] == "spam"


async def test_a_block_ends_by_itself(blocks: Blocks, context: Context) -> None:
    result = await blocks.block_member(GUILD, MEMBER, MODERATOR, reason="spam", expires_in=timedelta(hours=2))
    assert result.expires_at == NOW + timedelta(hours=2)
    (block,) = await blocks.fetch(GUILD)
    assert (block.user_id, block.reason, block.expires_at) == (MEMBER, "spam", result.expires_at)
    context.clock = lambda: NOW + timedelta(hours=2)
    assert await blocks.fetch(GUILD) == []
    assert await ask(context)
    with pytest.raises(InvalidRequest, match="This member is not blocked in this server"):
        await blocks.unblock_member(GUILD, MEMBER, MODERATOR)


async def test_nobody_blocks_themselves(blocks: Blocks, context: Context) -> None:
    with pytest.raises(InvalidRequest, match="You can't block yourself"):
        await blocks.block_member(GUILD, MODERATOR, MODERATOR, reason="a slip")
    assert await blocks.fetch(GUILD) == []
    assert await audit.search(context.database, GUILD) == []


async def test_an_unblocked_member_paints_again_and_is_unblocked_once(blocks: Blocks, context: Context) -> None:
    await blocks.block_member(GUILD, MEMBER, MODERATOR, reason="spam")
    await blocks.unblock_member(GUILD, MEMBER, MODERATOR, reason="they said sorry")
    assert await ask(context)
    with pytest.raises(InvalidRequest, match="This member is not blocked in this server"):
        await blocks.unblock_member(GUILD, MEMBER, MODERATOR)
    rows = await audit.search(context.database, GUILD, action="block.lift")
    assert [row.details for row in rows] == [{"reason": "they said sorry"}]


async def test_the_owner_blocks_a_member_in_every_server_and_in_direct_messages(
    blocks: Blocks, context: Context
) -> None:
    for guild_id in (GUILD, ELSEWHERE, None):
        assert await ask(context, guild_id=guild_id)
    kept = await ask(context, OTHER)
    result = await blocks.block_member(EVERYWHERE, MEMBER, MODERATOR, reason="abuse")
    assert result.cancelled == 3
    assert await status_of(context, kept) is JobStatus.QUEUED
    for guild_id in (GUILD, ELSEWHERE, None):
        assert await ask(context, guild_id=guild_id) is None
    await blocks.unblock_member(EVERYWHERE, MEMBER, MODERATOR)
    assert await ask(context)
    with pytest.raises(InvalidRequest, match="There is no such block"):
        await blocks.unblock_member(EVERYWHERE, MEMBER, MODERATOR)


async def test_the_owner_blocks_a_whole_server(blocks: Blocks, context: Context) -> None:
    here = [await ask(context, user_id) for user_id in (MEMBER, OTHER)]
    elsewhere = await ask(context, guild_id=ELSEWHERE)
    result = await blocks.block_server(GUILD, MODERATOR, reason="abuse")
    assert result.cancelled == 2
    for job_id in here:
        assert await status_of(context, job_id) is JobStatus.CANCELLED
    assert await status_of(context, elsewhere) is JobStatus.QUEUED
    assert await ask(context, OTHER) is None
    assert [block.user_id for block in await blocks.fetch(GUILD)] == [WHOLE_SERVER]
    await blocks.unblock_server(GUILD, MODERATOR)
    assert await ask(context, OTHER)
    with pytest.raises(InvalidRequest, match="There is no such block"):
        await blocks.unblock_server(GUILD, MODERATOR)
