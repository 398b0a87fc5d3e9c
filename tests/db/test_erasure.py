"""Erasing a member or a server: nothing of them is in any byte of the files, and everybody else's data stays."""

from __future__ import annotations

from datetime import timedelta

import pytest

from db import batches, challenges, decisions, erasure, jobs, pictures, privacy, retention, space, strikes
from db.database import Database
from domain import Action, Verdict
from domain.settings import GuildSettings
from tests.support.filed import file_report
from tests.support.people import GUILD, MEMBER, MODERATOR, OTHER
from tests.support.requests import NOW
from tests.support.traces import PNG, REQUEST, WORDS, in_files, live, origin, paint, people_left

REFUSAL = Verdict(action=Action.REFUSE, clause="adult")
OTHER_GUILD = 888_000_111


async def note(database: Database, user_id: int) -> None:
    async with database.transaction() as connection:
        await erasure.note_erasure(connection, user_id, NOW)


async def erase(database: Database, user_id: int) -> None:
    await note(database, user_id)
    await erasure.erase_member(database, user_id, NOW)
    await space.give_back(database)


async def count(database: Database, sql: str) -> int:
    row = await database.fetch_one(f"SELECT count(*) FROM {sql}")
    assert row is not None
    return int(row[0])


async def test_what_a_member_erased_is_in_no_byte_of_the_files(database: Database) -> None:
    await live(database, MEMBER)
    assert in_files(database, WORDS)
    assert in_files(database, PNG[:64])
    await erase(database, MEMBER)
    assert not in_files(database, WORDS)
    assert not in_files(database, PNG[:34])
    counted = {"decisions.user_id", "ledger.subject_id", "ledger.actor_id", "audit.actor_id", "erasures.user_id"}
    assert people_left(database.path, MEMBER) <= counted


async def test_the_name_goes_when_nothing_counts_any_more(database: Database) -> None:
    await live(database, MEMBER)
    await erase(database, MEMBER)
    await retention.forget_old(database, NOW + timedelta(hours=26))
    assert people_left(database.path, MEMBER) == {"audit.actor_id", "erasures.user_id"}
    await retention.forget_old(database, NOW + timedelta(days=364))
    assert "audit.actor_id" in people_left(database.path, MEMBER)
    await retention.forget_old(database, NOW + timedelta(days=366))
    assert people_left(database.path, MEMBER) == set()


async def test_other_members_rows_stay_to_the_last_value(database: Database) -> None:
    await live(database, OTHER)
    entry_job = await paint(database, MODERATOR)
    row = await database.fetch_one("SELECT max(id) FROM challenges")
    assert row is not None
    async with database.transaction() as connection:
        entry = await challenges.enter(connection, row[0], MODERATOR, entry_job, NOW)
        assert entry is not None
        assert await challenges.vote(connection, entry, OTHER, NOW)
        await connection.execute("INSERT INTO stars (job_id, user_id) VALUES (?, ?)", (entry_job, OTHER))
        await connection.execute(
            """INSERT INTO ledger (kind, guild_id, subject, subject_id, amount, actor_id, reason, created_at, counts_at)
               VALUES ('grant', 2, 'member', ?, 500, ?, 'for OTHER', ?, ?)""",
            (OTHER, OTHER, NOW.timestamp(), NOW.timestamp()),
        )
    await live(database, MEMBER)
    before = await privacy.export(database, OTHER)
    await erase(database, MEMBER)
    await retention.forget_old(database, NOW + timedelta(hours=26))
    assert before["challenge_votes"]
    assert before["stars"]
    assert before["ledger"]
    assert await privacy.export(database, OTHER) == {**before, "pending_requests": []}
    assert await pictures.fetch_picture(database, entry_job, 0) == PNG


async def test_an_erasure_lifts_no_block_and_no_live_strike(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO blocks (guild_id, user_id, reason, actor_id, created_at) VALUES (2, ?, 'x', ?, 0)",
            (MEMBER, MODERATOR),
        )
        expiry = NOW + timedelta(days=1)
        await connection.executemany(
            "INSERT INTO strikes (guild_id, user_id, created_at, expires_at) VALUES (2, ?, 0, ?)",
            [(MEMBER, expiry.timestamp()), (MEMBER, 5.0)],
        )
    await erase(database, MEMBER)
    assert await privacy.summarise(database, MEMBER) == {"strikes": 1, "blocks": 1, "erasures under way": 1}
    await retention.forget_old(database, NOW + timedelta(days=2))
    assert await privacy.summarise(database, MEMBER) == {"blocks": 1}


