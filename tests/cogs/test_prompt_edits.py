"""Prompt channels follow what becomes of a message: edits paint again, deletions take the picture away."""

from __future__ import annotations

from tests.support.cards import text_of
from tests.support.prompt_channels import (
    answer_to,
    answers_to,
    job_of,
    picture_for,
    prompts,
    request_of,
)
from tests.support.refusals import FORBIDDEN
from tests.support.stage import Stage, is_delivered


async def test_an_edited_message_is_painted_again_in_the_same_place(open_stage: Stage) -> None:
    said = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    picture = await picture_for(open_stage, said)
    before = request_of(picture)
    await open_stage.ana.edit(said, "1girl, smile, umbrella")
    await open_stage.ana.until(lambda: is_delivered(picture) and "umbrella" in str(request_of(picture)["prompt"]))
    assert request_of(picture)["seed"] == before["seed"]
    assert len(answers_to(open_stage, said)) == 1


async def test_a_message_edited_while_it_waits_is_painted_once(open_stage: Stage) -> None:
    open_stage.backend.pause()
    said = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    waiting = await answer_to(open_stage, said)
    await open_stage.ana.edit(said, "1girl, umbrella")
    await open_stage.ana.until(lambda: "umbrella" in text_of(waiting))
    open_stage.backend.resume()
    picture = await picture_for(open_stage, said)
    assert request_of(picture)["prompt"] == "1girl, umbrella"
    row = await open_stage.database.fetch_one("SELECT count(*) FROM jobs WHERE status = 'cancelled'")
    assert row is not None
    assert row[0] == 1


async def test_an_edit_that_is_refused_keeps_the_picture_until_the_words_are_good_again(open_stage: Stage) -> None:
    said = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    picture = await picture_for(open_stage, said)
    await open_stage.ana.edit(said, f"1girl, {FORBIDDEN} cafe")
    hint = await open_stage.ana.until(
        lambda: next((one for one in answers_to(open_stage, said) if "can't paint" in one.content), None)
    )
    assert is_delivered(picture)
    await open_stage.ana.edit(said, "1girl, umbrella")
    await open_stage.ana.until(lambda: is_delivered(picture) and "umbrella" in str(request_of(picture)["prompt"]))
    await open_stage.ana.until(lambda: hint.id not in open_stage.server.world.messages)
    assert answers_to(open_stage, said) == [picture]


async def test_a_message_that_was_edited_into_a_refused_one_is_deleted_with_all_its_answers(open_stage: Stage) -> None:
    said = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    await picture_for(open_stage, said)
    await open_stage.ana.edit(said, f"1girl, {FORBIDDEN} cafe")
    await open_stage.ana.until(lambda: len(answers_to(open_stage, said)) == 2)
    await open_stage.ana.delete(said)
    await open_stage.ana.until(lambda: answers_to(open_stage, said) == [])


async def test_an_edit_that_is_refused_while_it_waits_leaves_nothing_waiting(open_stage: Stage) -> None:
    open_stage.backend.pause()
    said = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    waiting = await answer_to(open_stage, said)
    await open_stage.ana.edit(said, f"1girl, {FORBIDDEN} cafe")
    await open_stage.ana.until(lambda: waiting.id not in open_stage.server.world.messages)
    hint = await answer_to(open_stage, said)
    assert "can't paint" in hint.content
    assert await open_stage.service.jobs.fetch_open() == []


async def test_a_deleted_message_takes_its_picture_with_it(open_stage: Stage) -> None:
    said = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    picture = await picture_for(open_stage, said)
    job = await job_of(open_stage, said)
    await open_stage.ana.delete(said)
    await open_stage.ana.until(lambda: picture.id not in open_stage.server.world.messages)
    assert [picture.png for picture in await open_stage.service.jobs.fetch_pictures(job.id)] == [None]


async def test_a_deleted_message_takes_its_picture_from_the_starboard_too(open_stage: Stage) -> None:
    board = open_stage.channel("mod-review")
    await open_stage.mira.slash(open_stage.paintings, "starboard set", channel=board.id, stars=1)
    said = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    await open_stage.ben.react(await picture_for(open_stage, said), "⭐")
    await open_stage.mira.until(lambda: any(map(is_delivered, open_stage.mira.sees(board))))
    await open_stage.bot.background.run_all()
    await open_stage.ana.delete(said)
    await open_stage.ana.until(lambda: answers_to(open_stage, said) == [])
    await open_stage.mira.until(lambda: open_stage.mira.sees(board) == [], seconds=5)
