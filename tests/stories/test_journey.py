"""A job's message through its life: waiting, painting, finished, cancelled, deleted; and what its buttons do."""

from __future__ import annotations

from typing import Any

import discord
import pytest

from domain import JobStatus
from engine.images.metadata import read_png
from sandbox.people.person import Refused
from tests.support.cards import choose, fields_of, labels_of, text_of, title_of
from tests.support.commands import forget_limits, option_of
from tests.support.stage import Stage, is_delivered


def collect(stage: Stage, message_id: int) -> list[dict[str, Any]]:
    """Every state that the channel showed of one message."""
    states: list[dict[str, Any]] = []
    stage.server.world.subscribe(
        lambda event: (
            states.append(event.data)
            if event.name.startswith("MESSAGE") and event.data.get("id") == str(message_id)
            else None
        )
    )
    return states


async def test_a_message_lives_through_waiting_painting_and_finished(stage: Stage) -> None:
    await stage.agree(stage.ana)
    asked = await stage.ana.slash(stage.paintings, "imagine", prompt="1girl, smile", steps=60, images=2)
    message = stage.ana.answer(asked)
    states = collect(stage, message.id)
    assert title_of(message) in ("Next in line",) or title_of(message).startswith(("Waiting", "Painting"))
    assert labels_of(message) == ["Cancel"]
    await stage.ana.until(lambda: is_delivered(message))
    assert any("### Painting:" in str(state["components"]) for state in states)
    previews = [state for state in states if any(a["filename"] == "preview.jpg" for a in state["attachments"])]
    assert previews
    assert len(message.attachments) == 2
    assert labels_of(message) == [
        *("1", "2", "All"),
        *("Upscale 1", "Vary 1", "Use as start 1", "Edit region 1"),
        *("Keep 1", "Send me 1", "Details 1", "Delete 1"),
        *("Again", "Edit", "Delete all", "Report"),
    ]
    seeds = [read_png(one.data).seed for one in message.attachments]  # pyright: ignore[reportOptionalMemberAccess]
    assert seeds[1] == seeds[0] + 1
    assert fields_of(message)["Seed"] == f"1: {seeds[0]}, 2: {seeds[1]}"
    assert stage.server.rate_limited == []


async def test_a_waiting_job_shows_its_place_and_can_be_cancelled_at_no_cost(stage: Stage) -> None:
    await stage.agree(stage.ana, stage.ben)
    stage.backend.pause()
    first = await stage.ana.slash(stage.paintings, "imagine", prompt="1girl")
    second = await stage.ben.slash(stage.paintings, "imagine", prompt="1boy")
    waiting = stage.ben.answer(second)
    assert title_of(waiting) == "Waiting: 1 picture before yours"
    assert "It should be ready <t:" in text_of(waiting)
    await stage.ana.click(stage.ana.answer(first), "Cancel")
    await stage.ana.until(lambda: title_of(stage.ana.answer(first)) == "Cancelled")
    await stage.ben.until(lambda: title_of(waiting) == "Next in line")
    stage.backend.resume()
    await stage.ben.until(lambda: is_delivered(waiting))
    job = await stage.service.jobs.fetch(1)
    assert job.status is JobStatus.CANCELLED


async def test_a_running_job_stops_at_the_next_step(stage: Stage) -> None:
    await stage.agree(stage.ana)
    asked = await stage.ana.slash(stage.paintings, "imagine", prompt="1girl", steps=100, images=4)
    message = stage.ana.answer(asked)
    await stage.ana.until(lambda: title_of(message).startswith("Painting"))
    await stage.ana.click(message, "Cancel")
    await stage.ana.until(lambda: title_of(message) == "Cancelled")
    assert not is_delivered(message)
    await stage.until_status(1, JobStatus.CANCELLED)
    assert stage.service.queue.report().running == 0


async def test_only_the_owner_and_moderators_cancel_and_delete(stage: Stage) -> None:
    await stage.agree(stage.ana)
    message = await stage.picture(stage.ana)
    refused = await stage.ben.click(message, "Delete")
    assert "Only the member" in stage.ben.answer(refused).content
    assert stage.ben.answer(refused).only_for == stage.ben.id
    await stage.mira.click(message, "Delete")
    await stage.mira.until(lambda: message.id not in stage.server.world.messages)
    assert [painting.png for painting in await stage.service.jobs.fetch_pictures(1)] == [None]


async def test_again_paints_the_same_words_with_a_new_seed_for_whoever_presses_it(stage: Stage) -> None:
    await stage.agree(stage.ana, stage.ben)
    message = await stage.picture(stage.ana, seed=3)
    again = stage.ben.answer(await stage.ben.click(message, "Again"))
    await stage.ben.until(lambda: is_delivered(again))
    info = read_png(again.attachments[0].data)
    assert info is not None
    assert info.request["prompt"] == "1girl, smile"
    assert info.seed != 3
    job = await stage.service.jobs.fetch(2)
    assert (job.user_id, job.parent_id) == (stage.ben.id, 1)


async def test_edit_changes_the_words_and_keeps_the_seed(stage: Stage) -> None:
    await stage.agree(stage.ana)
    message = await stage.picture(stage.ana, seed=3)
    opened = await stage.ana.click(message, "Edit")
    submitted = await stage.ana.submit(opened, prompt="1boy, glasses")
    edited = stage.ana.answer(submitted)
    await stage.ana.until(lambda: is_delivered(edited))
    info = read_png(edited.attachments[0].data)
    assert info is not None
    assert (info.request["prompt"], info.seed) == ("1boy, glasses", 3)


