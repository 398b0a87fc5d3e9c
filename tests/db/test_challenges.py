"""Challenges in the database: anonymous numbers, one vote each, ties, recurring rounds."""

import asyncio
from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db import challenges
from db.database import Database, fetch_one
from domain.challenges import ChallengeEntry
from tests.support.requests import NOW

END = NOW + timedelta(days=3)


async def new_job(database: Database, user_id: int) -> int:
    async with database.transaction() as connection:
        row = await fetch_one(
            connection,
            """INSERT INTO jobs (user_id, guild_id, channel_id, request, images, created_at)
               VALUES (?, 2, 3, '{}', 1, 0) RETURNING id""",
            (user_id,),
        )
    assert row is not None
    return int(row["id"])


async def start(database: Database, repeat: timedelta | None = None, themes: tuple[str, ...] = ("snow",)) -> int:
    async with database.transaction() as connection:
        return await challenges.start(
            connection,
            guild_id=2,
            channel_id=3,
            themes=themes,
            created_by=9,
            starts_at=NOW,
            ends_at=END,
            repeat=repeat,
        )


async def try_to_enter(
    database: Database, challenge_id: int, user_id: int, now: datetime = NOW
) -> ChallengeEntry | None:
    job_id = await new_job(database, user_id)
    async with database.transaction() as connection:
        return await challenges.enter(connection, challenge_id, user_id, job_id, now)


async def enter(database: Database, challenge_id: int, user_id: int) -> ChallengeEntry:
    entry = await try_to_enter(database, challenge_id, user_id)
    assert entry is not None
    return entry


async def vote(database: Database, entry: ChallengeEntry, user_id: int) -> bool:
    async with database.transaction() as connection:
        return await challenges.vote(connection, entry, user_id, NOW)


async def end_due(database: Database, now: datetime = END) -> list[int]:
    async with database.transaction() as connection:
        return await challenges.end_due(connection, now)


async def test_entries_get_numbers_in_order(database: Database) -> None:
    challenge_id = await start(database)
    entries = [await enter(database, challenge_id, user_id) for user_id in (1, 2, 3)]
    assert [entry.number for entry in entries] == [1, 2, 3]


async def test_a_member_has_one_entry(database: Database) -> None:
    challenge_id = await start(database)
    await enter(database, challenge_id, 1)
    assert await try_to_enter(database, challenge_id, 1) is None


async def test_after_withdrawing_another_picture_can_be_entered(database: Database) -> None:
    challenge_id = await start(database)
    await enter(database, challenge_id, 1)
    async with database.transaction() as connection:
        assert await challenges.withdraw(connection, challenge_id, 1) is not None
        assert await challenges.withdraw(connection, challenge_id, 1) is None
    assert (await enter(database, challenge_id, 1)).number == 1


async def test_nobody_votes_for_themselves_even_by_moving_a_vote(database: Database) -> None:
    challenge_id = await start(database)
    own, other = await enter(database, challenge_id, 1), await enter(database, challenge_id, 2)
    assert not await vote(database, own, 1)
    assert await vote(database, other, 1)
    assert not await vote(database, own, 1)
    await end_due(database)
    entries = await challenges.fetch_entries(database, challenge_id)
    assert [(entry.votes, entry.is_winner) for entry in entries] == [(0, False), (1, True)]


async def test_concurrent_votes_of_one_member_count_once(database: Database) -> None:
    challenge_id = await start(database)
    first, second = await enter(database, challenge_id, 1), await enter(database, challenge_id, 2)
    await asyncio.gather(*(vote(database, entry, 7) for entry in (first, second) * 10))
    await end_due(database)
    assert sum(entry.votes or 0 for entry in await challenges.fetch_entries(database, challenge_id)) == 1


async def test_a_tie_has_several_winners(database: Database) -> None:
    challenge_id = await start(database)
    entries = [await enter(database, challenge_id, user_id) for user_id in (1, 2, 3)]
    await vote(database, entries[0], 10)
    await vote(database, entries[1], 11)
    await end_due(database)
    victories = await challenges.fetch_victories(database, 2)
    assert [(victory.user_id, victory.votes, victory.theme) for victory in victories] == [
        (1, 1, "snow"),
        (2, 1, "snow"),
    ]


async def test_without_votes_nobody_wins(database: Database) -> None:
    challenge_id = await start(database)
    await enter(database, challenge_id, 1)
    await end_due(database)
    assert await challenges.fetch_victories(database, 2) == []


async def test_votes_and_entries_end_with_the_time_even_before_the_loop_has_looked(database: Database) -> None:
    challenge_id = await start(database)
    async with database.transaction() as connection:
        assert await challenges.is_open(connection, challenge_id, END - timedelta(seconds=1))
        assert not await challenges.is_open(connection, challenge_id, END)
    assert await try_to_enter(database, challenge_id, 2, END) is None


async def test_a_challenge_ends_once(database: Database) -> None:
    challenge_id = await start(database, timedelta(days=7))
    assert await end_due(database, END - timedelta(seconds=1)) == []
    assert await end_due(database) == [challenge_id]
    assert await end_due(database) == []
    assert len(await challenges.fetch_open(database, 2)) == 1


async def test_a_recurring_challenge_takes_its_themes_in_turn(database: Database) -> None:
    await start(database, timedelta(days=7), themes=("snow", "sea"))
    await end_due(database)
    (following,) = await challenges.fetch_open(database, 2)
    week = timedelta(days=7)
    assert (following.theme, following.starts_at, following.ends_at) == ("sea", NOW + week, END + week)
    assert await challenges.fetch_open(database, 2, END) == []
    await end_due(database, following.ends_at)
    (third,) = await challenges.fetch_open(database, 2)
    assert third.theme == "snow"


async def test_rounds_missed_while_the_bot_was_away_are_left_out(database: Database) -> None:
    await start(database, timedelta(days=7))
    await end_due(database, END + timedelta(days=30))
    (following,) = await challenges.fetch_open(database, 2)
    assert following.starts_at == NOW + timedelta(days=35)
    assert following.ends_at == END + timedelta(days=35)


async def test_a_recurring_challenge_that_is_ended_by_hand_does_not_come_back(database: Database) -> None:
    challenge_id = await start(database, timedelta(days=7))
    async with database.transaction() as connection:
        assert await challenges.end_now(connection, challenge_id, NOW + timedelta(hours=1))
        assert not await challenges.end_now(connection, challenge_id, NOW + timedelta(hours=1))
    assert await challenges.fetch_open(database, 2) == []
    assert [challenge.id for challenge in await challenges.fetch_unreported(database)] == [challenge_id]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(votes=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2)), max_size=15))
async def test_each_members_last_valid_vote_counts(database: Database, votes: list[tuple[int, int]]) -> None:
    challenge_id = await start(database)
    entries = [await enter(database, challenge_id, user_id) for user_id in (1, 2, 3)]
    expected: dict[int, int] = {}
    for voter, choice in votes:
        if entries[choice].user_id == voter:
            assert not await vote(database, entries[choice], voter)
        else:
            assert await vote(database, entries[choice], voter)
            expected[voter] = choice
    async with database.transaction() as connection:
        await challenges.end_now(connection, challenge_id, NOW)
    counted = [entry.votes for entry in await challenges.fetch_entries(database, challenge_id)]
    assert counted == [list(expected.values()).count(choice) for choice in range(3)]