async def refuse(database: Database, minute: int, *, erase_after: bool) -> bool:
    """One refused prompt; whether it was a strike."""
    moment = NOW + timedelta(minutes=minute)
    async with database.transaction() as connection:
        decision_id = await decisions.record_prompt(connection, REFUSAL, REQUEST, origin(MEMBER), moment)
        struck = await strikes.record(connection, decision_id, GuildSettings(), moment, is_moderator=False)
        if erase_after:
            await erasure.note_erasure(connection, MEMBER, moment)
    if erase_after:
        await erasure.erase_member(database, MEMBER, moment)
    return struck is not None


@pytest.mark.parametrize("every", [1, 2, 3])
async def test_erasing_between_refusals_saves_nobody_from_strikes(database: Database, every: int) -> None:
    struck = [await refuse(database, 2 * turn, erase_after=turn % every == every - 1) for turn in range(6)]
    assert struck == [False, False, True, True, True, True]
    await space.give_back(database)
    assert not in_files(database, WORDS)
    assert await count(database, "decisions") == 6
    await retention.forget_old(database, NOW + timedelta(days=2))
    assert await count(database, "decisions") == 0


async def test_two_reporters_of_one_picture_can_both_be_erased(database: Database) -> None:
    job_id = await paint(database, MODERATOR)
    async with database.transaction() as connection:
        for user_id in (MEMBER, OTHER):
            await file_report(connection, job_id, user_id, WORDS)
    await erase(database, MEMBER)
    await erase(database, OTHER)
    assert await count(database, "cases WHERE opened_by = 0 AND statement = ''") == 2


async def test_an_erasure_that_was_interrupted_is_found_and_leaves_alone_what_came_later(database: Database) -> None:
    old = await paint(database, MEMBER)
    await note(database, MEMBER)
    new = await paint(database, MEMBER)
    ahead = await paint(database, MEMBER)
    async with database.transaction() as connection:
        for job_id, moment in ((new, NOW + timedelta(minutes=5)), (ahead, NOW + timedelta(days=300))):
            await connection.execute("UPDATE jobs SET created_at = ? WHERE id = ?", (moment.timestamp(), job_id))
    assert await erasure.fetch_unfinished(database) == [MEMBER]
    await erasure.erase_member(database, MEMBER, NOW + timedelta(minutes=10))
    assert await erasure.fetch_unfinished(database) == []
    found = [await jobs.fetch(database, job_id) is not None for job_id in (old, new, ahead)]
    assert found == [False, True, False]


async def test_an_erasure_that_nobody_noted_is_refused(database: Database) -> None:
    with pytest.raises(LookupError, match="no erasure"):
        await erasure.erase_member(database, MEMBER, NOW)


