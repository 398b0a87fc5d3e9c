"""A challenge end to end: announced, entered, voted on, ended by its row, across restarts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain import InvalidRequest
from domain.challenges import MAX_DURATION
from domain.durations import parse_duration
from sandbox.people.person import Refused
from tests.support.cards import titled
from tests.support.challenges import enter_challenge, start_challenge
from tests.support.stage import Stage, restarted


@pytest.mark.parametrize(("text", "hours"), [("90m", 1.5), ("12h", 12), ("2d 12H", 60), ("1w", 168)])
def test_durations(text: str, hours: float) -> None:
    assert parse_duration(text, longest=MAX_DURATION) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "soon", "3", "3x", "d3", "0d", "9999w", "61d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(InvalidRequest, match="60 days at most"):
        parse_duration(text, longest=MAX_DURATION)


async def test_a_challenge_from_start_to_hall_of_fame_with_restarts_in_between(stage: Stage) -> None:
    await stage.agree(stage.ana, stage.ben)
    await stage.picture(stage.ana, prompt="1girl, snow")
    await stage.picture(stage.ben, prompt="1boy, snow")
    announcement = await start_challenge(stage, every="1w")
    first = await enter_challenge(stage, stage.ana, announcement)
    shown = str(first.embeds) + first.content + "".join(one.filename for one in first.attachments)
    assert str(stage.ana.id) not in shown
    assert "1girl" not in shown
    async with restarted(stage) as stage_2:
        second = await enter_challenge(stage_2, stage_2.ben, announcement)
        assert len(titled(stage_2, "Entry")) == 2
        own = stage_2.ana.answer(await stage_2.ana.click(first, "Vote"))
        assert "your own entry" in own.content
        voted = stage_2.ana.answer(await stage_2.ana.click(second, "Vote"))
        assert "entry 2" in voted.content
        await stage_2.mira.click(second, "Vote")
        assert "2" not in str(second.embeds[0].get("fields", ""))
        async with restarted(stage_2) as stage_3:
            stage_3.advance(timedelta(days=3, minutes=1))
            await stage_3.bot.background.run_all()
            (results,) = titled(stage_3, "Challenge over: snow")
            assert f"<@{stage_3.ben.id}>" in results.embeds[0]["description"]
            assert "2 votes" in results.embeds[0]["description"]
            late = stage_3.ana.answer(await stage_3.ana.click(first, "Vote"))
            assert "over" in late.content
            await stage_3.bot.background.run_all()
            assert len(titled(stage_3, "Challenge over: snow")) == 1
            assert titled(stage_3, "Challenge: sea") == []
            fame = stage_3.ana.answer(await stage_3.ana.slash(stage_3.paintings, "challenges"))
            assert f"<@{stage_3.ben.id}>" in fame.embeds[1]["description"]
            stage_3.advance(timedelta(days=4))
            await stage_3.bot.background.run_all()
            assert len(titled(stage_3, "Challenge: sea")) == 1


async def test_entering_by_menu_taking_back_and_ending_by_hand(stage: Stage) -> None:
    await stage.agree(stage.ana)
    picture = await stage.picture(stage.ana)
    none = stage.ana.answer(await stage.ana.menu(stage.paintings, "Enter in challenge", picture))
    assert "No challenge is running" in none.content
    announcement = await start_challenge(stage)
    other = stage.ben.answer(await stage.ben.menu(stage.paintings, "Enter in challenge", picture))
    assert "only that you asked for yourself" in other.content
    assert "no pictures" in stage.ben.answer(await stage.ben.click(announcement, "Enter")).content
    await stage.ana.menu(stage.paintings, "Enter in challenge", picture)
    await stage.bot.background.run_all()
    (entry,) = titled(stage, "Entry")
    await stage.ana.click(announcement, "Take my entry back")
    await stage.ana.until(lambda: entry.id not in stage.server.world.messages)
    await stage.mira.slash(stage.paintings, "challenge end", challenge=1)
    await stage.bot.background.run_all()
    assert "Nobody entered" in titled(stage, "Challenge over")[0].embeds[0]["description"]


async def test_members_can_not_start_challenges(stage: Stage) -> None:
    with pytest.raises(Refused):
        await stage.ana.slash(stage.paintings, "challenge start", theme="x", ends="1d")
    forced = await stage.ana.force(stage.paintings, "challenge start", theme="x", ends="1d")
    assert "moderators" in stage.ana.answer(forced).content


async def test_a_picture_with_enough_stars_is_shown_once_more(stage: Stage) -> None:
    await stage.agree(stage.ana)
    board = stage.channel("prompts")
    await stage.mira.slash(stage.paintings, "starboard set", channel=board.id, stars=2)
    picture = await stage.picture(stage.ana)
    await stage.ana.react(picture, "⭐")
    await stage.ben.react(picture, "⭐")
    await stage.mira.react(picture, "⭐")
    shown = await stage.ana.until(lambda: next(iter(stage.ana.sees(board)), None))
    assert f"<@{stage.ana.id}>" in shown.embeds[0]["description"]
    assert shown.attachments
    await stage.bot.background.run_all()
    assert len(stage.ana.sees(board)) == 1


async def test_a_picture_of_an_age_restricted_channel_does_not_leave_it(stage: Stage) -> None:
    await stage.agree(stage.ana)
    board, dark = stage.channel("prompts"), stage.channel("after-dark")
    async with stage.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO place_settings (guild_id, channel_id, name, value) VALUES (?, ?, 'level', '\"adult\"')",
            (dark.guild_id, dark.id),
        )
    await stage.mira.slash(stage.paintings, "starboard set", channel=board.id, stars=1)
    picture = await stage.picture(stage.ana, dark)
    await stage.ben.react(picture, "⭐")
    await stage.bot.background.run_all()
    row = await stage.database.fetch_one("SELECT is_closed, message_id FROM starred")
    while row is None:  # the reaction is on its way through the gateway
        await stage.bot.background.run_all()
        row = await stage.database.fetch_one("SELECT is_closed, message_id FROM starred")
    await stage.bot.background.run_all()
    assert stage.ana.sees(board) == []
    announcement = await start_challenge(stage)
    refused = stage.ana.answer(await stage.ana.menu(dark, "Enter in challenge", picture))
    assert "age-restricted" in refused.content
    assert announcement.id
