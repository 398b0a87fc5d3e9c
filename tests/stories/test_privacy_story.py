"""/privacy end to end: shown, exported, erased; servers left and found again."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from datetime import timedelta

from db import jobs
from sandbox.people.person import WAIT_SECONDS
from sandbox.world import changes
from service.privacy import split_pictures
from tests.support.stage import Stage
from tests.support.traces import in_files

WORDS = "1girl, unmistakable lighthouse"


async def test_a_member_sees_downloads_and_erases_what_is_stored(stage: Stage) -> None:
    await stage.agree(stage.ana, stage.ben)
    await stage.picture(stage.ana, prompt=WORDS)
    await stage.picture(stage.ben, prompt="1boy, hat")
    shown = stage.ana.answer(await stage.ana.slash(stage.paintings, "privacy show"))
    assert "1 pictures you asked for" in shown.embeds[0]["description"]
    seen = {message.id for message in stage.ana.sees(stage.paintings)}
    await stage.ana.slash(stage.paintings, "privacy export")
    export = await stage.ana.until(
        lambda: next((m for m in stage.ana.sees(stage.paintings) if m.id not in seen and m.attachments), None)
    )
    assert export.only_for == stage.ana.id
    with zipfile.ZipFile(io.BytesIO(export.attachments[0].data)) as zipped:
        names = zipped.namelist()
        stored = json.loads(zipped.read("stored.json"))
        assert zipped.read(next(name for name in names if name.endswith(".png"))).startswith(b"\x89PNG")
    assert WORDS in stored["jobs"][0]["request"]
    assert len(stored["jobs"]) == 1
    asked = stage.ana.answer(await stage.ana.slash(stage.paintings, "privacy delete"))
    await stage.ana.click(asked, "Erase everything")
    await stage.ana.until(lambda: asked.content.startswith("Erased"))
    assert not in_files(stage.database, WORDS)
    assert in_files(stage.database, "1boy, hat")
    again = stage.ana.answer(await stage.ana.slash(stage.paintings, "imagine", prompt="1girl, smile"))
    assert "read" in (again.content + str(again.embeds)).casefold()


async def test_erasing_takes_waiting_pictures_back(stage: Stage) -> None:
    await stage.agree(stage.ana)
    stage.backend.pause()
    await stage.ana.slash(stage.paintings, "imagine", prompt=WORDS)
    asked = stage.ana.answer(await stage.ana.slash(stage.paintings, "privacy delete"))
    await stage.ana.click(asked, "Erase everything")
    await stage.ana.until(lambda: asked.content.startswith("Erased"))
    assert await jobs.fetch_open(stage.database) == []
    assert not in_files(stage.database, WORDS)


async def test_a_server_that_was_left_while_the_bot_was_away_is_erased_in_time(stage: Stage) -> None:
    await stage.agree(stage.ana)
    await stage.picture(stage.ana, prompt=WORDS)
    async with stage.database.transaction() as connection:
        await connection.execute("UPDATE jobs SET guild_id = 77")
        await connection.execute("UPDATE decisions SET guild_id = 77")
    privacy = stage.bot.get_cog("Privacy")
    assert privacy is not None
    await privacy.on_ready()  # type: ignore[attr-defined]
    clock = stage.service.clock
    stage.service.clock = lambda: clock() + timedelta(days=31)
    await stage.bot.background.run_all()
    assert not in_files(stage.database, WORDS)


async def test_a_server_that_removes_the_bot_is_erased_in_time_unless_it_takes_it_back(stage: Stage) -> None:
    await stage.agree(stage.ana)
    await stage.picture(stage.ana, prompt=WORDS)
    world, clock = stage.server.world, stage.service.clock
    guild = world.guilds[stage.paintings.guild_id or 0]

    async def departures() -> int:
        row = await stage.database.fetch_one("SELECT count(*) FROM departures")
        return row[0] if row else 0

    async def until_noted(wanted: int) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while await departures() != wanted:  # the gateway tells the bot a moment later
                await stage.bot.background.run_all()

    changes.remove_bot(world, guild)
    await until_noted(1)
    changes.invite_bot(world, guild)
    await until_noted(0)
    stage.service.clock = lambda: clock() + timedelta(days=40)
    await stage.bot.background.run_all()
    assert in_files(stage.database, WORDS)
    changes.remove_bot(world, guild)
    await until_noted(1)
    for days, is_kept in ((69, True), (71, False)):
        stage.service.clock = lambda days=days: clock() + timedelta(days=days)
        await stage.bot.background.run_all()
        assert in_files(stage.database, WORDS) == is_kept


def test_an_export_is_split_so_that_every_part_can_be_sent() -> None:
    parts, too_large = split_pictures([(1, 0, 600), (2, 0, 500), (3, 0, 2000), (4, 0, 100)], 1000)
    assert parts == (((1, 0),), ((2, 0), (4, 0)))
    assert too_large == ("3-0.png",)
    assert split_pictures([], 1000) == (((),), ())