async def test_an_erasure_is_many_transactions(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(6):
        await paint(database, MEMBER, in_row=True)
    monkeypatch.setattr(batches, "MAX_BYTES", 2 * len(PNG))
    await note(database, MEMBER)
    left: list[int] = []
    original = batches.Sweep._next_jobs

    async def watch(self: batches.Sweep, connection: object, condition: str) -> list[int] | None:
        left.append(await count(database, "jobs"))  # what others see between the transactions
        return await original(self, connection, condition)  # type: ignore[arg-type]

    monkeypatch.setattr(batches.Sweep, "_next_jobs", watch)
    await erasure.erase_member(database, MEMBER, NOW)
    assert left == [6, 4, 2, 0]


async def test_jobs_that_are_together_a_byte_too_large_for_a_transaction_have_one_each(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = [await paint(database, MEMBER, in_row=True) for _ in range(2)]
    sweep = batches.Sweep(database, {"user_id": MEMBER})
    async with database.transaction() as connection:
        monkeypatch.setattr(batches, "MAX_BYTES", 2 * len(PNG))
        assert await sweep._next_jobs(connection, "user_id = :user_id") == [first, second]
        monkeypatch.setattr(batches, "MAX_BYTES", 2 * len(PNG) - 1)
        assert await sweep._next_jobs(connection, "user_id = :user_id") == [first]


async def test_a_job_of_several_large_pictures_goes_picture_by_picture(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await paint(database, MEMBER, in_row=True)
    async with database.transaction() as connection:
        for position in (1, 2):
            await connection.execute(
                """INSERT INTO pictures (job_id, position, seed, width, height, png, verdict, scores)
                   SELECT job_id, ?, seed, width, height, png, verdict, scores FROM pictures WHERE position = 0""",
                (position,),
            )
    monkeypatch.setattr(batches, "MAX_BYTES", len(PNG) - 1)
    sweep = batches.Sweep(database, {"user_id": MEMBER})
    async with database.transaction() as connection:
        assert await sweep._next_jobs(connection, "user_id = :user_id") is None
        assert await sweep._next_jobs(connection, "user_id = :user_id") is None
        assert await sweep._next_jobs(connection, "user_id = :user_id") == [job_id]


@pytest.mark.parametrize(
    ("rows", "seconds", "wanted"), [(8, 0.001, 16), (8, 0.007, 8), (8, 0.02, 4), (1, 1.0, 1), (512, 0.0, 512)]
)
def test_batches_grow_and_shrink_with_their_time(rows: int, seconds: float, wanted: int) -> None:
    assert batches._next_size(rows, seconds) == wanted


async def test_a_server_that_was_left_is_erased_in_time(database: Database) -> None:
    await live(database, MEMBER)
    async with database.transaction() as connection:
        await erasure.note_departure(connection, GUILD, NOW)
    assert await erasure.erase_departed(database, NOW + timedelta(days=29)) == []
    assert await erasure.erase_departed(database, NOW + timedelta(days=31)) == [GUILD]
    await space.give_back(database)
    assert not in_files(database, WORDS)
    assert await erasure.fetch_guild_ids(database) == set()
    of_their_own = {"agreements.user_id", "member_settings.user_id", "prompt_channels.opened_by"}
    assert people_left(database.path, MEMBER) <= of_their_own


async def test_a_departure_takes_nothing_of_another_server(database: Database) -> None:
    job_id = await paint(database, MEMBER)
    async with database.transaction() as connection:
        await connection.execute("UPDATE jobs SET guild_id = ?", (OTHER_GUILD,))
        await connection.executemany(
            "INSERT INTO strikes (guild_id, user_id, created_at, expires_at) VALUES (?, ?, 0, 9e9)",
            [(GUILD, MEMBER), (OTHER_GUILD, MEMBER)],
        )
        for guild_id in (GUILD, OTHER_GUILD):
            await erasure.note_departure(connection, guild_id, NOW + timedelta(days=10 if guild_id != GUILD else 0))
    assert await erasure.erase_departed(database, NOW + timedelta(days=31)) == [GUILD]
    assert await count(database, f"strikes WHERE guild_id = {OTHER_GUILD}") == 1
    assert await count(database, "strikes") == 1
    assert await count(database, f"departures WHERE guild_id = {OTHER_GUILD}") == 1
    assert await jobs.fetch(database, job_id) is not None


async def test_a_server_that_came_back_is_not_erased(database: Database) -> None:
    await live(database, MEMBER)
    async with database.transaction() as connection:
        await erasure.note_departure(connection, GUILD, NOW)
        await erasure.note_return(connection, [GUILD])
    assert await erasure.erase_departed(database, NOW + timedelta(days=90)) == []
    assert GUILD in await erasure.fetch_guild_ids(database)


async def test_a_server_that_comes_back_during_its_erasure_keeps_the_rest(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await live(database, MEMBER)
    async with database.transaction() as connection:
        await erasure.note_departure(connection, GUILD, NOW)
    original = batches.Sweep.run_over_jobs

    async def come_back(self: batches.Sweep, *given: object) -> int:
        async with database.transaction() as connection:
            await erasure.note_return(connection, [GUILD])
        return await original(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(batches.Sweep, "run_over_jobs", come_back)
    assert await erasure.erase_departed(database, NOW + timedelta(days=31)) == []
    assert await count(database, "jobs") == 1
