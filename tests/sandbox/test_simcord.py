"""What the bot looks like in a model of Discord that is not ours: visibility, permissions, restarts, virtual time."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import discord
import pytest
from simcord.backend.errors import SetupError

from domain import JobStatus
from engine.images.metadata import read_png
from engine.sampling.model import LoadedModel
from settings import Settings
from tests.support.simcord_stage import SimStage, answer, labels, make_sim_stage, text_of

HOUR = 3600.0
FOR_ALL = {"imagine", "queue", "help", "about", "license", "terms", "privacy delete", "quota me", "challenges"}
FOR_MODERATORS = {"block", "unblock", "blocks", "audit", "strike lift", "review list", "channel open", "starboard set"}
FOR_MANAGERS = {"setup", "settings panel", "settings role moderators"}
FOR_ADMINISTRATORS = {"owner pause", "owner block-user"}


@pytest.fixture
async def stage(tmp_path: Path, tiny_model: LoadedModel) -> AsyncGenerator[SimStage]:
    settings = Settings(_env_file=None, database=tmp_path / "bot.sqlite3")  # pyright: ignore[reportCallIssue]
    async with make_sim_stage(settings, tiny_model) as made:
        yield made


# ---- who sees which command, and who may ----------------------------------------------------------------------------


async def test_everybody_is_shown_the_commands_that_are_meant_for_them(stage: SimStage) -> None:
    guild = stage.guild
    everything = guild.create_role("all", permissions=discord.Permissions(administrator=True))
    boss = guild.add_member(stage.env.create_user("boss"), roles=[everything])
    hidden_from = {
        stage.ana: FOR_MODERATORS | FOR_MANAGERS | FOR_ADMINISTRATORS,
        stage.mira: FOR_MANAGERS | FOR_ADMINISTRATORS,
        stage.rosa: FOR_MODERATORS | FOR_ADMINISTRATORS,
        boss: set[str](),
    }
    every = FOR_ALL | FOR_MODERATORS | FOR_MANAGERS | FOR_ADMINISTRATORS
    for person, hidden in hidden_from.items():
        shown = set(person.available_commands(stage.paintings))
        assert shown & every == every - hidden, person.name
    with pytest.raises(SetupError, match="not visible"):
        await stage.ana.slash(stage.paintings, "block", member=stage.ben, reason="no")


async def test_direct_messages_offer_no_command_that_needs_a_server(stage: SimStage) -> None:
    shown = set(stage.ana.user.available_commands())
    assert {"imagine", "queue", "help", "privacy show"} <= shown
    assert shown.isdisjoint(FOR_MODERATORS | FOR_MANAGERS)
    refused = answer(await stage.ana.user.slash("quota list"))
    assert refused.content == "This works in servers only, not in direct messages."


async def test_a_server_that_shows_a_command_to_all_does_not_make_everybody_a_moderator(stage: SimStage) -> None:
    commands = {command.name: command for command in await stage.bot.tree.fetch_commands()}
    stage.guild.set_command_permissions(commands["block"], {stage.guild.default_role: True})
    assert "block" in stage.ana.available_commands(stage.paintings)
    refused = answer(await stage.ana.slash(stage.paintings, "block", member=stage.ben, reason="no"))
    assert refused.content.startswith("This is for this server's moderators")
    assert stage.sees(stage.ana, refused)
    assert not stage.sees(stage.ben, refused)
    told = answer(await stage.mira.slash(stage.paintings, "block", member=stage.ben, reason="no"))
    assert f"<@{stage.ben.id}> can't paint here" in told.content


async def test_a_role_that_the_managers_name_moderates_until_it_is_taken_off_the_list(stage: SimStage) -> None:
    helpers = stage.guild.create_role("helpers")
    eva = stage.guild.add_member(stage.env.create_user("eva"), roles=[helpers])
    assert "server's moderators" in answer(await eva.slash(stage.paintings, "quota list")).content
    named = await stage.rosa.slash(stage.paintings, "settings role moderators", role=helpers)
    assert f"<@&{helpers.id}>" in answer(named).content
    assert "None yet" in text_of(answer(await eva.slash(stage.paintings, "quota list")))
    await stage.rosa.slash(stage.paintings, "settings role moderators", role=helpers, remove=True)
    assert "server's moderators" in answer(await eva.slash(stage.paintings, "quota list")).content


async def test_where_the_bot_may_not_attach_files_it_says_so_privately(stage: SimStage) -> None:
    assert stage.bot.user is not None
    mute = discord.PermissionOverwrite(attach_files=False)
    closed = stage.guild.create_text_channel("closed", overwrites={stage.bot.user: mute})
    await stage.agree(stage.ana)
    refused = await stage.imagine(stage.ana, closed)
    assert "I am missing attach files" in refused.content
    assert refused.ephemeral
    assert await stage.bot.service.jobs.fetch_open() == []


# ---- only for the one who asked --------------------------------------------------------------------------------------


async def test_the_first_picture_arrives_after_consent_without_typing_it_again(stage: SimStage) -> None:
    asked = await stage.imagine(stage.ana, prompt="1girl, lighthouse")
    assert stage.sees(stage.ana, asked)
    assert not stage.sees(stage.ben, asked)
    with pytest.raises(SetupError, match="not visible"):
        await stage.ben.click(asked, label="I agree")
    shown = answer(await stage.ana.click(asked, label="I agree"))
    await stage.delivered()
    assert stage.sees(stage.ben, shown)
    assert [one.content_type for one in shown.attachments] == ["image/png"]
    assert labels(shown) == [
        *("Upscale", "Vary", "Use as start", "Edit region"),
        *("Keep", "Send me", "Details"),
        *("Again", "Edit", "Delete", "Report"),
    ]
    info = read_png(await shown.attachments[0].read())
    assert info is not None
    assert info.request["prompt"] == "1girl, lighthouse"
    second = await stage.picture(stage.ana)
    assert second.attachments


async def test_help_lists_licence_and_errors_are_seen_by_the_asker_alone(stage: SimStage) -> None:
    await stage.agree(stage.ana)
    private = [
        answer(await stage.ana.slash(stage.paintings, command))
        for command in ("help", "queue", "about", "license", "terms", "quota me", "privacy show")
    ]
    refused = await stage.imagine(stage.ana, prompt="1girl --sampler magic")
    assert "There is no sampler “magic”" in refused.content
    for message in [*private, refused]:
        assert stage.sees(stage.ana, message)
        assert not stage.sees(stage.ben, message)
    licence = await private[3].attachments[0].read()
    assert b"CreativeML Open RAIL-M" in licence


# ---- buttons, forms, suggestions -------------------------------------------------------------------------------------


async def test_a_form_changes_the_words_and_keeps_the_seed(stage: SimStage) -> None:
    await stage.agree(stage.ana)
    message = await stage.picture(stage.ana, seed=3)
    form = await stage.ana.click(message, label="Edit")
    assert form.modal is not None
    edited = answer(
        await stage.ana.submit_modal(
            form, {"prompt": "1boy, glasses", "size": ["64x64"], "images": "1", "then": "paint"}
        )
    )
    await stage.delivered()
    info = read_png(await edited.attachments[0].read())
    assert info is not None
    assert (info.request["prompt"], info.seed) == ("1boy, glasses", 3)


async def test_the_owner_and_moderators_delete_and_nobody_else(stage: SimStage) -> None:
    await stage.agree(stage.ana)
    first, second = await stage.picture(stage.ana), await stage.picture(stage.ana)
    refused = answer(await stage.ben.click(first, label="Delete"))
    assert refused.content.startswith("Only the member who asked for this picture")
    assert not stage.sees(stage.ana, refused)
    await stage.ana.click(first, label="Delete")
    await stage.mira.click(second, label="Delete")
    assert not stage.sees(stage.ben, first)
    assert not stage.sees(stage.ben, second)
    assert [one.png for job_id in (1, 2) for one in await stage.bot.service.jobs.fetch_pictures(job_id)] == [None, None]


async def test_suggestions_come_from_the_model_and_match_what_is_typed(stage: SimStage) -> None:
    typed = {"channel": stage.paintings.id}
    choices = await stage.mira.autocomplete(stage.paintings, "channel open", "preset", "f", **typed)
    assert [one["value"] for one in choices] == ["faithful", "fast"]
    none = await stage.mira.autocomplete(stage.paintings, "channel open", "preset", "no such", **typed)
    assert none == []


async def test_a_waiting_picture_shows_its_place_and_only_its_member_takes_it_back(stage: SimStage) -> None:
    await stage.agree(stage.ana, stage.ben)
    stage.backend.pause()
    first, second = await stage.imagine(stage.ana), await stage.imagine(stage.ben)
    assert "Waiting: 1 picture before yours" in text_of(second)
    refused = answer(await stage.ben.click(first, label="Cancel"))
    assert refused.content.startswith("Only the member who asked")
    await stage.ana.click(first, label="Cancel")
    await stage.env.advance_time(5)
    assert "Next in line" in text_of(second)
    stage.backend.resume()
    await stage.delivered()
    assert "Nothing was charged." in text_of(first)
    assert not first.attachments
    assert second.attachments


@pytest.mark.parametrize("option", ["prompt", "negative_prompt"])
async def test_words_full_of_markdown_fit_into_the_message(stage: SimStage, option: str) -> None:
    await stage.agree(stage.ana)
    refused = await stage.picture(stage.ana, **{option: "o_o " * 250})
    assert "tokens" in refused.content
    shown = await stage.picture(stage.ana, **{option: "o_o " * 75})
    assert shown.attachments
    assert "o\\_o o\\_o" in text_of(shown)


# ---- restarts --------------------------------------------------------------------------------------------------------


async def test_buttons_of_before_a_restart_still_work(stage: SimStage) -> None:
    await stage.agree(stage.ana, stage.ben)
    message = await stage.picture(stage.ana, seed=3)
    waiting = answer(await stage.rosa.slash(stage.paintings, "imagine", prompt="1girl"))
    await stage.restart()
    again = answer(await stage.ben.click(message, label="Again"))
    agreed = answer(await stage.rosa.click(waiting, label="I agree"))
    await stage.delivered()
    assert again.attachments
    assert agreed.attachments
    await stage.ana.click(message, label="Delete")
    assert not stage.sees(stage.ben, message)


async def test_a_picture_asked_for_before_a_restart_is_shown_after_it_in_its_own_message(stage: SimStage) -> None:
    await stage.agree(stage.ana)
    stage.backend.pause()
    message = await stage.imagine(stage.ana)
    await stage.restart()
    await stage.delivered()
    assert message.attachments
    assert [one.id for one in stage.paintings.history()] == [message.id]


# ---- virtual time ----------------------------------------------------------------------------------------------------


async def test_an_hour_after_it_was_spent_the_hourly_quota_is_back(stage: SimStage) -> None:
    await stage.agree(stage.ana)
    await stage.picture(stage.ana)
    cost = (await stage.bot.service.jobs.fetch(1)).cost
    await stage.mira.slash(stage.paintings, "quota set", everyone=True, per_hour=cost / 1000)
    assert "credits left" in (await stage.imagine(stage.ana)).content
    await stage.env.advance_time(HOUR - 60)
    assert "credits left" in (await stage.imagine(stage.ana)).content
    await stage.env.advance_time(120)
    assert (await stage.picture(stage.ana)).attachments


async def test_a_block_ends_by_itself(stage: SimStage) -> None:
    await stage.agree(stage.ana)
    await stage.mira.slash(stage.paintings, "block", member=stage.ana, reason="spam", expires="2h")
    refused = await stage.imagine(stage.ana)
    assert "You are blocked from painting in this server until" in refused.content
    await stage.env.advance_time(2 * HOUR + 1)
    assert (await stage.picture(stage.ana)).attachments


async def test_a_picture_that_took_longer_than_an_interaction_lives_is_shown_all_the_same(stage: SimStage) -> None:
    await stage.agree(stage.ana)
    stage.backend.pause()
    message = await stage.imagine(stage.ana)
    await stage.env.advance_time(15 * 60 + 1)
    stage.backend.resume()
    await stage.delivered()
    notice = ("POST", f"/channels/{stage.paintings.id}/messages")
    assert message.attachments
    assert (await stage.bot.service.jobs.fetch(1)).status is JobStatus.DELIVERED
    # What may follow is the notice that it is ready, a message of its own.
    last = next(one for one in reversed(stage.env.http_requests) if (one.method, one.path) != notice)
    assert (last.method, last.path) == ("PATCH", f"/channels/{stage.paintings.id}/messages/{message.id}")
