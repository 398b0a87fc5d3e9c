"""What members and moderators may do with challenges, and what they are told when they may not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from db import audit, jobs
from db.database import Database
from domain import InvalidRequest, Job, NotAllowed, NotFound
from domain.challenges import Challenge, ChallengeEntry
from service.challenges import Challenges
from service.context import Context, Topic
from tests.support.people import CHANNEL, GUILD, MEMBER, MODERATOR, OTHER
from tests.support.requests import NOW
from tests.support.traces import paint

DAY = timedelta(days=1)
SHOWN_IN = 55  # the message that `paint` delivers in


@pytest.fixture
def challenges(context: Context) -> Challenges:
    return Challenges(context)


@pytest.fixture
def announced(context: Context) -> list[Topic]:
    """The topics that were announced, in order."""
    heard: list[Topic] = []
    for topic in Topic:
        context.topics.subscribe(topic, lambda _, topic=topic: heard.append(topic))
    return heard


async def start(challenges: Challenges, themes: str = "snow | sea", repeat: timedelta | None = None) -> int:
    return await challenges.start(GUILD, CHANNEL, MODERATOR, themes, 3 * DAY, repeat)


async def picture_of(context: Context, user_id: int) -> Job:
    job = await jobs.fetch(context.database, await paint(context.database, user_id))
    assert job is not None
    return job


async def running(challenges: Challenges) -> Challenge:
    (challenge,) = await challenges.fetch_open(GUILD)
    return challenge


async def enter(challenges: Challenges, context: Context, user_id: int) -> ChallengeEntry:
    picture = await picture_of(context, user_id)
    return await challenges.enter(await running(challenges), picture, user_id, may_be_shown=True)


# ---- moderators ------------------------------------------------------------------------------------------------------


async def test_a_challenge_begins_now_with_its_themes_and_its_audit_row(
    challenges: Challenges, database: Database, announced: list[Topic]
) -> None:
    challenge_id = await start(challenges)
    challenge = await running(challenges)
    assert (challenge.id, challenge.themes, challenge.theme) == (challenge_id, ("snow", "sea"), "snow")
    assert (challenge.starts_at, challenge.ends_at, challenge.repeat_seconds) == (NOW, NOW + 3 * DAY, None)
    (row,) = await audit.search(database, GUILD)
    assert (row.actor_id, row.action, row.target) == (MODERATOR, "challenge.start", f"channel:{CHANNEL}")
    assert announced == [Topic.CHALLENGES, Topic.AUDIT]


async def test_too_many_themes_are_not_cut_but_said(challenges: Challenges, announced: list[Topic]) -> None:
    with pytest.raises(InvalidRequest, match="at most 20 themes, and these are 21"):
        await start(challenges, "|".join(str(number) for number in range(21)))
    assert announced == []
    await start(challenges, "|".join(str(number) for number in range(20)))
    assert len((await running(challenges)).themes) == 20


async def test_a_challenge_without_a_theme_is_not_started(challenges: Challenges, announced: list[Topic]) -> None:
    with pytest.raises(InvalidRequest, match="give a theme"):
        await start(challenges, " | ")
    assert await challenges.fetch_open(GUILD) == []
    assert announced == []


async def test_a_challenge_can_not_come_back_before_it_has_ended(challenges: Challenges) -> None:
    with pytest.raises(InvalidRequest, match="can't come back before it has ended"):
        await start(challenges, repeat=2 * DAY)
    await start(challenges, repeat=3 * DAY)
    assert (await running(challenges)).repeat_seconds == 3 * 86_400


@pytest.mark.parametrize("with_winners", [True, False])
async def test_an_ended_challenge_is_over_for_good(
    challenges: Challenges, context: Context, with_winners: bool
) -> None:
    challenge_id = await start(challenges, repeat=7 * DAY)
    entry = await enter(challenges, context, MEMBER)
    await challenges.vote(entry.id, OTHER)
    await challenges.end(GUILD, challenge_id, MODERATOR, with_winners=with_winners)
    assert [victory.user_id for victory in await challenges.fetch_victories(GUILD)] == [MEMBER] * with_winners
    assert len(await challenges.fetch_unreported()) == with_winners
    assert await challenges.fetch_open(GUILD) == []
    with pytest.raises(NotFound, match="no open challenge with this number"):
        await challenges.end(GUILD, challenge_id, MODERATOR, with_winners=True)
    rows = await audit.search(context.database, GUILD, action="challenge.end")
    assert [row.details for row in rows] == [{"challenge": challenge_id, "winners": with_winners}]


async def test_moderators_end_challenges_of_their_own_server_only(challenges: Challenges) -> None:
    challenge_id = await start(challenges)
    with pytest.raises(NotFound, match="no open challenge with this number"):
        await challenges.end(GUILD + 1, challenge_id, MODERATOR, with_winners=True)
    assert len(await challenges.fetch_open(GUILD)) == 1


# ---- members ---------------------------------------------------------------------------------------------------------


async def test_a_member_enters_one_picture_and_may_take_it_back(challenges: Challenges, context: Context) -> None:
    challenge_id = await start(challenges)
    entry = await enter(challenges, context, MEMBER)
    assert (entry.number, entry.user_id) == (1, MEMBER)
    with pytest.raises(NotAllowed, match="entry in this challenge already"):
        await enter(challenges, context, MEMBER)
    assert await challenges.withdraw(challenge_id, MEMBER) is None  # nobody has seen it yet
    with pytest.raises(NotFound, match="You have no entry in this challenge"):
        await challenges.withdraw(challenge_id, MEMBER)
    again = await enter(challenges, context, MEMBER)
    await challenges.mark_posted(again.id, 77)
    assert await challenges.withdraw(challenge_id, MEMBER) == (CHANNEL, 77)


async def test_only_a_members_own_finished_picture_of_this_server_can_be_entered(
    challenges: Challenges, context: Context
) -> None:
    await start(challenges)
    challenge, picture = await running(challenges), await picture_of(context, MEMBER)
    with pytest.raises(NotAllowed, match="only that you asked for yourself"):
        await challenges.enter(challenge, picture, OTHER, may_be_shown=True)
    with pytest.raises(NotAllowed, match="allows more than"):
        await challenges.enter(challenge, picture, MEMBER, may_be_shown=False)
    async with context.database.transaction() as connection:
        await jobs.erase_pictures(connection, picture.id)
    with pytest.raises(NotFound, match="not finished, or not stored"):
        await challenges.enter(challenge, picture, MEMBER, may_be_shown=True)
    async with context.database.transaction() as connection:
        await connection.execute("UPDATE jobs SET guild_id = ?", (GUILD + 1,))
    elsewhere = await jobs.fetch(context.database, picture.id)
    assert elsewhere is not None
    with pytest.raises(NotAllowed, match="in this server"):
        await challenges.enter(challenge, elsewhere, MEMBER, may_be_shown=True)
    assert await challenges.fetch_unposted_entries() == []


async def test_the_pictures_that_are_offered_are_the_members_own_newest_first(
    challenges: Challenges, context: Context
) -> None:
    with pytest.raises(NotFound, match="You have no pictures here yet"):
        await challenges.fetch_enterable(GUILD, MEMBER, 25)
    first, second, third = [(await picture_of(context, MEMBER)).id for _ in range(3)]
    await picture_of(context, OTHER)
    assert [job.id for job in await challenges.fetch_enterable(GUILD, MEMBER, 25)] == [third, second, first]
    assert [job.id for job in await challenges.fetch_enterable(GUILD, MEMBER, 2)] == [third, second]


async def test_a_message_is_entered_in_the_challenge_that_ends_first(challenges: Challenges, context: Context) -> None:
    picture = await picture_of(context, MEMBER)
    with pytest.raises(NotFound, match="No challenge is running"):
        await challenges.find_for_message(GUILD, SHOWN_IN)
    later = await start(challenges)
    sooner = await challenges.start(GUILD, CHANNEL, MODERATOR, "sea", DAY, None)
    challenge, job = await challenges.find_for_message(GUILD, SHOWN_IN)
    assert (challenge.id, job.id) == (sooner, picture.id)
    with pytest.raises(NotFound, match="no picture of mine"):
        await challenges.find_for_message(GUILD, SHOWN_IN + 1)
    assert (await challenges.find(later, picture.id))[0].id == later
    for challenge_id, job_id in ((later + 100, picture.id), (later, picture.id + 100)):
        with pytest.raises(NotFound, match="not stored any more"):
            await challenges.find(challenge_id, job_id)


async def test_votes_move_but_never_to_a_members_own_entry(challenges: Challenges, context: Context) -> None:
    await start(challenges)
    own, other = await enter(challenges, context, MEMBER), await enter(challenges, context, OTHER)
    with pytest.raises(NotAllowed, match="your own entry"):
        await challenges.vote(own.id, MEMBER)
    assert (await challenges.vote(other.id, MEMBER)).number == other.number
    with pytest.raises(NotAllowed, match="your own entry"):
        await challenges.vote(own.id, MEMBER)
    await challenges.vote(other.id, MODERATOR)
    await challenges.vote(own.id, MODERATOR)
    context.clock = lambda: NOW + 3 * DAY
    await challenges.end_due()
    ((_, entries),) = await challenges.fetch_unreported()
    assert [(entry.user_id, entry.votes) for entry in entries] == [(MEMBER, 1), (OTHER, 1)]


async def test_what_is_over_takes_neither_entries_nor_votes_even_before_anybody_has_looked(
    challenges: Challenges, context: Context
) -> None:
    challenge_id = await start(challenges)
    entry = await enter(challenges, context, MEMBER)
    challenge, picture = await running(challenges), await picture_of(context, OTHER)
    context.clock = lambda: NOW + 3 * DAY
    for act in (
        challenges.vote(entry.id, OTHER),
        challenges.withdraw(challenge_id, MEMBER),
        challenges.enter(challenge, picture, OTHER, may_be_shown=True),
    ):
        with pytest.raises(NotFound, match="This challenge is over"):
            await act


async def test_nobody_votes_for_an_entry_that_was_taken_back(challenges: Challenges, context: Context) -> None:
    challenge_id = await start(challenges)
    entry = await enter(challenges, context, MEMBER)
    await challenges.withdraw(challenge_id, MEMBER)
    with pytest.raises(NotFound, match="taken back"):
        await challenges.vote(entry.id, OTHER)


# ---- what is due -----------------------------------------------------------------------------------------------------


async def test_only_a_challenge_that_really_ends_is_news(
    challenges: Challenges, context: Context, announced: list[Topic]
) -> None:
    await start(challenges)
    announced.clear()
    await challenges.end_due()
    assert announced == []
    context.clock = lambda: NOW + 3 * DAY
    await challenges.end_due()
    assert announced == [Topic.CHALLENGES]
    await challenges.end_due()
    assert announced == [Topic.CHALLENGES]


async def test_everything_is_posted_once(challenges: Challenges, context: Context) -> None:
    challenge_id = await start(challenges)
    assert [challenge.id for challenge in await challenges.fetch_unannounced()] == [challenge_id]
    await challenges.mark_announced(challenge_id, 70)
    assert await challenges.fetch_unannounced() == []
    entry = await enter(challenges, context, MEMBER)
    ((challenge, unposted),) = await challenges.fetch_unposted_entries()
    assert (challenge.id, challenge.message_id, unposted) == (challenge_id, 70, entry)
    await challenges.mark_posted(entry.id, 71)
    assert await challenges.fetch_unposted_entries() == []
    assert await challenges.fetch_unreported() == []
    context.clock = lambda: NOW + 3 * DAY
    await challenges.end_due()
    assert len(await challenges.fetch_unreported()) == 1
    await challenges.mark_reported(challenge_id, 0)  # its channel is closed to the bot
    assert await challenges.fetch_unreported() == []
