"""What Discord will never take is let go at once, so that it keeps nothing else waiting; what passes is tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cogs.owner.commands import Owner
from domain.cases import Decider
from sandbox.rest.limits import Fault
from sandbox.world import changes
from tests.support.cards import fields_of, titled
from tests.support.review import refused, review_cards
from tests.support.stage import Stage

POST = ("POST", "/channels/{channel_id}/messages")
DELETE = ("DELETE", "/channels/{channel_id}/messages/{message_id}")
INVALID_FORM, THREAD_ARCHIVED, BLOCKED_BY_AUTOMOD = 50035, 50083, 200000


def refuse(stage: Stage, route: tuple[str, str], code: int, status: int = 400) -> None:
    """The next request of this route is refused."""
    stage.server.faults.append(Fault(*route, status=status, code=code))


async def appeal(stage: Stage, prompt_end: str) -> None:
    opened = await stage.ana.click(await refused(stage, f"1girl, roadkill cafe sign, {prompt_end}"), "Appeal")
    await stage.ana.submit(opened, statement=prompt_end)


def statements(stage: Stage) -> list[str]:
    return [fields_of(card)["In their words"] for card in review_cards(stage)]


async def test_a_challenge_that_is_not_taken_keeps_no_other_one_waiting(stage: Stage) -> None:
    refuse(stage, POST, BLOCKED_BY_AUTOMOD)
    for theme in ("mud", "snow"):
        await stage.mira.slash(stage.paintings, "challenge start", theme=theme, ends="3d")
    await stage.bot.background.run_all()
    assert titled(stage, "Challenge: mud") == []
    assert len(titled(stage, "Challenge: snow")) == 1
    posts = sum(call.method == "POST" and call.route == POST[1] for call in stage.server.calls)
    await stage.bot.background.run_all()
    assert sum(call.method == "POST" and call.route == POST[1] for call in stage.server.calls) == posts


async def test_a_challenge_is_posted_later_if_discord_takes_none_for_now(stage: Stage) -> None:
    refuse(stage, POST, code=20028, status=403)  # the channel's write limit
    await stage.mira.slash(stage.paintings, "challenge start", theme="snow", ends="3d")
    for _ in range(2):
        await stage.bot.background.run_all()
    assert len(titled(stage, "Challenge: snow")) == 1


async def test_a_starred_picture_that_is_not_taken_is_not_tried_again(stage: Stage) -> None:
    await stage.agree(stage.ana)
    board = stage.channel("prompts")
    await stage.mira.slash(stage.paintings, "starboard set", channel=board.id, stars=1)
    picture = await stage.picture(stage.ana, steps=4)
    refuse(stage, POST, BLOCKED_BY_AUTOMOD)
    await stage.ben.react(picture, "⭐")
    row = None
    while row is None or not row["is_closed"]:  # the reaction is on its way through the gateway
        await stage.bot.background.run_all()
        row = await stage.database.fetch_one("SELECT is_closed FROM starred")
    assert stage.ana.sees(board) == []


async def test_messages_that_can_not_be_deleted_keep_no_other_from_being_deleted(stage: Stage) -> None:
    channel = stage.bot.get_partial_messageable(stage.paintings.id)
    first, second = await channel.send("one"), await channel.send("two")
    refuse(stage, DELETE, THREAD_ARCHIVED)
    for message in (first, second):
        await stage.bot.delete_quietly(stage.paintings.id, message.id)
    assert [one.content for one in stage.ana.sees(stage.paintings)] == ["one"]


async def test_cases_of_a_deleted_review_channel_appear_in_the_next_one(stage: Stage) -> None:
    await stage.agree(stage.ana)
    await stage.choose_review_channel()
    changes.delete_channel(stage.server.world, stage.channel("mod-review"))
    await appeal(stage, "a mistake")
    await stage.bot.background.run_all()
    guild = next(iter(stage.server.world.guilds.values()))
    changes.add_channel(stage.server.world, guild, "mod-review")
    await stage.choose_review_channel()
    await stage.bot.background.run_all()
    assert statements(stage) == ["a mistake"]


async def test_a_card_that_is_refused_for_itself_waits_alone(stage: Stage) -> None:
    await stage.agree(stage.ana)
    for words in ("hill", "beach"):
        await appeal(stage, words)
    refuse(stage, POST, INVALID_FORM)
    await stage.choose_review_channel()
    for _ in range(2):
        await stage.bot.background.run_all()
    assert statements(stage) == ["beach"]
    stage.advance(timedelta(minutes=6))
    await stage.bot.background.run_all()
    assert statements(stage) == ["hill", "beach"]


async def test_a_card_that_was_deleted_is_let_go(stage: Stage) -> None:
    await stage.agree(stage.ana)
    await stage.choose_review_channel()
    await appeal(stage, "hill")
    await stage.bot.background.run_all()
    (card,) = review_cards(stage)
    await stage.service.cases.decisions.uphold(
        1, Decider(user_id=stage.mira.id, guild_id=stage.paintings.guild_id or 0)
    )
    stage.server.world.delete(card)
    await stage.bot.background.run_all()
    row = await stage.database.fetch_one("SELECT shown_status, card_message_id FROM cases")
    assert row is not None
    assert tuple(row) == ("upheld", None)


@pytest.mark.parametrize("accepts_dms", [True, False])
async def test_an_owner_whose_direct_messages_are_closed_is_told_of_a_drained_queue_once(
    stage: Stage, accepts_dms: bool
) -> None:
    stage.server.world.users[stage.owner.id].accepts_dms = accepts_dms
    await stage.owner.slash(stage.paintings, "owner drain")
    await stage.bot.background.run_all()
    told = [one.content for one in stage.owner.sees(stage.owner.dm()) if "The queue is empty" in one.content]
    assert len(told) == accepts_dms
    assert await stage.service.owner.find_who_waits_for_drain() is None
    assert [one.name for one in stage.service.health.problems if Owner.__name__ in one.name] == []
