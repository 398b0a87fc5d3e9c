"""/settings end to end: each form's values hold from the next request on, and buttons work after a restart."""

from __future__ import annotations

import discord

from db import guild_settings
from sandbox.world import changes
from sandbox.world.things import Interaction, Message
from tests.support.cards import text_of, told
from tests.support.stage import Stage


async def open_form(stage: Stage, label: str) -> tuple[Message, Interaction]:
    """The panel, and the form behind one of its buttons."""
    panel = stage.mira.answer(await stage.mira.slash(stage.paintings, "settings panel"))
    return panel, await stage.mira.click(panel, label)


async def test_what_the_forms_say_holds_from_the_next_request_on(stage: Stage) -> None:
    await stage.agree(stage.ana, stage.mira)
    panel, form = await open_form(stage, "Painting")
    await stage.mira.submit(form, preset="fast", shape="portrait", allowed_shapes=["portrait"], max_images="2")
    assert "at most 2" in text_of(panel)
    assert "Allowed sizes: portrait" in text_of(panel)
    assert "at most 2 pictures at once" in await told(stage, "ana", "imagine", prompt="1girl", images=3)
    assert "these sizes only: portrait" in await told(stage, "ana", "imagine", prompt="1girl", shape="square")
    message = await stage.picture(stage.ana, steps=4)
    width, height = stage.service.queue.profile.shapes["portrait"]
    assert f"{width}×{height}" in text_of(message)
    job = (await stage.database.fetch_one("SELECT request FROM jobs"))[0]  # pyright: ignore[reportOptionalSubscript]
    assert '"preset": "fast"' in job

    _, form = await open_form(stage, "Start pictures")
    await stage.mira.submit(form, who="moderators")
    picture = ("start.png", message.attachments[0].data)
    refused = await told(stage, "ana", "imagine", prompt="1girl", start_picture=picture)
    assert "you may not paint on from a picture" in refused
    accepted = stage.mira.answer(
        await stage.mira.slash(stage.paintings, "imagine", prompt="1girl", start_picture=picture, steps=4)
    )
    assert accepted.only_for is None

    _, form = await open_form(stage, "Policy of a channel")
    refused = await stage.mira.submit(form, level="adult")
    assert "is not age-restricted" in stage.mira.answer(refused).content
    _, form = await open_form(stage, "Policy of a channel")
    await stage.mira.submit(form, level="off")
    assert "switched pictures off in this channel" in await told(stage, "ana", "imagine", prompt="1girl")


async def test_channels_roles_and_keeping_are_saved_and_audited_in_the_chosen_channel(stage: Stage) -> None:
    log = stage.channel("mod-review")
    panel, form = await open_form(stage, "Audit, review, language")
    await stage.mira.submit(form, audit=log.id, review=log.id, retention="30")
    assert "Pictures are kept: 30 days" in text_of(panel)
    settings = await guild_settings.load(stage.database, stage.paintings.guild_id or 0)
    assert (settings.audit_channel_id, settings.review_channel_id, settings.retention_days) == (log.id, log.id, 30)
    await stage.mira.until(lambda: any("settings.change" in text_of(one) for one in stage.mira.sees(log)))

    await told(stage, "mira", "quota set", everyone=True, per_hour=9.0, reason="a reason of my own")
    await stage.mira.until(lambda: any("a reason of my own" in text_of(one) for one in stage.mira.sees(log)))
    await stage.bot.background.run_all()
    posted = [text_of(one) for one in stage.mira.sees(log)]
    assert sum(text.count("a reason of my own") for text in posted) == 1

    _, form = await open_form(stage, "Audit, review, language")
    refused = await stage.mira.submit(form, retention="soon")
    assert "whole number" in stage.mira.answer(refused).content
    answer = stage.mira.answer(await stage.mira.slash(stage.paintings, "audit", as_file=True, action="quota"))
    table = answer.attachments[0].data.decode("utf-8-sig")
    assert table.startswith("id,time_utc,actor_id,action,target,details")
    assert table.count("quota.set") == 1
    assert "settings.change" not in table
    assert "settings.change" in await told(stage, "mira", "audit", actor=stage.mira.id, days=1)
    assert "Nothing that matches" in await told(stage, "mira", "audit", member=stage.ben.id)


async def test_a_review_channel_must_take_pictures_and_an_audit_channel_only_words(stage: Stage) -> None:
    log = stage.channel("mod-review")
    is_open, denied = log.overwrites.get(stage.server.world.bot.id, (0, 0))
    closed = is_open, denied | discord.Permissions(attach_files=True).value
    changes.edit_channel(stage.server.world, log, overwrites=log.overwrites | {stage.server.world.bot.id: closed})
    _, form = await open_form(stage, "Audit, review, language")
    refused = stage.mira.answer(await stage.mira.submit(form, review=log.id)).content
    assert f"I can't post in <#{log.id}>: I am missing attach files" in refused
    panel, form = await open_form(stage, "Audit, review, language")
    await stage.mira.submit(form, audit=log.id)
    assert f"Audit channel: <#{log.id}>" in text_of(panel)


async def test_both_limits_of_a_servers_budget_say_whose_credits_they_are(stage: Stage) -> None:
    (owner,) = [command for command in stage.bot.command_payload() if command["name"] == "owner"]
    (budget,) = [one for one in owner["options"] if one["name"] == "budget"]
    said = {one["name"]: one["description"] for one in budget["options"]}
    assert "all its members together" in said["per_hour"]
    assert "all its members together" in said["per_day"]
