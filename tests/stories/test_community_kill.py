"""SIGKILL in the middle of appeals, approvals, challenges and erasures: each story still ends, and only once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from db import agreements, challenges, guild_settings
from db.database import Database
from sandbox.people.person import WAIT_SECONDS, Person, channel_named
from sandbox.server import ApiCall, LoopbackDiscord
from sandbox.world.things import Channel, Message
from sandbox.world.world import default_world
from tests.support.kills import BotProcess, Killer, agree, bot_process, start, until
from tests.support.refusals import LIFTABLE

POST = ("POST", "/channels/{channel_id}/messages")
EDIT = ("PATCH", "/channels/{channel_id}/messages/{message_id}")
ANSWER = ("PATCH", "/webhooks/{application_id}/{token}/messages/{message_id}")
MOMENTS = ("arriving", "done")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass
class Theatre:
    """A loopback Discord with a bot in a process that can be killed."""

    server: LoopbackDiscord
    bot: BotProcess
    database: Path
    ana: Person
    ben: Person
    mira: Person

    def channel(self, name: str) -> Channel:
        return channel_named(self.server.world, name)

    async def start(self) -> None:
        await start(self.bot, self.server)

    def kill_at(self, route: tuple[str, str], moment: str, matches: Callable[[ApiCall], bool]) -> Killer:
        killer = self.server.on_call = Killer(self.bot, route, 0, moment, matches)
        return killer

    async def die_and_come_back(self, killer: Killer, doing: Coroutine[Any, Any, object] | None = None) -> None:
        """Let the bot die, while somebody is `doing` what leads to it, and start it again.

        Whether those people still get their answer is open, so nobody waits for it.
        """
        asked = None if doing is None else asyncio.create_task(doing)
        async with asyncio.timeout(WAIT_SECONDS):
            await killer.struck.wait()
        if asked is not None:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
        self.server.on_call = None
        await self.start()


@pytest.fixture
async def theatre(tmp_path: Path, tiny_model_dir: Path) -> AsyncGenerator[Theatre]:
    async with opened(tmp_path / "bot.sqlite3", tiny_model_dir) as made:
        yield made


@asynccontextmanager
async def opened(database: Path, model: Path) -> AsyncGenerator[Theatre]:
    async with LoopbackDiscord(default_world()) as server, bot_process(model, server, database) as bot:
        people = {user.name: Person(server, user.id) for user in server.world.users.values()}
        theatre = Theatre(server, bot, database, people["ana"], people["ben"], people["mira"])
        await agree(database, theatre.ana, theatre.ben)
        review = theatre.channel("mod-review")
        async with Database(database) as written, written.transaction() as connection:
            await guild_settings.change(
                connection, review.guild_id or 0, theatre.mira.id, datetime.now(UTC), review_channel_id=review.id
            )
        await theatre.start()
        yield theatre
        assert server.violations == []


def with_nonce(start: str) -> Callable[[ApiCall], bool]:
    return lambda call: str(call.body.get("nonce")).startswith(start)


def only_challenge(theatre: Theatre) -> int:
    """Its id, which is not 1: after a kill ids go on from the time."""
    with closing(sqlite3.connect(theatre.database)) as connection:
        return int(connection.execute("SELECT id FROM challenges").fetchone()[0])


def below(path: str) -> Callable[[ApiCall], bool]:
    return lambda call: call.path.startswith(path)


def cards(theatre: Theatre) -> list[Message]:
    return [message for message in theatre.mira.sees(theatre.channel("mod-review")) if message.embeds]


def pictures(theatre: Theatre) -> list[Message]:
    shown = theatre.ana.sees(theatre.channel("paintings"))
    return [one for one in shown if any(file.filename.endswith(".png") for file in one.attachments)]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_an_appeal_survives_a_kill_at_every_message_of_its_story(theatre: Theatre, moment: str) -> None:
    paintings = theatre.channel("paintings")
    refusal = theatre.ana.answer(await theatre.ana.slash(paintings, "imagine", prompt=LIFTABLE))
    form = await theatre.ana.click(refusal, "Appeal")
    posts_the_card = below(f"/channels/{theatre.channel('mod-review').id}/")
    killer = theatre.kill_at(POST, moment, posts_the_card)
    await theatre.die_and_come_back(killer, theatre.ana.submit(form, statement="please"))
    await until(lambda: cards(theatre))
    (card,) = cards(theatre)
    shows_the_decision = below(f"/channels/{card.channel_id}/messages/{card.id}")
    killer = theatre.kill_at(EDIT, moment, shows_the_decision)
    await theatre.die_and_come_back(killer, theatre.mira.click(card, "Allow once"))
    await until(lambda: pictures(theatre))
    await until(lambda: "allowed once" in cards(theatre)[0].embeds[0]["title"])
    assert len(cards(theatre)) == 1
    assert len(pictures(theatre)) == 1
    again = theatre.ana.answer(await theatre.ana.slash(paintings, "imagine", prompt=LIFTABLE))
    assert again.only_for == theatre.ana.id


@pytest.mark.parametrize("moment", MOMENTS)
async def test_an_approval_survives_a_kill_before_the_card_and_before_the_picture(
    theatre: Theatre, moment: str
) -> None:
    paintings = theatre.channel("paintings")
    await theatre.mira.slash(paintings, "review approval", channel=paintings.id, on=True)
    killer = theatre.kill_at(POST, moment, below(f"/channels/{theatre.channel('mod-review').id}/"))
    await theatre.die_and_come_back(killer, theatre.ana.slash(paintings, "imagine", prompt="1girl, smile"))
    await until(lambda: cards(theatre))
    assert pictures(theatre) == []
    killer = theatre.kill_at(EDIT, moment, lambda call: call.files > 0)  # shows the picture
    await theatre.die_and_come_back(killer, theatre.mira.click(cards(theatre)[0], "Show it"))
    await until(lambda: pictures(theatre))
    assert len(cards(theatre)) == len(pictures(theatre)) == 1


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_challenge_that_ends_while_the_bot_dies_has_one_result(theatre: Theatre, moment: str) -> None:
    paintings = theatre.channel("paintings")
    await theatre.ana.slash(paintings, "imagine", prompt="1girl, snow")
    await until(lambda: pictures(theatre))
    theatre.bot.kill()
    now = datetime.now(UTC)
    async with Database(theatre.database) as database, database.transaction() as connection:
        challenge_id = await challenges.start(
            connection,
            guild_id=paintings.guild_id or 0,
            channel_id=paintings.id,
            themes=("snow",),
            created_by=theatre.mira.id,
            starts_at=now - timedelta(days=1),
            ends_at=now + timedelta(hours=1),
        )
        await challenges.mark_announced(connection, challenge_id, 1)
        ((job_id,),) = await connection.execute_fetchall("SELECT id FROM jobs")
        entry = await challenges.enter(connection, challenge_id, theatre.ana.id, job_id, now)
        assert entry is not None
        await challenges.mark_posted(connection, entry.id, 1)
        assert await challenges.vote(connection, entry, theatre.ben.id, now)
        await connection.execute("UPDATE challenges SET ends_at = ?", (now.timestamp() - 1,))
    killer = theatre.kill_at(POST, moment, with_nonce("results-"))
    theatre.server.gateway.sessions.clear()
    await theatre.bot.start()
    await theatre.die_and_come_back(killer)
    results = "Challenge over: snow"
    await until(lambda: any(results in str(one.embeds) for one in theatre.ben.sees(paintings)))
    await theatre.ana.slash(paintings, "queue")
    (shown,) = [one for one in theatre.ben.sees(paintings) if results in str(one.embeds)]
    assert f"<@{theatre.ana.id}>" in shown.embeds[0]["description"]
    assert "1 vote" in shown.embeds[0]["description"]


def titled(theatre: Theatre, start: str) -> list[Message]:
    seen = theatre.ben.sees(theatre.channel("paintings"))
    return [one for one in seen if one.embeds and one.embeds[0].get("title", "").startswith(start)]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_challenge_survives_a_kill_at_its_start_at_an_entry_and_at_its_end(
    theatre: Theatre, moment: str
) -> None:
    paintings = theatre.channel("paintings")
    await theatre.ana.slash(paintings, "imagine", prompt="1girl, snow")
    await until(lambda: pictures(theatre))
    killer = theatre.kill_at(POST, moment, with_nonce("challenge-"))
    starting = theatre.mira.slash(paintings, "challenge start", theme="snow", ends="3d")
    await theatre.die_and_come_back(killer, starting)
    await until(lambda: titled(theatre, "Challenge: snow"))
    (announcement,) = titled(theatre, "Challenge: snow")
    killer = theatre.kill_at(POST, moment, with_nonce("entry-"))
    entering = theatre.ana.menu(paintings, "Enter in challenge", pictures(theatre)[0])
    await theatre.die_and_come_back(killer, entering)
    await until(lambda: titled(theatre, "Entry"))
    (entry,) = titled(theatre, "Entry")
    await theatre.ben.click(entry, "Vote")
    killer = theatre.kill_at(POST, moment, with_nonce("results-"))
    await theatre.die_and_come_back(
        killer, theatre.mira.slash(paintings, "challenge end", challenge=only_challenge(theatre))
    )
    await until(lambda: titled(theatre, "Challenge over"))
    late = theatre.mira.answer(await theatre.mira.click(entry, "Vote"))
    assert "over" in late.content
    (results,) = titled(theatre, "Challenge over")
    assert f"<@{theatre.ana.id}>" in results.embeds[0]["description"]
    assert [titled(theatre, "Challenge: snow"), titled(theatre, "Entry")] == [[announcement], [entry]]
    fame = theatre.ben.answer(await theatre.ben.slash(paintings, "challenges"))
    assert f"<@{theatre.ana.id}>" in fame.embeds[1]["description"]


async def test_an_erasure_is_whole_although_the_bot_dies_before_it_can_say_so(theatre: Theatre) -> None:
    paintings = theatre.channel("paintings")
    words = "unmistakable lighthouse"
    await theatre.ana.slash(paintings, "imagine", prompt=f"1girl, {words}")
    await until(lambda: pictures(theatre))
    asked = theatre.ana.answer(await theatre.ana.slash(paintings, "privacy delete"))
    killer = theatre.kill_at(ANSWER, "arriving", lambda _: True)
    await theatre.die_and_come_back(killer, theatre.ana.click(asked, "Erase everything"))
    await theatre.ana.slash(paintings, "privacy show")
    async with Database(theatre.database) as database:
        assert not await agreements.has_agreed(database, theatre.ana.id, "2026-11-23")
    files = theatre.database.parent.glob(f"{theatre.database.name}*")
    assert not any(words.encode() in file.read_bytes() for file in files)
