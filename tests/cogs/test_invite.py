"""The invite link of README.md: it asks for what the bot needs, and for nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import discord

from cogs.core import channels
from cogs.prompt_channels import command as prompt_channels
from engine.safety import SafetyChecker
from engine.sampling.model import LoadedModel
from sandbox.world.permissions import BOT_NEEDS
from sandbox.world.world import World, default_world
from tests.support.stage import Stage, is_delivered, make_stage

README = (Path(__file__).parents[2] / "README.md").read_text()
MEMBER = discord.Permissions(view_channel=True, send_messages=True, use_application_commands=True)


def test_the_link_asks_for_what_the_commands_check() -> None:
    checked = channels.NEEDED | channels.NEEDED_IN_THREADS | prompt_channels.NEEDED | prompt_channels.NEEDED_FOR_THREADS
    checked |= discord.Permissions(manage_messages=True)  # prompt channels that remove what is no prompt
    (linked,) = re.findall(r"permissions=(\d+)", README)
    assert int(linked) == checked.value == BOT_NEEDS


def test_readme_names_the_links_permissions() -> None:
    (sentence,) = re.findall(r"The permissions are exactly: (.+)\.", README)
    named = {name.lower().replace(" ", "_") for name in sentence.split(", ")}
    linked = {name for name, held in discord.Permissions(BOT_NEEDS) if held}
    assert {name.replace("view_channels", "read_messages") for name in named} == linked


def server_that_gives_nothing_away() -> World:
    """Its members may write and use commands; everything else the bot has from its own role."""
    world = default_world()
    (guild,) = world.guilds.values()
    guild.roles[guild.id].permissions = MEMBER.value
    return world


async def test_with_the_links_permissions_alone_everything_works(
    tmp_path: Path, tiny_model: LoadedModel, checker: SafetyChecker
) -> None:
    world = server_that_gives_nothing_away()
    async with make_stage(tmp_path, tiny_model, checker, world, message_content_intent=True) as stage:
        await stage.agree(stage.ana)
        assert is_delivered(await stage.picture(stage.ana))
        prompts = stage.channel("prompts")
        options = {"channel": prompts.id, "answer": "thread", "other_messages": "delete"}
        opened = await stage.mira.slash(stage.paintings, "channel open", **options)
        assert "missing" not in stage.mira.answer(opened).content
        await prompt_in_a_thread(stage)
        chatter = await stage.ana.say(prompts, "// this is no prompt")
        await stage.ana.until(lambda: chatter.id not in world.messages)


async def prompt_in_a_thread(stage: Stage) -> None:
    world = stage.server.world
    await stage.ana.say(stage.channel("prompts"), "1girl, hat")
    thread = await stage.ana.until(lambda: next((one for one in world.channels.values() if one.is_thread), None))
    await stage.ana.until(lambda: any(map(is_delivered, world.history(thread.id, world.bot.id))))
