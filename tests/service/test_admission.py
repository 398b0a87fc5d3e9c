"""What stands between a request and the queue: what is decided first, and what is written down about it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from db import strikes
from db.database import Database
from domain import InvalidRequest, NotAllowed, NotFound, QuotaExceeded, Request, RequestOptions
from service import Topic
from tests.support.desk import Desk, open_desk
from tests.support.idle_backend import IdleBackend
from tests.support.people import GUILD, MEMBER, MODERATOR
from tests.support.refusals import LIFTABLE
from tests.support.requests import ORIGIN, PROFILE, USUAL_REQUEST

LONG = "a" * 1501


SHAPES = {"square": (512, 512), "portrait": (512, 768), "landscape": (768, 512)}


class Watched(IdleBackend):
    """Counts the requests that it was asked about."""

    asked = 0

    def validate(self, request: Request) -> None:
        self.asked += 1
        super().validate(request)


@pytest.fixture
async def desk(database: Database) -> AsyncGenerator[Desk]:
    async with open_desk(database, Watched(replace(PROFILE, shapes=SHAPES))) as opened:
        yield opened


def asked(desk: Desk) -> int:
    assert isinstance(desk.backend, Watched)
    return desk.backend.asked


async def count(desk: Desk, table: str) -> int:
    row = await desk.database.fetch_one(f"SELECT count(*) FROM {table}")
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
async def test_a_text_that_is_too_long_is_no_refusal_and_no_strike(desk: Desk, field: str) -> None:
    request = replace(USUAL_REQUEST, **{field: LONG})
    for _ in range(3):
        with pytest.raises(InvalidRequest, match="1,500 characters"):
            await desk.service.submit(request, ORIGIN)
    assert await count(desk, "decisions") == 0
    assert await strikes.fetch_all(desk.database, GUILD, MEMBER) == []


# ---- what is decided first -------------------------------------------------------------------------------------------


async def test_a_blocked_members_request_is_not_looked_at(desk: Desk) -> None:
    await desk.service.blocks.block_member(GUILD, MEMBER, MODERATOR, reason="a rest")
    for prompt in ("tree", "", LIFTABLE):
        with pytest.raises(NotAllowed, match="a rest"):
            await desk.service.submit(replace(USUAL_REQUEST, prompt=prompt), ORIGIN)
    assert asked(desk) == 0
    assert await count(desk, "decisions") == 0


async def test_a_paused_members_request_is_not_looked_at(desk: Desk) -> None:
    for place in ("hill", "beach", "street", "sea", "wood"):
        await desk.refuse(f"{LIFTABLE}, {place}")
    before = asked(desk)
    with pytest.raises(QuotaExceeded, match="After 3 refused prompts"):
        await desk.service.submit(replace(USUAL_REQUEST, prompt=""), ORIGIN)
    assert asked(desk) == before


async def test_a_member_on_the_slow_rung_has_a_smaller_share_of_the_engine(desk: Desk) -> None:
    job = await desk.service.submit(USUAL_REQUEST, ORIGIN)
    await desk.jobs.cancel(job.id, MEMBER)
    for place in ("hill", "beach", "street", "sea"):
        await desk.refuse(f"{LIFTABLE}, {place}")
    slow = await desk.service.submit(USUAL_REQUEST, ORIGIN)
    assert slow.weight == strikes.SLOW_WEIGHT * job.weight


# ---- the server's defaults -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "size"),
    [
        (RequestOptions(prompt="tree"), SHAPES["landscape"]),
        (RequestOptions(prompt="tree", shape="square"), SHAPES["square"]),
        (RequestOptions(prompt="tree --ar 2:3"), SHAPES["portrait"]),
        (RequestOptions(prompt="tree\nSteps: 20, Size: 512x512"), SHAPES["square"]),
    ],
)
async def test_the_servers_shape_is_for_those_who_name_none(
    desk: Desk, options: RequestOptions, size: tuple[int, int]
) -> None:
    await desk.service.settings.change(GUILD, MODERATOR, shape="landscape")
    job = await desk.service.submit(options, ORIGIN)
    assert (job.request.width, job.request.height) == size
    assert job.request.prompt == "tree"


# ---- news ------------------------------------------------------------------------------------------------------------


async def test_what_writes_nothing_for_others_is_no_news_to_them(desk: Desk) -> None:
    desk.news.clear()
    job = await desk.service.submit(USUAL_REQUEST, ORIGIN)
    assert desk.news == []
    await desk.jobs.cancel(job.id, MEMBER)
    await desk.jobs.erase(job.id, MEMBER)
    with pytest.raises(NotFound):
        await desk.jobs.cancel(job.id, MODERATOR, is_moderator=True)
    assert desk.news == [(Topic.JOBS, job.id)]


async def test_a_refusal_is_news_and_a_strike_is_more(desk: Desk) -> None:
    desk.news.clear()
    for place in ("hill", "beach"):
        await desk.refuse(f"{LIFTABLE}, {place}")
    assert desk.news == [(Topic.DECISIONS, 0)] * 2
    desk.news.clear()
    await desk.refuse(f"{LIFTABLE}, street")
    assert {topic for topic, _ in desk.news} == {Topic.DECISIONS, Topic.STRIKES, Topic.AUDIT}


async def test_what_a_moderator_does_to_a_job_is_news_of_the_audit_log(desk: Desk) -> None:
    job = await desk.service.submit(USUAL_REQUEST, ORIGIN)
    desk.news.clear()
    await desk.jobs.cancel(job.id, MODERATOR, is_moderator=True)
    assert set(desk.news) == {(Topic.AUDIT, 0), (Topic.JOBS, job.id)}
    desk.news.clear()
    await desk.jobs.erase(job.id, MODERATOR, is_moderator=True)
    assert desk.news == [(Topic.AUDIT, 0)]
