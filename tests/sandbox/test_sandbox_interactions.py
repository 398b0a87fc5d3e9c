"""The loopback Discord with a real discord.py bot: commands, answers, components, forms, several people at once."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import discord
import pytest

from sandbox.people import channel_named, person
from sandbox.people.person import WAIT_SECONDS, NoAnswer, Person, Refused
from sandbox.server import LoopbackDiscord
from sandbox.world.things import Channel
from sandbox.world.world import default_world
from tests.support.sandbox_bot import SandboxBot, logged_in


async def run(bot: SandboxBot, who: Person, channel: Channel, body: Any) -> Any:
    """Let the bot carry out `body(interaction)` as its answer to /run; its result or its exception."""
    outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    outcome.add_done_callback(lambda done: done.exception())

    async def to_run(interaction: discord.Interaction[Any]) -> None:
        try:
            outcome.set_result(await body(interaction))
        except discord.DiscordException as error:
            outcome.set_exception(error)
            if not interaction.response.is_done():
                await interaction.response.send_message("failed", ephemeral=True)

    bot.to_run = to_run
    await who.slash(channel, "run")
    return await outcome


# ---- commands ----


async def test_options_of_every_kind_arrive(ana: Person, ben: Person, paintings: Channel) -> None:
    options: dict[str, Any] = {"text": "hi", "times": 2, "mood": "glad", "member": ben.id, "place": paintings.id}
    answer = ana.answer(await ana.slash(paintings, "echo", **options))
    assert answer.content == "glad: hi hi ben paintings"
    assert answer.only_for is None


@pytest.mark.parametrize("options", [{"text": ""}, {"text": "x", "times": 6}, {"text": "x", "mood": "sad"}, {"no": 1}])
async def test_the_client_refuses_what_the_options_do_not_allow(
    ana: Person, paintings: Channel, options: dict[str, Any]
) -> None:
    with pytest.raises(Refused):
        await ana.slash(paintings, "echo", **options)


async def test_an_ephemeral_answer_is_seen_by_one_person_and_not_dispatched(
    bot: SandboxBot, ana: Person, ben: Person, paintings: Channel
) -> None:
    answer = ana.answer(await ana.slash(paintings, "echo", text="psst", hidden=True))
    assert answer in ana.sees(paintings)
    assert answer not in ben.sees(paintings)
    async with asyncio.timeout(WAIT_SECONDS):
        marker = asyncio.create_task(bot.wait_for("message", check=lambda one: one.content == "marker"))
        await asyncio.sleep(0)
        await ben.say(paintings, "marker")
        await marker
    assert all(one.id != answer.id for one in bot.heard)


async def test_autocomplete_files_menus_and_forms(ana: Person, ben: Person, paintings: Channel) -> None:
    assert await ana.autocomplete(paintings, "sampler", "name", "e") == [{"name": "EULER", "value": "euler"}]
    copied = ana.answer(await ana.slash(paintings, "copy", file=("a.txt", b"abc")))
    assert copied.attachments[0].data == b"cba"
    said = await ben.say(paintings, "wise words")
    assert ana.answer(await ana.menu(paintings, "Quote", said)).content == "> wise words"
    assert ana.answer(await ana.menu(paintings, "Who", ben.id)).content == "that is ben"
    panel = ana.answer(await ana.slash(paintings, "panel"))
    opened = await ana.click(panel, "Open form")
    with pytest.raises(Refused, match="characters"):
        await ana.submit(opened, words="x" * 21)
    assert ana.answer(await ana.submit(opened, words="hello")).content == "form: hello"
    for values, why in ((["nothing"], "offers"), ([], "at least 1"), (["heun", "euler"], "at most 1")):
        with pytest.raises(Refused, match=why):
            await ana.select(panel, "panel:pick", *values)
    await ana.select(panel, "panel:pick", "heun")
    assert panel.content == "picked heun"
    assert ana.answer(await ana.select(panel, "panel:who", str(ben.id))).content == "chose ben"
    await ana.click(panel, "🗑️")
    await ana.until(lambda: panel not in ana.sees(paintings))


async def test_buttons_work_after_a_restart(discord_server: LoopbackDiscord) -> None:
    ana, paintings = person(discord_server, "ana"), channel_named(discord_server.world, "paintings")
    async with logged_in(discord_server):
        message = ana.answer(await ana.slash(paintings, "counter"))
        await ana.click(message, "Count 0")
    async with logged_in(discord_server, sync=False):
        await ana.click(message, "Count 1")
    assert message.content == "counted 2"


async def test_commands_are_shown_only_where_and_to_whom_they_belong(
    discord_server: LoopbackDiscord, ana: Person, paintings: Channel
) -> None:
    mira, after_dark = person(discord_server, "mira"), channel_named(discord_server.world, "after-dark")

    def names(who: Person, where: Channel) -> set[str]:
        return {one["name"] for one in who.commands(where)}

    assert "adult" not in names(ana, paintings)
    assert "adult" in names(ana, after_dark)
    assert "moderate" not in names(ana, paintings)
    assert "moderate" in names(mira, paintings)
    assert "moderate" not in names(mira, mira.dm())
    paintings.overwrites[ana.id] = (0, discord.Permissions.use_application_commands.flag)
    assert names(ana, paintings) == set()


# ---- answers ----


async def test_a_deferred_answer_thinks_shows_progress_and_finishes(
    bot: SandboxBot, ana: Person, paintings: Channel
) -> None:
    bot.gate.clear()
    message = ana.answer(await ana.slash(paintings, "slow", label="one"))
    assert message.is_thinking
    bot.gate.set()
    await ana.until(lambda: message.edits == 1)
    assert [one.data for one in message.attachments] == [b"one 0"]
    shown = next(one for one in ana.view()["channels"] if one["name"] == "paintings")["messages"][-1]
    assert shown["embeds"][0]["image"]["url"] == shown["attachments"][0]["url"]
    await ana.until(lambda: message.content == "one done")
    assert [one.filename for one in message.attachments] == ["one.png"]
    assert not message.is_thinking


async def test_a_picture_that_an_embed_shows_is_no_attachment_for_the_bot(
    bot: SandboxBot, ana: Person, paintings: Channel
) -> None:
    async def body(interaction: discord.Interaction[Any]) -> Any:
        await interaction.response.defer()
        card = discord.Embed(title="x").set_image(url="attachment://x.png")
        return await interaction.edit_original_response(embed=card, attachments=[_file("x.png")])

    message = await run(bot, ana, paintings, body)
    assert message.attachments == []
    assert message.embeds[0].image.url.endswith("/x.png")


async def test_the_list_of_attachments_says_what_stays(bot: SandboxBot, ana: Person, paintings: Channel) -> None:
    async def body(interaction: discord.Interaction[Any]) -> Any:
        await interaction.response.send_message(files=[_file("a.png"), _file("b.png")])
        message = await interaction.original_response()
        return await interaction.edit_original_response(attachments=[message.attachments[1], _file("c.png")])

    message = await run(bot, ana, paintings, body)
    assert [one.filename for one in message.attachments] == ["b.png", "c.png"]


async def test_the_first_followup_fills_a_deferred_answer(bot: SandboxBot, ana: Person, paintings: Channel) -> None:
    async def body(interaction: discord.Interaction[Any]) -> Any:
        await interaction.response.defer(thinking=True, ephemeral=True)
        first = await interaction.followup.send("first", wait=True)
        second = await interaction.followup.send("second", wait=True)
        return await interaction.original_response(), first, second

    original, first, second = await run(bot, ana, paintings, body)
    assert original.id == first.id != second.id
    messages = {one.id: one for one in ana.sees(paintings)}
    assert messages[first.id].only_for == ana.id
    assert messages[second.id].only_for is None


async def test_new_components_resolve_their_files(ana: Person, paintings: Channel) -> None:
    message = ana.answer(await ana.slash(paintings, "gallery"))
    shown = ana.view()["channels"][0]["messages"][-1]
    assert message.flags & 1 << 15
    gallery = shown["components"][1]
    assert gallery["items"][0]["media"]["url"] == shown["attachments"][0]["url"]


# ---- the rules of answering ----


async def test_an_answer_after_three_seconds_is_unknown(
    discord_server: LoopbackDiscord, bot: SandboxBot, ana: Person, paintings: Channel
) -> None:
    async def body(interaction: discord.Interaction[Any]) -> None:
        discord_server.world.advance(3.1)
        await interaction.response.send_message("late")

    with pytest.raises(Refused, match="too late"):
        await run(bot, ana, paintings, body)


async def test_a_bot_that_hangs_does_not_respond_once_three_seconds_are_over(
    discord_server: LoopbackDiscord, bot: SandboxBot, ana: Person, paintings: Channel
) -> None:
    hangs, given_up = asyncio.Event(), asyncio.Event()

    async def to_run(_: discord.Interaction[Any]) -> None:
        hangs.set()
        await given_up.wait()

    bot.to_run = to_run
    asking = asyncio.create_task(ana.slash(paintings, "run"))
    await hangs.wait()
    discord_server.world.advance(2.9)
    assert not next(iter(discord_server.world.interactions.values())).is_missed
    discord_server.world.advance(0.2)
    with pytest.raises(NoAnswer, match="did not respond"):
        await asking
    given_up.set()


async def test_however_slow_the_machine_is_only_advance_makes_an_answer_late() -> None:
    machine = [1_800_000_000.0]
    async with LoopbackDiscord(default_world(clock=lambda: machine[0])) as server, logged_in(server) as bot:
        ana, paintings = person(server, "ana"), channel_named(server.world, "paintings")

        async def body(interaction: discord.Interaction[Any]) -> None:
            machine[0] += 3600
            await interaction.response.send_message("in time")
            await interaction.edit_original_response(content="in time, too")

        await run(bot, ana, paintings, body)
        assert [one.content for one in ana.sees(paintings)] == ["in time, too"]


async def test_in_real_time_the_machines_clock_counts() -> None:
    world = default_world()
    world.use_real_time()
    world.ack_seconds = 0.01
    async with LoopbackDiscord(world) as server:
        ana, paintings = person(server, "ana"), channel_named(world, "paintings")
        world.commands[None] = [{"id": "1", "name": "run", "type": 1, "options": []}]
        with pytest.raises(NoAnswer, match="did not respond"):
            await ana.slash(paintings, "run")  # no bot is there to answer


async def test_a_second_first_answer_is_refused(bot: SandboxBot, ana: Person, paintings: Channel) -> None:
    async def body(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message("one")
        interaction.response._response_type = None  # what a second process would know
        await interaction.response.send_message("two")

    with pytest.raises(discord.HTTPException) as raised:
        await run(bot, ana, paintings, body)
    assert raised.value.code == 40060


async def test_a_followup_before_the_answer_and_a_foreign_message_are_unknown(
    bot: SandboxBot, ana: Person, paintings: Channel
) -> None:
    async def too_early(interaction: discord.Interaction[Any]) -> None:
        await interaction.followup.send("early")

    async def foreign(interaction: discord.Interaction[Any]) -> None:
        other = await interaction.channel.send("by the bot's own token")  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
        await interaction.response.send_message("x")
        await interaction.followup.edit_message(other.id, content="stolen")

    for body, code in ((too_early, 10015), (foreign, 10008)):
        with pytest.raises(discord.NotFound) as raised:
            await run(bot, ana, paintings, body)
        assert raised.value.code == code


async def test_a_token_dies_after_fifteen_minutes(
    discord_server: LoopbackDiscord, bot: SandboxBot, ana: Person, paintings: Channel
) -> None:
    async def body(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message("x")
        discord_server.world.advance(15 * 60 + 1)
        await interaction.edit_original_response(content="too late")

    with pytest.raises(discord.HTTPException) as raised:
        await run(bot, ana, paintings, body)
    assert (raised.value.status, raised.value.code) == (401, 50027)


async def test_ephemeral_messages_are_out_of_reach_of_the_bots_own_token(
    bot: SandboxBot, ana: Person, paintings: Channel
) -> None:
    answer = ana.answer(await ana.slash(paintings, "echo", text="psst", hidden=True))
    with pytest.raises(discord.NotFound):
        await bot.get_partial_messageable(paintings.id).get_partial_message(answer.id).edit(content="x")


# ---- several people ----


async def test_two_peoples_flows_at_once_do_not_mix(
    discord_server: LoopbackDiscord, bot: SandboxBot, ana: Person, ben: Person, paintings: Channel
) -> None:
    bot.gate.clear()
    for_ana, for_ben = await asyncio.gather(
        ana.slash(paintings, "slow", label="ana", edits=3), ben.slash(paintings, "slow", label="ben", edits=3)
    )
    bot.gate.set()
    mine, yours = ana.answer(for_ana), ben.answer(for_ben)
    await ana.until(lambda: mine.content and yours.content)
    assert (mine.content, mine.attachments[0].data) == ("ana done", b"ana done")
    assert (yours.content, yours.attachments[0].data) == ("ben done", b"ben done")
    panels = await asyncio.gather(ana.click(mine, "Open form"), ben.click(yours, "Open form"))
    answers = await asyncio.gather(ana.submit(panels[0], words="A"), ben.submit(panels[1], words="B"))
    assert [ana.answer(answers[0]).content, ben.answer(answers[1]).content] == ["form: A", "form: B"]
    assert ana.answer(answers[0]) not in ben.sees(paintings)
    assert discord_server.rate_limited == []


def _file(name: str) -> discord.File:
    return discord.File(io.BytesIO(name.encode()), name)
