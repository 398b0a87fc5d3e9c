"""Channels take only what their level and permissions admit, and moderators hear beforehand what would not work."""

from __future__ import annotations

from typing import Any

import discord
import pytest

from domain import Upload
from engine.images.upload import make_upload
from sandbox.world import changes
from sandbox.world.things import Channel
from tests.support.cards import titled, told
from tests.support.challenges import enter_challenge, start_challenge
from tests.support.stage import Stage, is_delivered


def close_to_the_bot(stage: Stage, channel: Channel) -> None:
    forbidden = (0, discord.Permissions(attach_files=True).value)
    changes.edit_channel(stage.server.world, channel, overwrites={stage.server.world.bot.id: forbidden})


@pytest.mark.parametrize(("level", "is_shown"), [("standard", True), ("strict", False), ("off", False)])
async def test_a_starboard_shows_what_its_own_level_admits(stage: Stage, level: str, is_shown: bool) -> None:
    await stage.agree(stage.ana)
    board = stage.channel("prompts")
    await stage.mira.slash(stage.paintings, "starboard set", channel=board.id, stars=1)
    await stage.change_settings(board, level=level)
    picture = await stage.picture(stage.ana, steps=4)
    await stage.ben.react(picture, "⭐")
    row = None
    while row is None or not row["is_closed"]:  # the reaction is on its way through the gateway
        await stage.bot.background.run_all()
        row = await stage.database.fetch_one("SELECT is_closed FROM starred")
    assert bool(stage.ana.sees(board)) == is_shown


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the picture files that are made."""
    made: list[str] = []

    def make(data: bytes, name: str, scale: int, limit_bytes: int) -> Upload:
        made.append(name)
        return make_upload(data, name, scale, limit_bytes)

    monkeypatch.setattr("service.deliveries.make_upload", make)
    return made


@pytest.mark.parametrize(("level", "files"), [("standard", 1), ("strict", 0)])
async def test_of_several_pictures_a_starboard_makes_one_file_and_none_that_it_does_not_take(
    stage: Stage, encoded: list[str], level: str, files: int
) -> None:
    await stage.agree(stage.ana)
    board = stage.channel("prompts")
    await stage.mira.slash(stage.paintings, "starboard set", channel=board.id, stars=1)
    await stage.change_settings(board, level=level)
    picture = await stage.picture(stage.ana, steps=4, images=2)
    encoded.clear()
    await stage.ben.react(picture, "⭐")
    row = None
    while row is None or not row["is_closed"]:  # the reaction is on its way through the gateway
        await stage.bot.background.run_all()
        row = await stage.database.fetch_one("SELECT is_closed FROM starred")
    assert len(encoded) == files


async def test_of_several_pictures_a_challenge_makes_one_file(stage: Stage, encoded: list[str]) -> None:
    await stage.agree(stage.ana)
    await stage.picture(stage.ana, steps=4, images=2)
    announcement = await start_challenge(stage)
    encoded.clear()
    await enter_challenge(stage, stage.ana, announcement)
    assert len(encoded) == 1


async def test_a_strict_channel_shows_its_own_pictures_on_a_strict_starboard(stage: Stage) -> None:
    await stage.agree(stage.ana)
    board = stage.channel("prompts")
    await stage.mira.slash(stage.paintings, "starboard set", channel=board.id, stars=1)
    for channel in (board, stage.paintings):
        await stage.change_settings(channel, level="strict")
    await stage.ben.react(await stage.picture(stage.ana, steps=4), "⭐")
    await stage.ana.until(lambda: any(is_delivered(one) for one in stage.ana.sees(board)))


async def test_a_challenge_in_a_strict_channel_takes_no_picture_of_a_freer_one(stage: Stage) -> None:
    await stage.agree(stage.ana)
    picture = await stage.picture(stage.ana, steps=4)
    await stage.change_settings(stage.paintings, level="strict")
    await start_challenge(stage)
    refused = stage.ana.answer(await stage.ana.menu(stage.paintings, "Enter in challenge", picture))
    assert "allows more than" in refused.content
    assert titled(stage, "Entry") == []


@pytest.mark.parametrize(
    ("command", "options"),
    [("challenge start", {"theme": "snow", "ends": "1d"}), ("starboard set", {"stars": 1})],
)
async def test_where_the_bot_may_not_post_nothing_is_announced(
    stage: Stage, command: str, options: dict[str, Any]
) -> None:
    place = stage.channel("prompts")
    close_to_the_bot(stage, place)
    answer = await told(stage, "mira", command, channel=place.id, **options)
    assert f"I can't post in <#{place.id}>: I am missing attach files" in answer
    rows = await stage.database.fetch_one("SELECT (SELECT count(*) FROM challenges) + count(*) FROM starboards")
    assert rows is not None
    assert rows[0] == 0


async def test_approval_without_a_review_channel_is_warned_about_and_the_panel_shows_it(stage: Stage) -> None:
    here = stage.paintings.id
    assert "no review channel yet" in await told(stage, "mira", "review approval", channel=here, on=True)
    assert "wait here for a moderator" in await told(stage, "mira", "settings panel")
    assert "no review channel" not in await told(stage, "mira", "review approval", channel=here, on=False)
