"""What Discord says to `--check`: the account, its intents, and what servers withhold."""

from __future__ import annotations

import re
from pathlib import Path

import discord
import pytest

import sandbox.rest.application
from cogs.core.reachability import INVITED, check_discord
from domain.findings import Finding, Health
from sandbox.server import LoopbackDiscord, point_discord_at
from sandbox.testing import discord_server  # noqa: F401 - a fixture
from sandbox.world.permissions import BOT_NEEDS

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


async def check(server: LoopbackDiscord, *, message_content: bool = False, token: str = "t") -> dict[str, Finding]:
    server.token = "t"
    with point_discord_at(server.port):
        return {finding.name: finding for finding in await check_discord(token, message_content=message_content)}


def test_what_is_looked_for_is_what_the_invite_link_asks_for() -> None:
    (linked,) = re.findall(r"permissions=(\d+)", README)
    assert int(linked) == INVITED.value


async def test_all_is_well(discord_server: LoopbackDiscord) -> None:  # noqa: F811
    found = await check(discord_server, message_content=True)
    assert set(found) == {"Discord", "intents", "servers"}
    assert {finding.health for finding in found.values()} == {Health.OK}
    assert found["servers"].words.startswith("1, 1 of them")


@pytest.mark.parametrize("withheld", ["attach_files", "embed_links", "manage_messages"])
async def test_a_server_that_withholds_a_permission_is_named(
    discord_server: LoopbackDiscord,  # noqa: F811
    withheld: str,
) -> None:
    for guild in discord_server.world.guilds.values():
        for role in guild.roles.values():
            role.permissions = BOT_NEEDS & ~discord.Permissions(**{withheld: True}).value
    found = await check(discord_server)
    assert found["permissions"].health is Health.WARN
    assert found["permissions"].words.endswith(f"doesn't give the bot: {withheld.replace('_', ' ')}")
    assert found["servers"].words.startswith("1, 0 of them")


@pytest.mark.parametrize(
    ("flag", "wanted", "state", "words"),
    [
        (0, True, Health.FAIL, "switch it on"),
        (0, False, Health.OK, "need a mention"),
        (1 << 18, True, Health.OK, "on, as"),
        (1 << 19, False, Health.OK, "would do"),
    ],
)
async def test_the_message_content_intent_is_compared(
    discord_server: LoopbackDiscord,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    flag: int,
    wanted: bool,
    state: Health,
    words: str,
) -> None:
    monkeypatch.setattr(sandbox.rest.application, "MESSAGE_CONTENT_FLAG", flag)
    intents = (await check(discord_server, message_content=wanted))["intents"]
    assert intents.health is state
    assert words in intents.words


@pytest.mark.parametrize("token", ["another", "a\nb"])
async def test_a_token_that_is_not_taken_is_one_sentence(discord_server: LoopbackDiscord, token: str) -> None:  # noqa: F811
    found = await check(discord_server, token=token)
    assert set(found) == {"Discord"}
    assert found["Discord"].health is Health.FAIL
