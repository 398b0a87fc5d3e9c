"""Quotas: which rule applies, what a picture costs, and fair shares of the worker."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from db import jobs, ledger, quotas
from db.database import Database
from domain import JobStatus, Origin, Outcome, OutcomeCode, Place
from domain.quotas import Asker, QuotaDefaults, QuotaKind, QuotaRule, QuotaStanding, QuotaSubject, credits_in_words
from engine.request.cost import millicredits_for
from engine.worker.fair_queue import FairQueue
from tests.support.engine import WaitingJob
from tests.support.people import CHANNEL, GUILD, MEMBER, MODERATOR
from tests.support.requests import NOW, PROFILE
from tests.support.requests import ORIGIN as PLAIN_ORIGIN
from tests.support.requests import USUAL_REQUEST as REQUEST

BEST_ROLE, OTHER_ROLE = 21, 22
ORIGIN = replace(PLAIN_ORIGIN, role_ids=(BEST_ROLE, OTHER_ROLE))
DEFAULTS = QuotaDefaults(per_hour=60_000, per_day=600_000, max_jobs=1000)


async def set_rule(database: Database, kind: QuotaKind, subject_id: int = 0, **values: Any) -> None:
    subject = QuotaSubject(kind, subject_id)
    rule = QuotaRule(guild_id=GUILD, subject=subject, actor_id=MODERATOR, set_at=NOW, reason="test", **values)
    async with database.transaction() as connection:
        await quotas.set_rule(connection, rule)


async def standing(database: Database, origin: Origin = ORIGIN, now: datetime = NOW) -> QuotaStanding:
    return await quotas.fetch_standing(database, Asker.of(origin), DEFAULTS, now)


async def enqueue(
    database: Database, cost: int = 1000, origin: Origin = ORIGIN, now: datetime = NOW, max_queue: int = 10_000
) -> int | None:
    async with database.transaction() as connection:
        return await jobs.enqueue(connection, REQUEST, origin, now, cost=cost, defaults=DEFAULTS, max_queue=max_queue)


# ---- resolution ------------------------------------------------------------------------------------------------------


async def test_the_nearest_rule_decides_each_value_on_its_own(database: Database) -> None:
    assert (await standing(database)).hour_source is None
    await set_rule(database, QuotaKind.EVERYONE, per_hour=1000, per_day=9000)
    await set_rule(database, QuotaKind.CHANNEL, CHANNEL, per_hour=2000)
    assert (await standing(database)).hour_source == QuotaSubject(QuotaKind.CHANNEL, CHANNEL)
    await set_rule(database, QuotaKind.ROLE, OTHER_ROLE, per_hour=3000)
    await set_rule(database, QuotaKind.ROLE, BEST_ROLE, per_hour=4000)
    found = await standing(database)
    assert (found.per_hour, found.hour_source) == (4000, QuotaSubject(QuotaKind.ROLE, BEST_ROLE))
    assert (found.per_day, found.day_source) == (9000, QuotaSubject(QuotaKind.EVERYONE))
    await set_rule(database, QuotaKind.MEMBER, MEMBER, per_hour=500)
    found = await standing(database)
    assert (found.per_hour, found.hour_source) == (500, QuotaSubject(QuotaKind.MEMBER, MEMBER))


async def test_a_rule_ends_when_it_expires(database: Database) -> None:
    await set_rule(database, QuotaKind.MEMBER, MEMBER, per_hour=500, expires_at=NOW + timedelta(hours=1))
    assert (await standing(database, now=NOW + timedelta(minutes=59))).per_hour == 500
    assert (await standing(database, now=NOW + timedelta(minutes=60))).per_hour == DEFAULTS.per_hour


async def test_a_thread_has_its_channels_quota(database: Database) -> None:
    await set_rule(database, QuotaKind.CHANNEL, CHANNEL, per_hour=2000)
    in_thread = replace(ORIGIN, place=Place(guild_id=GUILD, channel_id=555), parent_channel_id=CHANNEL)
    assert (await standing(database, in_thread)).per_hour == 2000


async def test_a_change_takes_effect_on_the_next_request(database: Database) -> None:
    await set_rule(database, QuotaKind.EVERYONE, per_hour=1000)
    assert await enqueue(database)
    assert await enqueue(database) is None
    await set_rule(database, QuotaKind.EVERYONE, per_hour=2000)
    assert await enqueue(database)
    await set_rule(database, QuotaKind.EVERYONE, per_hour=0)
    assert await enqueue(database) is None


async def test_granted_credits_are_spent_after_the_allowance_and_come_back_to_their_grant(database: Database) -> None:
    await set_rule(database, QuotaKind.EVERYONE, per_hour=1000)
    async with database.transaction() as connection:
        await ledger.grant(
            connection, GUILD, QuotaSubject(QuotaKind.ROLE, BEST_ROLE), 1500, MODERATOR, NOW, reason="prize"
        )
    job_id = await enqueue(database, cost=2000)
    assert job_id
    found = await standing(database)
    assert (found.allowance, found.extra) == (0, 500)
    async with database.transaction() as connection:
        await jobs.end(connection, job_id, JobStatus.FAILED, Outcome(OutcomeCode.FAILED, "no"), NOW)
    found = await standing(database)
    assert (found.allowance, found.extra) == (1000, 1500)


async def test_a_reset_gives_the_whole_allowance_back(database: Database) -> None:
    await set_rule(database, QuotaKind.EVERYONE, per_hour=2000)
    assert await enqueue(database, cost=2000)
    async with database.transaction() as connection:
        await ledger.reset(connection, GUILD, QuotaSubject(QuotaKind.MEMBER, MEMBER), MODERATOR, NOW, reason="sorry")
    assert (await standing(database)).allowance == 2000


async def test_a_servers_budget_holds_for_all_its_members_together(database: Database) -> None:
    await set_rule(database, QuotaKind.SERVER, per_hour=2500, max_jobs=2)
    assert await enqueue(database, origin=ORIGIN)
    assert await enqueue(database, origin=replace(ORIGIN, user_id=2), cost=1600) is None
    assert await enqueue(database, origin=replace(ORIGIN, user_id=2))
    assert await enqueue(database, origin=replace(ORIGIN, user_id=3), cost=100) is None
    elsewhere = replace(ORIGIN, place=Place(guild_id=77, channel_id=1))
    assert await enqueue(database, origin=elsewhere)


async def test_the_bots_default_counts_what_was_spent_anywhere(database: Database) -> None:
    assert await enqueue(database, cost=50_000)
    in_private = Origin(user_id=MEMBER, place=Place(channel_id=5))
    assert (await standing(database, in_private)).allowance == 10_000
    assert await enqueue(database, cost=10_001, origin=in_private) is None


async def test_it_says_when_the_same_request_would_be_taken(database: Database) -> None:
    await set_rule(database, QuotaKind.EVERYONE, per_hour=3000)
    for minutes in (0, 10, 20):
        assert await enqueue(database, now=NOW + timedelta(minutes=minutes))
    now = NOW + timedelta(minutes=30)
    found = await standing(database, now=now)
    assert found.free_at(1000, now) == NOW + timedelta(minutes=60)
    assert found.free_at(2000, now) == NOW + timedelta(minutes=70)
    assert found.free_at(4000, now) is None
    assert await enqueue(database, cost=2000, now=NOW + timedelta(minutes=69, seconds=59)) is None
    assert await enqueue(database, cost=2000, now=NOW + timedelta(minutes=70))


# ---- what a picture costs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "credits"),
    [
        ({}, 1.0),
        ({"width": 768}, 1.60),
        ({"width": 768, "height": 768}, 2.65),
        ({"num_inference_steps": 50}, 82.9 / 34.7),
        ({"images": 4}, 4.0),
    ],
)
def test_the_cost_follows_the_counted_operations(changes: dict[str, Any], credits: float) -> None:
    assert millicredits_for(replace(REQUEST, **changes), PROFILE) == pytest.approx(credits * 1000, rel=0.012)


def test_less_work_costs_less() -> None:
    full = millicredits_for(REQUEST, PROFILE)
    assert millicredits_for(replace(REQUEST, guidance_scale=1.0), PROFILE) < 0.6 * full
    assert millicredits_for(replace(REQUEST, guidance_interval=(0.1, 0.7)), PROFILE) < 0.85 * full
    assert millicredits_for(replace(REQUEST, init_image=b"x", strength=0.5), PROFILE) < 0.6 * full
    assert millicredits_for(replace(REQUEST, upscale=2.0), PROFILE) > 3 * full


def test_a_price_is_never_shown_as_nothing() -> None:
    assert credits_in_words(1) == "0.01 credits"
    assert credits_in_words(1000) == "1 credit"
    assert credits_in_words(1596) == "1.6 credits"
    assert credits_in_words(0) == "0 credits"
    assert credits_in_words(250) == "0.25 credits"
    assert credits_in_words(18_840) == "18.8 credits"
    assert credits_in_words(100_000_000) == "100,000 credits"


# ---- fair shares -----------------------------------------------------------------------------------------------------


class Worker:
    """One worker on a simulated clock: members ask again when a picture is done, the flooder asks for 300 at once."""

    def __init__(self, weights: dict[tuple[int, int], tuple[float, float]], flooder: tuple[int, int]) -> None:
        self.queue: FairQueue[WaitingJob] = FairQueue(10_000)
        self.weights = weights
        self.seconds = 0.0
        self.served: Counter[tuple[int, int]] = Counter()
        self._job_ids = iter(range(1, 1_000_000))
        for who in weights:
            for _ in range(300 if who == flooder else 2):
                self.ask(who)

    def ask(self, who: tuple[int, int]) -> None:
        weight, guild_weight = self.weights[who]
        # Costs differ from member to member: shares are of the worker's time, not of the number of pictures.
        cost = 1.0 + who[1] % 3
        self.queue.push(WaitingJob(next(self._job_ids), who[0], who[1], cost, weight, guild_weight))

    def work(self, seconds: float) -> None:
        while self.seconds < seconds:
            entry = self.queue.pop()
            assert entry is not None
            self.seconds += entry.cost
            who = (entry.guild_key, entry.user_id)
            self.served[who] += entry.cost  # pyright: ignore[reportArgumentType]
            self.ask(who)


async def test_shares_follow_the_weights_that_moderators_set_although_one_floods(database: Database) -> None:
    """Two servers of 20 members; server 10 has weight 2, its members with the booster role have weight 3."""
    members = [(guild, guild * 100 + number) for guild in (GUILD, 11) for number in range(20)]
    await set_rule(database, QuotaKind.SERVER, weight=2.0)
    await set_rule(database, QuotaKind.ROLE, BEST_ROLE, weight=3.0)
    weights = {who: await stored_weights(database, who) for who in members}
    worker = Worker(weights, flooder=(11, 1100))
    worker.work(20_000)
    for guild, guild_share in ((GUILD, 2 / 3), (11, 1 / 3)):
        served = {who: seconds for who, seconds in worker.served.items() if who[0] == guild}
        assert sum(served.values()) == pytest.approx(worker.seconds * guild_share, rel=0.1)
        total = sum(weights[who][0] for who in served)
        for who, seconds in served.items():
            assert seconds == pytest.approx(sum(served.values()) * weights[who][0] / total, rel=0.1), who


async def stored_weights(database: Database, who: tuple[int, int]) -> tuple[float, float]:
    """As the accepted job carries them; the first five members of a server have the booster role."""
    roles = (BEST_ROLE,) if who[1] % 100 < 5 else ()
    origin = Origin(user_id=who[1], place=Place(guild_id=who[0], channel_id=1), role_ids=roles)
    job_id = await enqueue(database, origin=origin)
    assert job_id is not None
    async with database.transaction() as connection:
        job = await jobs.fetch_new(connection, job_id)
    return job.weight, job.guild_weight