async def test_vary_paints_on_from_the_picture(stage: Stage) -> None:
    await stage.agree(stage.ana)
    message = await stage.picture(stage.ana)
    varied = await choose(stage.ana, message, "Vary", "Strong")
    await stage.ana.until(lambda: is_delivered(varied))
    job = await stage.service.jobs.fetch(2)
    assert job.parent_id == 1
    assert job.request.init_image is not None


async def test_a_message_deleted_while_waiting_takes_its_job_back(stage: Stage) -> None:
    await stage.agree(stage.ana)
    stage.backend.pause()
    asked = await stage.ana.slash(stage.paintings, "imagine", prompt="1girl")
    await stage.mira.delete(stage.ana.answer(asked))
    await stage.until_status(1, JobStatus.CANCELLED)
    assert stage.service.queue.report().queued == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"width": 65, "height": 64}, "must be a multiple of"),
        ({"width": 2048, "height": 64}, "must be from"),
        ({"scheduler": "magic"}, "There is no scheduler"),
        ({"preset": "lightning"}, "There is no preset"),
        ({"shape": "portrait", "width": 64}, "either a shape or"),
        ({"prompt": "x, " * 300}, "tokens"),
        ({"prompt": "   "}, "The prompt is empty"),
        ({"steps": 150}, "Steps go from 1"),
        ({"shape": "round"}, "There is no shape 'round'"),
        ({"guidance_scale": 31}, "The guidance scale goes from 1 to 30"),
        ({"images": 5}, "1 to 4 pictures"),
        ({"upscale": 3}, "The upscale factor goes from 1 to 2"),
        ({"prompt": "1girl --steps 500"}, "Steps go from 1"),
        ({"prompt": "1girl --sampler magic"}, "There is no sampler “magic”"),
        ({"prompt": "1girl --sead 5"}, "Did you mean --seed?"),
    ],
)
async def test_bad_input_gets_one_private_sentence_and_costs_nothing(
    stage: Stage, options: dict[str, Any], sentence: str
) -> None:
    await stage.agree(stage.ana)
    forget_limits(stage.server.world)
    asked = await stage.ana.slash(stage.paintings, "imagine", **({"prompt": "1girl"} | options))
    answer = stage.ana.answer(asked)
    assert sentence in answer.content
    assert answer.only_for == stage.ana.id
    assert await stage.service.jobs.fetch_open() == []


async def test_a_seed_out_of_range_is_not_taken_by_the_client(stage: Stage) -> None:
    with pytest.raises(Refused, match="seed"):
        await stage.ana.slash(stage.paintings, "imagine", prompt="1girl", seed=2**32)


async def test_words_are_shown_without_effect(stage: Stage) -> None:
    await stage.agree(stage.ana)
    message = await stage.picture(stage.ana, prompt=f"@everyone <@{stage.ben.id}> **bold** `code`, o_o")
    assert message.mentions == []
    shown = text_of(message)
    assert "@everyone" not in shown
    assert "bold code" in shown
    assert "**bold**" not in shown
    assert "o\\_o" in shown


async def test_a_channel_where_the_bot_may_not_post_is_named_as_the_reason(stage: Stage) -> None:
    await stage.agree(stage.ana)
    stage.paintings.overwrites[stage.server.world.bot.id] = (0, discord.Permissions.attach_files.flag)
    asked = await stage.ana.slash(stage.paintings, "imagine", prompt="1girl")
    assert "missing attach files" in stage.ana.answer(asked).content


async def test_direct_messages_work_too(stage: Stage) -> None:
    await stage.agree(stage.ana)
    message = await stage.picture(stage.ana, stage.ana.dm())
    assert is_delivered(message)


async def test_queue_help_about_and_licence_answer_privately(stage: Stage) -> None:
    for command in ("queue", "help", "about", "license", "terms"):
        answer = stage.ana.answer(await stage.ana.slash(stage.paintings, command))
        assert answer.only_for == stage.ana.id
        assert answer.embeds or answer.attachments
    licence = stage.ana.answer(await stage.ana.slash(stage.paintings, "license"))
    assert b"CreativeML Open RAIL-M" in licence.attachments[0].data


async def test_what_imagine_offers_is_the_models_own(stage: Stage) -> None:
    world, profile = stage.server.world, stage.service.queue.profile
    schedulers = [one["value"] for one in option_of(world, "imagine", "scheduler")["choices"]]
    assert schedulers == list(profile.schedulers)
    assert [name for name in schedulers if name.startswith("dpm++")] == ["dpm++2m", "dpm++2m_karras"]
    shapes = {one["value"]: one["name"] for one in option_of(world, "imagine", "shape")["choices"]}
    assert shapes == {name: f"{name} ({w}×{h})" for name, (w, h) in profile.shapes.items()}
    sides = [one["value"] for one in option_of(world, "imagine", "width")["choices"]]
    assert (sides[0], sides[-1]) == (profile.min_side, profile.max_side)
    assert all(side % profile.unit == 0 for side in sides)
    steps = option_of(world, "imagine", "steps")
    assert (steps["min_value"], steps["max_value"]) == (1, profile.max_steps)
    with pytest.raises(Refused, match="steps"):
        await stage.ana.slash(stage.paintings, "imagine", prompt="1girl", steps=profile.max_steps + 1)


async def test_options_that_mean_nothing_here_are_left_out_and_named(stage: Stage) -> None:
    await stage.agree(stage.ana)
    message = await stage.picture(stage.ana, prompt="1girl, smile --q 2 --foobar 3 --seed 7", steps=4)
    assert "**Read as** 1girl, smile (left out: --q 2, --foobar 3)" in text_of(message)
    job = await stage.service.jobs.fetch(1)
    assert (job.request.prompt, job.request.seed) == ("1girl, smile", 7)
    again = stage.ana.answer(await stage.ana.click(message, "Again"))
    await stage.ana.until(lambda: is_delivered(again))
    assert "left out" not in text_of(again)
